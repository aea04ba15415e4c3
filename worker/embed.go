package worker

import (
	"context"
	"slices"
	"time"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/audit"
	"github.com/openledger/openledger/worker/engine"
)

// embed answers an accepted job that asks for vectors. It is paid for whole or not at all.
func (w *Worker) embed(ctx context.Context, from protocol.PeerID, job protocol.InferenceJob, prompt []uint32) (protocol.SignedReceipt, protocol.Evidence, error) {
	vectors, err := w.engine.Embed(ctx, engine.EmbedRequest{
		ID: job.ID.Hex(), Inputs: audit.EmbeddingInputs(w.cfg.Bundle.Tokenizer, job.Embedding), Tenant: job.Requester.Hex(), Deadline: time.UnixMilli(job.Deadline),
	})
	if err != nil {
		if err = engineError(err); protocol.KindOf(err) == protocol.KindInvalid {
			err = protocol.Errorf(protocol.KindInvalid, "input", "%w", err)
		}
		return protocol.SignedReceipt{}, protocol.Evidence{}, err
	}
	evidence := protocol.Evidence{Job: job, Profile: Profile, Prompt: prompt, FinishedBy: engine.FinishStop, Vectors: slices.Concat(vectors...),
		Attribution: protocol.Attribution{Algorithm: audit.NoAttribution, Pool: protocol.WeightScale}}
	evidence.Job.Sources = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signTimeout)
	defer cancel()
	receipt, err := w.sign(ctx, nil, evidence)
	if err != nil {
		return protocol.SignedReceipt{}, protocol.Evidence{}, err
	}
	w.log.Info("embedded", "job", job.ID, "from", from, "inputs", len(job.Embedding.Inputs), "prompt_tokens", len(prompt))
	w.metrics.answered("", 0)
	return receipt, evidence, nil
}
