package attrib

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

// ContextAlgorithm names how what an answer was given to read is weighed.
//
// Of each source: half of what the answer's log-probability drops when this source alone
// is left out (leave-one-out, as in ContextCite, Cohen-Wang et al. 2024), and half of what
// it gains when this source alone is put in. The first alone finds nothing when two
// sources say the same; both together are the Shapley value of up to two sources, and of
// any number whose effects add up. It takes 2n+2 passes over the prompt.
//
// A source counts as far as it lies above the noise, which is the largest harm that any
// source did, and at least 1/64 nat per token. Its weight is that part of the answer's
// surprisal without any source: what the sources do not explain is the pool's.
const ContextAlgorithm = "context-ends-v1"

// nat is one unit of log-probability in the fixed point of scores.
const nat = 1 << 16

// Weigher computes the log-probabilities. It is safe for concurrent use; one
// answer is weighed after the other.
type Weigher struct {
	model *llama.Model

	mu      sync.Mutex
	trainer *llama.Trainer
}

// NewWeigher makes a weigher over a model.
func NewWeigher(model *llama.Model) (*Weigher, error) {
	t, err := model.NewTrainer()
	if err != nil {
		return nil, err
	}
	return &Weigher{model: model, trainer: t}, nil
}

// Prompts gives the tokens of a job's prompt with some of its n sources: bit i of a set
// says that source i is there.
type Prompts func(set uint32) ([]uint32, error)

// Weigh attributes an answer to the sources of its retrievals. An empty answer is all the
// pools'. The adapter is nil for the bare base.
func (w *Weigher) Weigh(ctx context.Context, retrieval []protocol.Retrieval, prompts Prompts, output []uint32, adapter *lora.Adapter) ([]protocol.RetrievedShares, error) {
	n := 0
	for i := range retrieval {
		n += len(retrieval[i].Sources)
	}
	if n > protocol.MaxSources {
		return nil, protocol.Errorf(protocol.KindInvalid, "retrieval", "has %d sources, more than %d", n, protocol.MaxSources)
	}
	scores, surprisal := make([]int64, n), int64(0)
	if len(output) > 0 && n > 0 {
		w.mu.Lock()
		defer w.mu.Unlock()
		known := map[uint32]int64{}
		value := func(set uint32) (int64, error) {
			if v, ok := known[set]; ok {
				return v, nil
			}
			v, err := w.value(ctx, prompts, set, output, adapter)
			known[set] = v
			return v, err
		}
		all := uint32(1)<<n - 1
		for i := range n {
			one := uint32(1) << i
			var v [4]int64
			for k, set := range [4]uint32{all, all &^ one, one, 0} {
				var err error
				if v[k], err = value(set); err != nil {
					return nil, err
				}
			}
			scores[i] = v[0] - v[1] + v[2] - v[3] // twice the mean
		}
		surprisal = -2 * known[0]
	}
	weights := contextWeights(scores, surprisal, len(output))
	out := make([]protocol.RetrievedShares, len(retrieval))
	for i := range retrieval {
		r := &retrieval[i]
		out[i] = protocol.RetrievedShares{Algorithm: ContextAlgorithm, Datanet: r.Datanet, Root: r.Root, Price: r.Price, Pool: protocol.WeightScale}
		for k := range r.Sources {
			out[i].Shares = append(out[i].Shares, protocol.RecordShare{Record: r.Sources[k].Record, Contributor: r.Sources[k].Contributor, Weight: weights[k], Influence: scores[k]})
			out[i].Pool -= weights[k]
		}
		scores, weights = scores[len(r.Sources):], weights[len(r.Sources):]
		slices.SortFunc(out[i].Shares, func(x, y protocol.RecordShare) int {
			return cmp.Or(cmp.Compare(y.Weight, x.Weight), x.Record.Cmp(y.Record))
		})
	}
	return out, nil
}

// contextWeights are the sources' parts of WeightScale; surprisal is twice that of the
// answer without sources.
func contextWeights(scores []int64, surprisal int64, tokens int) []uint64 {
	cut := int64(tokens) * 2 * nat / 64
	for _, s := range scores {
		cut = max(cut, -s)
	}
	var sum int64
	for _, s := range scores {
		sum += max(0, s-cut)
	}
	weights := make([]uint64, len(scores))
	whole := max(sum, surprisal, 1)
	for i, s := range scores {
		if s > cut {
			weights[i] = mulDiv(protocol.WeightScale, uint64(s-cut), uint64(whole))
		}
	}
	return weights
}

// value is the answer's log-probability with a set of sources.
func (w *Weigher) value(ctx context.Context, prompts Prompts, set uint32, output []uint32, adapter *lora.Adapter) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	prompt, err := prompts(set)
	if err != nil {
		return 0, err
	}
	limit := w.model.Config().MaxPositions
	if len(prompt) == 0 || len(prompt) >= limit {
		return 0, protocol.Errorf(protocol.KindInvalid, "prompt", "has %d tokens: weighing sources needs 1 to %d", len(prompt), limit-1)
	}
	output = output[:min(len(output), limit-len(prompt))]
	example := llama.Example{Tokens: slices.Concat(prompt, output), Mask: make([]bool, len(prompt)+len(output))}
	for i := range output {
		example.Mask[len(prompt)+i] = true
	}
	loss, err := w.trainer.Loss([]llama.Example{example}, adapter)
	if err != nil {
		return 0, err
	}
	v := math.RoundToEven(-loss.Sum * nat)
	if !(math.Abs(v) < 1<<50) {
		return 0, protocol.Errorf(protocol.KindInternal, "", "the answer's log-probability is %v: it cannot be weighed", -loss.Sum)
	}
	return int64(v), nil
}
