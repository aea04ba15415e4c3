package attrib

import (
	"context"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

// partway is where gradients are taken: at the adapter with its change scaled by
// this factor. At the adapter itself a record that was learned by heart has next
// to no gradient, and what is left of it says little about what taught the model
// an answer; on the way there it says much (TestLDS: 0.77 against 0.25). Part of
// the algorithm's name.
const partway = 0.25

// differ takes the gradient of the loss on an answer by an adapter's parameters.
type differ struct {
	trainer *llama.Trainer
	adapter *lora.Adapter
	grads   *lora.Grads
	limit   int // tokens of prompt and answer together

	tokens []uint32
	mask   []bool
}

func newDiffer(model *llama.Model, adapter *lora.Adapter, limit int) (*differ, error) {
	adapter = adapter.Clone()
	for _, p := range adapter.Pairs {
		for j := range p.B {
			p.B[j] *= partway
		}
	}
	t, err := model.NewTrainer()
	if err != nil {
		return nil, err
	}
	d := &differ{trainer: t, adapter: adapter, grads: lora.NewGrads(adapter), limit: model.Config().MaxPositions}
	if limit > 0 {
		d.limit = min(d.limit, limit)
	}
	return d, nil
}

// gradient is valid until the next call. Of an answer that does not fit only the
// beginning counts, as in training.
func (d *differ) gradient(ctx context.Context, prompt, answer []uint32) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(prompt) == 0 || len(prompt) >= d.limit {
		return nil, protocol.Errorf(protocol.KindInvalid, "prompt", "has %d tokens: attribution needs 1 to %d", len(prompt), d.limit-1)
	}
	answer = answer[:min(len(answer), d.limit-len(prompt))]
	d.tokens = append(append(d.tokens[:0], prompt...), answer...)
	d.mask = d.mask[:0]
	for i := range d.tokens {
		d.mask = append(d.mask, i >= len(prompt))
	}
	clear(d.grads.Flat)
	_, err := d.trainer.LossGrad([]llama.Example{{Tokens: d.tokens, Mask: d.mask}}, llama.GradOptions{
		Adapter: d.adapter, AdapterGrads: d.grads,
	})
	return d.grads.Flat, err
}
