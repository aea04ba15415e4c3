package coordinator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
)

// VersionRecords lists records of a version from an offset.
func (c *Coordinator) VersionRecords(ctx context.Context, id uint64, number uint32, from uint64, limit int) ([]api.RecordSummary, int, error) {
	if err := c.know(ctx, id); err != nil {
		return nil, 0, err
	}
	m, err := c.records.Manifest(ctx, id, number)
	if err != nil {
		return nil, 0, err
	}
	total := len(m.Records)
	from = min(from, uint64(total))
	end := min(from+uint64(limit), uint64(total))
	out := make([]api.RecordSummary, 0, end-from)
	for _, r := range m.Records[from:end] {
		digest, err := ipfs.Digest(r.CID)
		if err != nil {
			return nil, 0, err
		}
		rec, err := c.records.Record(ctx, digest)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, api.RecordSummary{
			Record: digest, CID: r.CID, Contributor: r.Contributor, At: r.At, Type: string(rec.Type), Title: rec.Title(), Preview: rec.Preview(),
			Bytes: len(rec.Canonical), Media: mediaView(rec.Media),
		})
	}
	return out, total, nil
}

// maxDiff bounds each list of a difference.
const maxDiff = 1000

// VersionDiff says how a version differs from another one.
func (c *Coordinator) VersionDiff(ctx context.Context, id uint64, from, to uint32) (api.VersionDiff, error) {
	out := api.VersionDiff{From: from, To: to, Added: []api.RecordSummary{}, Removed: []api.RecordSummary{}, Changed: []api.RecordChange{}}
	if err := c.know(ctx, id); err != nil {
		return out, err
	}
	d, err := c.records.Diff(ctx, id, from, to)
	if err != nil {
		return out, err
	}
	out.Counts.Added, out.Counts.Removed, out.Counts.Changed = len(d.Added), len(d.Removed), len(d.Changed)
	if out.Added, err = c.summaries(id, d.Added[:min(len(d.Added), maxDiff)]); err != nil {
		return out, err
	}
	if out.Removed, err = c.summaries(id, d.Removed[:min(len(d.Removed), maxDiff)]); err != nil {
		return out, err
	}
	for _, change := range d.Changed[:min(len(d.Changed), maxDiff)] {
		pair, err := c.summaries(id, []protocol.Hash{change.From, change.To})
		if err != nil {
			return out, err
		}
		out.Changed = append(out.Changed, api.RecordChange{From: pair[0], To: pair[1]})
	}
	return out, nil
}

func (c *Coordinator) summaries(id uint64, records []protocol.Hash) ([]api.RecordSummary, error) {
	out := make([]api.RecordSummary, len(records))
	for i, r := range records {
		e, err := c.records.Entry(id, r)
		if err != nil {
			return nil, err
		}
		by := e.Signed.Contribution
		out[i] = api.RecordSummary{
			Record: r, CID: e.CID(), Contributor: by.Contributor, At: by.At, Type: string(e.Type), Title: e.Title, Preview: e.Preview, Bytes: e.Bytes, Media: mediaView(e.Media),
		}
	}
	return out, nil
}

// shown reads a record that may be shown.
func (c *Coordinator) shown(ctx context.Context, cid protocol.CID) (datanet.Record, []datanet.Entry, error) {
	digest, err := ipfs.Digest(cid)
	if err != nil {
		return datanet.Record{}, nil, protocol.Errorf(protocol.KindInvalid, "cid", "%w", err)
	}
	return c.records.Shown(ctx, digest)
}

// Record gives a record with all of its text.
func (c *Coordinator) Record(ctx context.Context, cid protocol.CID) (api.RecordView, error) {
	r, entries, err := c.shown(ctx, cid)
	if err != nil {
		return api.RecordView{}, err
	}
	v := api.RecordView{
		Record: r.ID, CID: r.CID(), Type: string(r.Type), Title: r.Title(), Fields: r.Fields, MediaType: r.MediaType, Media: mediaView(r.Media),
		Bytes: len(r.Canonical), Trainable: r.Trainable(), Contributions: []api.RecordContribution{},
	}
	if v.Fields == nil {
		v.Fields = map[string]string{}
	}
	for _, e := range entries {
		by := e.Signed.Contribution
		item := api.RecordContribution{Datanet: by.Datanet, Contributor: by.Contributor, At: by.At, Status: e.Status}
		if e.Review != nil {
			item.Reason = e.Review.Review.Reason
		}
		v.Contributions = append(v.Contributions, item)
	}
	v.Earned, err = c.records.RecordEarned(r.ID)
	return v, err
}

// RecordContent opens what a record is about: the file of a media record, the bytes of an
// opaque one, the fields of a text as text.
func (c *Coordinator) RecordContent(ctx context.Context, cid protocol.CID) (api.RecordContent, error) {
	r, _, err := c.shown(ctx, cid)
	if err != nil {
		return api.RecordContent{}, err
	}
	out := api.RecordContent{MediaType: r.MediaType, Name: r.Title()}
	switch r.Type {
	case datanet.TypeMedia:
		out.Content, err = c.records.OpenMedia(ctx, r.Media)
		return out, err
	case datanet.TypeOpaque:
		out.Content = inMemory{bytes.NewReader(r.Data)}
		return out, nil
	}
	out.MediaType = "text/plain"
	text, whole := r.Fields["text"]
	if !whole || len(r.Fields) > 2 || len(r.Fields) == 2 && r.Fields["title"] == "" {
		indented, err := json.MarshalIndent(r.Fields, "", "  ")
		if err != nil {
			return out, err
		}
		text = string(indented)
	}
	out.Content = inMemory{bytes.NewReader([]byte(text))}
	return out, nil
}

type inMemory struct{ io.ReadSeeker }

func (inMemory) Close() error { return nil }

// Contributors lists who gave something to a datanet, those with most accepted first.
func (c *Coordinator) Contributors(ctx context.Context, id uint64) ([]api.ContributorView, error) {
	if err := c.know(ctx, id); err != nil {
		return nil, err
	}
	list, err := c.records.Contributors(id)
	if err != nil {
		return nil, err
	}
	out := make([]api.ContributorView, len(list))
	for i, a := range list {
		out[i] = api.ContributorView{Account: a.Account, Pending: a.Pending, Accepted: a.Accepted, Rejected: a.Rejected, Earned: a.Earned}
		if reviewed := a.Accepted + a.Rejected; reviewed > 0 {
			out[i].Ratio = float64(a.Accepted) / float64(reviewed)
		}
	}
	slices.SortStableFunc(out, func(a, b api.ContributorView) int { return cmp.Compare(b.Accepted, a.Accepted) })
	return out, nil
}

// Limits gives what a datanet's owner allows.
func (c *Coordinator) Limits(ctx context.Context, id uint64) (api.DatanetLimits, error) {
	if err := c.know(ctx, id); err != nil {
		return api.DatanetLimits{}, err
	}
	s, err := c.records.Settings(id)
	return api.DatanetLimits{PerDay: s.PerDay, At: s.At}, err
}

// SetLimits changes what a datanet's owner allows, if the owner asks.
func (c *Coordinator) SetLimits(ctx context.Context, id uint64, l api.DatanetLimits) error {
	if err := c.know(ctx, id); err != nil {
		return err
	}
	d, err := c.records.Datanet(id)
	if err != nil {
		return err
	}
	if err := checkPersonal(api.LimitsText(c.host.ID(), id, l), l.At, d.Owner, l.Signature); err != nil {
		return err
	}
	return c.records.Set(id, datanet.Settings{PerDay: l.PerDay, At: l.At})
}
