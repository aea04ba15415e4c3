package worker

import (
	"context"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// sourcesTimeout bounds how long the records that a job quotes may take to come.
const sourcesTimeout = 20 * time.Second

// checkRetrieval refuses a job that quotes what its datanets do not hold, or at another
// price than theirs: the worker answers for both with its stake.
func (w *Worker) checkRetrieval(ctx context.Context, job protocol.InferenceJob) error {
	if len(job.Retrieval) == 0 {
		return nil
	}
	for i := range job.Retrieval {
		r := &job.Retrieval[i]
		price, err := w.chain.RetrievalPrice(ctx, r.Datanet)
		if err != nil {
			return err
		}
		if price != r.Price {
			return protocol.Errorf(protocol.KindInvalid, "retrieval", "datanet %d asks %s wei of an answer that reads it, the job offers %s: send it again", r.Datanet, price.Dec(), r.Price.Dec())
		}
	}
	if err := w.storeHasRoom(); err != nil {
		return err
	}
	providers, err := ipfs.ParseProviders(job.Sources)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sourcesTimeout)
	defer cancel()
	err = w.sources.Check(ctx, job.Retrieval, providers)
	if protocol.KindOf(err) == protocol.KindCorrupt { // here as everywhere
		return protocol.Errorf(protocol.KindInvalid, "retrieval", "%w", err)
	}
	return err
}
