package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/datanet"
)

// contributed is how one record fared.
type contributed struct {
	File   string       `json:"file"`
	CID    protocol.CID `json:"cid"`
	Title  string       `json:"title"`
	Status string       `json:"status"` // the review's status, or "refused"
	Error  string       `json:"error,omitempty"`
	// Similar is a record of the datanet that is much like this one: a warning.
	Similar protocol.CID `json:"similar,omitempty"`
}

func datanetContribute(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "contribute DATANET FILE...",
		Short: "Sign and offer the records of files: text, tables, documents, pictures, sound and video",
		Long: `Uploads files and offers their records, signed together.

  .jsonl .ndjson .csv .tsv   a record a line or row
  .md .markdown .txt         a record a file
  .pdf .docx                 a record a page, or a section
  .png .jpg .jpeg .webp .mp3 .wav .flac .mp4 .webm
                             a record a file; only its text (the title) is learned from

When something is wrong with one of the files, nothing of any is offered.`,
		Example: `  openledger datanet contribute 1 fables.jsonl --as alice
  openledger datanet contribute 1 essay.md report.pdf photo.png --as alice --json`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := datanetID(args[0])
			if err != nil {
				return err
			}
			key, err := c.signer()
			if err != nil {
				return err
			}
			cl, info, ch, err := c.network(cmd.Context())
			if err != nil {
				return err
			}
			defer ch.Close()
			d, err := ch.Datanet(cmd.Context(), id)
			if err != nil {
				return err
			}
			required, err := ch.StakeRequired(cmd.Context(), id)
			if err != nil {
				return err
			}
			o := &offering{cli: c, cl: cl, info: info, key: key, datanet: d, alone: !required.IsZero()}
			defer o.forget(context.WithoutCancel(cmd.Context()))
			out, err := o.offer(cmd.Context(), args[1:])
			if err != nil {
				return err
			}
			failed := 0
			for _, r := range out {
				if r.Error != "" {
					failed++
				}
			}
			if err := c.print(map[string]any{"contributions": out, "refused": failed}, func(w io.Writer) { contributedTable(w, out) }); err != nil {
				return err
			}
			if failed > 0 {
				c.say("%d of %d records were refused", failed, len(out))
				return errReported
			}
			return nil
		},
	}
}

func contributedTable(w io.Writer, list []contributed) {
	t := newTable(w, "record", "title", "status")
	for _, r := range list {
		status := r.Status
		if r.Error != "" {
			status += ": " + r.Error
		}
		if r.Similar != "" {
			status += " (much like " + string(r.Similar) + ")"
		}
		t.AppendRow([]any{r.CID, r.Title, status})
	}
	t.Render()
}

// offering is one contribution of files.
type offering struct {
	cli     *cli
	cl      *client.Client
	info    api.NetworkInfo
	key     keystore.Signer
	datanet protocol.Datanet
	alone   bool // each contribution is signed by itself: a stake answers for it
	uploads []string

	header   http.Header // that stands for an API key
	headerAt time.Time
}

// offer uploads all files before it offers anything: a bad file offers nothing.
func (o *offering) offer(ctx context.Context, files []string) ([]contributed, error) {
	var wrong []string
	ids := make([]string, len(files))
	for i, file := range files {
		u, err := o.upload(ctx, file)
		if err != nil {
			return nil, err
		}
		if ids[i] = u.ID; u.State != "ready" {
			for _, e := range u.Errors {
				wrong = append(wrong, datanet.LineError(e).Error())
			}
			if u.More {
				wrong = append(wrong, "and more: mend these first")
			}
		}
	}
	if len(wrong) > 0 {
		return nil, protocol.Errorf(protocol.KindInvalid, "", "%s", strings.Join(wrong, "\n"))
	}
	out := []contributed{}
	for i, file := range files {
		list, err := o.records(ctx, ids[i])
		if err != nil {
			return nil, err
		}
		done, err := o.send(ctx, file, ids[i], list)
		if err != nil {
			return nil, err
		}
		out = append(out, done...)
	}
	return out, nil
}

// signed is the header that stands for an API key. A signature is used for some minutes:
// an external signer may ask somebody for each.
func (o *offering) signed(ctx context.Context) (http.Header, error) {
	if time.Since(o.headerAt) < 3*time.Minute {
		return o.header, nil
	}
	now := time.Now()
	at := now.UnixMilli()
	sig, err := o.key.SignText(ctx, api.UploadText(o.info.Peer, o.key.Account(), at))
	if err != nil {
		return nil, err
	}
	o.header = http.Header{http.CanonicalHeaderKey(api.SignedHeader): {fmt.Sprintf("%s %d 0x%s", o.key.Account().Hex(), at, hex.EncodeToString(sig))}}
	o.headerAt = now
	return o.header, nil
}

func (o *offering) upload(ctx context.Context, path string) (_ api.UploadView, err error) {
	f, err := os.Open(path)
	if err != nil {
		return api.UploadView{}, protocol.Errorf(protocol.KindInvalid, "file", "%w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return api.UploadView{}, protocol.Errorf(protocol.KindInvalid, "file", "%w", err)
	}
	most, err := datanet.Limit(filepath.Base(path))
	if err != nil {
		return api.UploadView{}, err
	}
	switch {
	case info.IsDir():
		return api.UploadView{}, protocol.Errorf(protocol.KindInvalid, "file", "%s is a folder: name the files in it", path)
	case info.Size() > most:
		return api.UploadView{}, protocol.Errorf(protocol.KindTooLarge, "file", "%s is %d bytes, the limit for its kind is %d: split it, or make it smaller", path, info.Size(), most)
	}
	header, err := o.signed(ctx)
	if err != nil {
		return api.UploadView{}, err
	}
	const unit = 64 << 10
	b := newBar(o.cli.err, "upload "+datanet.CleanName(path), int(info.Size()/unit)+1)
	defer b.stop()
	var out struct {
		Uploads []api.UploadView `json:"uploads"`
	}
	body := &counted{r: f, tell: func(n int64) { b.set(int(n/unit), "") }}
	err = o.cl.Send(ctx, http.MethodPost, fmt.Sprintf("/api/v1/datanets/%d/uploads?name=%s", o.datanet.ID, url.QueryEscape(filepath.Base(path))), body, info.Size(), header, &out)
	if err != nil {
		return api.UploadView{}, err
	}
	if len(out.Uploads) != 1 {
		return api.UploadView{}, protocol.Errorf(protocol.KindInternal, "", "the coordinator answered with %d uploads to one file", len(out.Uploads))
	}
	o.uploads = append(o.uploads, out.Uploads[0].ID)
	return out.Uploads[0], nil
}

// counted tells how much was read.
type counted struct {
	r    io.Reader
	n    int64
	tell func(int64)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	c.tell(c.n)
	return n, err
}

// records lists what an upload would contribute.
func (o *offering) records(ctx context.Context, id string) ([]api.UploadedRecord, error) {
	var list []api.UploadedRecord
	for cursor := ""; ; {
		header, err := o.signed(ctx)
		if err != nil {
			return nil, err
		}
		var out struct {
			Records []api.UploadedRecord `json:"records"`
			Next    string               `json:"next"`
		}
		if err := o.cl.Send(ctx, http.MethodGet, fmt.Sprintf("/api/v1/uploads/%s?limit=1000&cursor=%s", id, url.QueryEscape(cursor)), nil, 0, header, &out); err != nil {
			return nil, err
		}
		list = append(list, out.Records...)
		if cursor = out.Next; cursor == "" {
			return list, nil
		}
	}
}

// send signs the records of an upload, a part with each signature, and offers them.
func (o *offering) send(ctx context.Context, file, upload string, records []api.UploadedRecord) ([]contributed, error) {
	b := newBar(o.cli.err, "contribute", len(records))
	defer b.stop()
	out := make([]contributed, 0, len(records))
	for len(records) > 0 {
		part := records[:min(api.MaxBatch, len(records))]
		records = records[len(part):]
		list := make([]protocol.Contribution, len(part))
		batch := api.ContributionBatch{Upload: upload, Contributions: make([]api.ContributionItem, len(part))}
		for i, r := range part {
			list[i] = protocol.Contribution{Datanet: o.datanet.ID, Record: r.Record, Contributor: o.key.Account(), License: o.datanet.License, At: time.Now().UnixMilli()}
			batch.Contributions[i].Contribution = list[i]
		}
		if err := o.sign(ctx, list, &batch); err != nil {
			return nil, err
		}
		results, err := sendBatch(ctx, o.cl, fmt.Sprintf("/api/v1/datanets/%d/contributions/batch", o.datanet.ID), batch, len(part))
		if err != nil {
			return nil, err
		}
		for i, r := range results {
			done := contributed{File: file, CID: part[i].CID, Title: part[i].Title}
			if part[i].Similar != nil {
				done.Similar = part[i].Similar.CID
			}
			if r.Contribution != nil {
				done.Status = string(r.Contribution.Status)
			} else {
				done.Status, done.Error = "refused", r.Refusal()
			}
			out = append(out, done)
		}
		b.set(len(out), "")
	}
	return out, nil
}

// sign signs contributions together, or each by itself.
func (o *offering) sign(ctx context.Context, list []protocol.Contribution, batch *api.ContributionBatch) error {
	domain := registryDomain(o.info)
	if o.alone {
		for i, c := range list {
			sig, err := o.key.SignTyped(ctx, wire.ContributionData(domain, c))
			if err != nil {
				return err
			}
			batch.Contributions[i].Signature = sig
		}
		return nil
	}
	tree, err := wire.ContributionsBatch(domain, list)
	if err != nil {
		return err
	}
	batch.Signature, err = o.key.SignTyped(ctx, wire.BatchData(domain, wire.ContributionBatch, tree.Root(), tree.Count()))
	return err
}

func sendBatch(ctx context.Context, cl *client.Client, path string, batch any, n int) ([]api.BatchResult, error) {
	var out struct {
		Results []api.BatchResult `json:"results"`
	}
	if err := cl.Call(ctx, http.MethodPost, path, batch, &out); err != nil {
		return nil, err
	}
	if len(out.Results) != n {
		return nil, protocol.Errorf(protocol.KindInternal, "", "the coordinator gave %d results for %d statements", len(out.Results), n)
	}
	return out.Results, nil
}

type caller func(ctx context.Context, method, path string, in, out any) error

// offer offers one record with its own signature.
func offer(cmd *cobra.Command, call caller, id uint64, sc protocol.SignedContribution, canonical []byte) (api.ContributionStatus, error) {
	var status api.ContributionStatus
	err := call(cmd.Context(), http.MethodPost, fmt.Sprintf("/api/v1/datanets/%d/contributions", id), struct {
		protocol.SignedContribution
		Bytes string `json:"bytes"`
	}{sc, base64.StdEncoding.EncodeToString(canonical)}, &status)
	return status, err
}

// forget lets go of the uploads: what was contributed stays.
func (o *offering) forget(ctx context.Context) {
	for _, id := range o.uploads {
		header, err := o.signed(ctx)
		if err == nil {
			err = o.cl.Send(ctx, http.MethodDelete, "/api/v1/uploads/"+id, nil, 0, header, nil)
		}
		if err != nil {
			o.cli.say("upload %s is left behind until it expires: %v", id, err)
		}
	}
}

// sendReviews signs decisions, a part with each signature, and sends them. One that is
// refused ends it.
func (c *cli) sendReviews(ctx context.Context, cl *client.Client, info api.NetworkInfo, key keystore.Signer, id uint64, reviews []protocol.Review) ([]api.ContributionStatus, error) {
	var out []api.ContributionStatus
	domain := registryDomain(info)
	for len(reviews) > 0 {
		part := reviews[:min(api.MaxBatch, len(reviews))]
		reviews = reviews[len(part):]
		tree, err := wire.ReviewsBatch(domain, part)
		if err != nil {
			return nil, err
		}
		batch := api.ReviewBatch{Reviews: make([]protocol.SignedReview, len(part))}
		for i, r := range part {
			batch.Reviews[i].Review = r
		}
		if batch.Signature, err = key.SignTyped(ctx, wire.BatchData(domain, wire.ReviewBatch, tree.Root(), tree.Count())); err != nil {
			return nil, err
		}
		results, err := sendBatch(ctx, cl, fmt.Sprintf("/api/v1/datanets/%d/reviews/batch", id), batch, len(part))
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			if r.Contribution == nil {
				return nil, &protocol.Error{Kind: protocol.Kind(r.Error.Code), Message: r.Refusal()}
			}
			out = append(out, *r.Contribution)
		}
	}
	return out, nil
}
