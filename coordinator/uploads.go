package coordinator

import (
	"context"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/datanet"
)

// UploadToken gives the account that signed the text of an upload's header.
func (c *Coordinator) UploadToken(account protocol.Account, at int64, signature []byte) (protocol.Account, error) {
	return account, checkPersonal(api.UploadText(c.host.ID(), account, at), at, account, signature)
}

// Formats lists the kinds of files that are taken in.
func (c *Coordinator) Formats() []api.FileFormat {
	var out []api.FileFormat
	for _, f := range datanet.Formats() {
		out = append(out, api.FileFormat{Name: f.Name, Endings: f.Endings, MediaType: f.MediaType, MaxBytes: f.MaxBytes})
	}
	return out
}

// UploadsPerDay is how many bytes one account may upload in a day.
func (c *Coordinator) UploadsPerDay() int64 { return c.cfg.UploadsPerDay }

// ReceiveUpload takes a file in and reads it.
func (c *Coordinator) ReceiveUpload(ctx context.Context, f api.UploadedFile) (api.UploadView, error) {
	if err := c.know(ctx, f.Datanet); err != nil {
		return api.UploadView{}, err
	}
	u, err := c.uploads.Receive(ctx, f.Datanet, f.By, f.Name, f.Length, f.Body)
	return uploadView(u), err
}

// Upload gives an upload of an account with some of its records.
func (c *Coordinator) Upload(_ context.Context, by protocol.Account, id string, from uint64, limit int) (api.UploadView, []api.UploadedRecord, error) {
	u, records, err := c.uploads.Upload(id, by, from, limit)
	if err != nil {
		return api.UploadView{}, nil, err
	}
	out := make([]api.UploadedRecord, len(records))
	for i, r := range records {
		out[i] = api.UploadedRecord{
			Record: r.Record, CID: r.CID, Type: string(r.Type), Title: r.Title, Preview: r.Preview, Bytes: r.Bytes,
			Media: mediaView(r.Media), Duplicate: r.Duplicate,
		}
		if r.Similar != nil {
			similar := api.SimilarView(*r.Similar)
			out[i].Similar = &similar
		}
	}
	return uploadView(u), out, nil
}

// DeleteUpload lets go of an upload.
func (c *Coordinator) DeleteUpload(ctx context.Context, by protocol.Account, id string) error {
	return c.uploads.Delete(ctx, id, by)
}

func uploadView(u datanet.Upload) api.UploadView {
	v := api.UploadView{
		ID: u.ID, Datanet: u.Datanet, Account: u.Account, Name: u.Name, Bytes: u.Bytes, State: string(u.State), Errors: []api.FileError{}, More: u.More,
		Records: u.Records, Repeated: u.Repeated, At: u.At, Expires: u.Expires,
	}
	for _, e := range u.Errors {
		v.Errors = append(v.Errors, api.FileError(e))
	}
	return v
}

func mediaView(m *datanet.Media) *api.MediaView {
	if m == nil {
		return nil
	}
	v := api.MediaView(*m)
	return &v
}

// ContributeBatch takes many records for review.
func (c *Coordinator) ContributeBatch(ctx context.Context, id uint64, b api.ContributionBatch, records [][]byte) ([]api.Outcome, error) {
	if err := c.know(ctx, id); err != nil {
		return nil, err
	}
	if len(b.Signature) > 0 {
		list := make([]protocol.Contribution, len(b.Contributions))
		for i := range list {
			list[i] = b.Contributions[i].Contribution
		}
		tree, err := wire.ContributionsBatch(c.datanetsDomain, list)
		if err != nil {
			return nil, err
		}
		for i := range list {
			b.Contributions[i].Signature = tree.Signature(b.Signature, i)
		}
		// One wrong signature for all is one error.
		if err := (signatures{c.datanetsDomain, c.chain}).VerifyContribution(ctx, b.Contributions[0].SignedContribution); err != nil {
			return nil, err
		}
	}
	out := make([]api.Outcome, len(b.Contributions))
	for i, item := range b.Contributions {
		sc := item.SignedContribution
		record := records[i]
		var err error
		if len(record) == 0 {
			record, err = c.uploads.Canonical(b.Upload, sc.Contribution.Contributor, sc.Contribution.Record)
		}
		out[i].Record, out[i].Err = sc.Contribution.Record, err
		if err == nil {
			out[i].Status, out[i].Err = c.Contribute(ctx, sc, record)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err() // what was taken stays, and is found again
		}
	}
	return out, nil
}

// ReviewBatch applies many of the owner's decisions.
func (c *Coordinator) ReviewBatch(ctx context.Context, id uint64, b api.ReviewBatch) ([]api.Outcome, error) {
	if err := c.know(ctx, id); err != nil {
		return nil, err
	}
	if len(b.Signature) > 0 {
		list := make([]protocol.Review, len(b.Reviews))
		for i := range list {
			list[i] = b.Reviews[i].Review
		}
		tree, err := wire.ReviewsBatch(c.datanetsDomain, list)
		if err != nil {
			return nil, err
		}
		for i := range list {
			b.Reviews[i].Signature = tree.Signature(b.Signature, i)
		}
	}
	out := make([]api.Outcome, len(b.Reviews))
	for i, r := range b.Reviews {
		out[i].Record = r.Review.Record
		out[i].Status, out[i].Err = c.Review(ctx, r)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return out, nil
}
