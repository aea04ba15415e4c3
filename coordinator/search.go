package coordinator

import (
	"context"
	"errors"
	"strings"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/coordinator/retrieval"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// SearchDatanet finds records as an answer that reads the datanet would. Records can be
// read by everybody, so finding them costs nothing; the caller pays for the question's
// vector where one is made. The datanet's price is for answers made of its records.
func (c *Coordinator) SearchDatanet(ctx context.Context, by api.Caller, s api.Search) (api.SearchResult, error) {
	found, err := c.rank(ctx, by, s.ID, s.Query, []api.Retrieve{s.Retrieve})
	if err != nil {
		var typed *protocol.Error
		if errors.As(err, &typed) { // here the fields are the request's own
			own := *typed
			own.Field = strings.TrimPrefix(own.Field, "retrieval.")
			err = &own
		}
		return api.SearchResult{}, err
	}
	f := found[0]
	d, err := c.chain.Datanet(ctx, f.Datanet)
	if err != nil {
		return api.SearchResult{}, err
	}
	out := api.SearchResult{RetrievalUse: f.use, License: d.License}
	if f.vector != nil {
		out.Fee = f.vector.Receipt.Fee().Total()
	}
	limit := s.MaxBytes
	if limit == 0 {
		limit = sourceBytes
	}
	for _, r := range f.docs {
		doc := &f.index.Documents[r.Doc]
		out.Results = append(out.Results, api.Found{Record: doc.Record, CID: ipfs.RawCIDOf(doc.Record), Contributor: doc.Contributor, Title: doc.Title,
			Passage: retrieval.Passage(doc.Text, s.Query, limit/len(f.docs)), Score: r.Score})
	}
	return out, nil
}
