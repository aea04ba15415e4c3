package audit

import (
	"context"
	"fmt"
	"slices"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// EmbeddingInputs turns a job's inputs into tokens.
func EmbeddingInputs(t *tokenizer.Tokenizer, job *protocol.EmbeddingJob) [][]uint32 {
	out := make([][]uint32, len(job.Inputs))
	for i, in := range job.Inputs {
		if out[i] = in.Tokens; in.Text != "" {
			out[i] = t.WithTemplate(t.Encode(in.Text))
		}
	}
	return out
}

// CheckEmbedding refuses a job whose vectors a model with hidden states of that width
// cannot give.
func CheckEmbedding(job *protocol.EmbeddingJob, width int) error {
	switch size := 4 * width * len(job.Inputs); {
	case job.Algorithm != protocol.EmbeddingAlgorithm:
		return protocol.Errorf(protocol.KindInvalid, "embedding.algorithm", "%q is unknown here: this program computes %q", job.Algorithm, protocol.EmbeddingAlgorithm)
	case job.Dimensions != 0 && job.Dimensions != width:
		return protocol.Errorf(protocol.KindInvalid, "dimensions", "are %d, this model's vectors have %d, and the first few of them would be no good vector: leave it out", job.Dimensions, width)
	case size > protocol.MaxEmbeddingBytes:
		return protocol.Errorf(protocol.KindInvalid, "input", "%d vectors of %d numbers take %d bytes, more than %d: send at most %d inputs together", len(job.Inputs), width, size, protocol.MaxEmbeddingBytes,
			protocol.MaxEmbeddingBytes/(4*width))
	}
	return nil
}

// embed computes an embedding's vectors on an engine of its own.
func (a Auditor) embed(ctx context.Context, job *protocol.EmbeddingJob) (out []float32, err error) {
	err = a.run(ctx, func(ctx context.Context, eng *engine.Engine) error {
		vectors, err := eng.Embed(ctx, engine.EmbedRequest{ID: "audit", Inputs: EmbeddingInputs(a.Tokenizer, job)})
		out = slices.Concat(vectors...)
		return err
	})
	return out, err
}

func compareVectors(want, got []float32) error {
	if len(want) != len(got) {
		return fmt.Errorf("the vectors have %d numbers, not %d", len(want), len(got))
	}
	for i := range want {
		if want[i] != got[i] {
			return fmt.Errorf("the vectors differ from number %d on", i)
		}
	}
	return nil
}
