package finetune

import (
	"context"
	"math"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
)

// Evaluation is what the adapter of some step makes of the held-out examples.
type Evaluation struct {
	Step     int     // 0: before the first, so of the base alone
	Loss     float64 // mean over the tokens of all answers
	Exact    int     // answers that greedy decoding would give word for word, with their end
	Examples int
}

// judge decides which adapter is the best so far, and when it is time to stop. All
// of it is in the checkpoint.
type judge struct {
	curve      []Evaluation // from the base's on
	last, best Evaluation
	worse      int       // evaluations since the best one
	flat       []float32 // adapter of the best one; nil before the first
}

// MaxCurve bounds the evaluations that are kept of a training.
const MaxCurve = 1000

// take notes an evaluation of the adapter as it is now. That of the base is no
// candidate for the best one: it is what the others are measured against.
func (j *judge) take(e Evaluation, a *lora.Adapter) {
	j.last = e
	if len(j.curve) == MaxCurve { // every other one draws the same curve; the base's stays the first
		for i := range MaxCurve / 2 {
			j.curve[i] = j.curve[2*i]
		}
		j.curve = j.curve[:MaxCurve/2]
	}
	j.curve = append(j.curve, e)
	if e.Step == 0 {
		return
	}
	if j.flat != nil && !(e.Loss < j.best.Loss) {
		j.worse++
		return
	}
	j.best, j.worse = e, 0
	j.flat = append(j.flat[:0], a.Flat...)
}

// newest is the last evaluation, nil before the first.
func (j *judge) newest() *Evaluation {
	if len(j.curve) == 0 {
		return nil
	}
	e := j.last
	return &e
}

// due says whether the adapter of this step is still to be evaluated: before the first,
// at every so many steps, and at the end.
func (t *trainer) due() bool {
	if len(t.held) == 0 {
		return false
	}
	if len(t.judge.curve) == 0 {
		return t.step == 0
	}
	if t.judge.last.Step == t.step {
		return false
	}
	return t.step%t.evalSteps == 0 || t.step == t.steps
}

// stopped says whether the training ends here: because all steps are done, or
// because the held-out loss has not fallen for too long.
func (t *trainer) stopped() bool {
	return t.step == t.steps || (t.cfg.Patience > 0 && t.judge.worse >= t.cfg.Patience)
}

// evaluate scores the held-out examples; when ctx ends it leaves everything as it was.
func (t *trainer) evaluate(ctx context.Context) error {
	e := Evaluation{Step: t.step, Examples: len(t.held)}
	var sum float64
	tokens := 0
	for rest := t.held; len(rest) > 0; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n := pass(rest, t.passTokens)
		l, err := t.model.Score(rest[:n], t.adapter)
		if err != nil {
			return err
		}
		for _, x := range l.PerExample { // one by one, so that the sum does not depend on the passes
			sum += x.Sum
			tokens += x.Tokens
			if x.Right == x.Tokens {
				e.Exact++
			}
		}
		rest = rest[n:]
	}
	e.Loss = sum / float64(tokens)
	if math.IsNaN(e.Loss) {
		return &FieldError{Field: "learning_rate", Message: "the training diverged: choose a smaller one"}
	}
	t.judge.take(e, t.adapter)
	return nil
}

// pass says how many of the examples go into one pass: as many as have about limit tokens together, at least one. They
// lie in it one after the other, without padding, and do not see each other.
func pass(examples []llama.Example, limit int) int {
	n, tokens := 0, 0
	for n < len(examples) && (n == 0 || tokens+len(examples[n].Tokens) <= limit) {
		tokens += len(examples[n].Tokens)
		n++
	}
	return n
}

// finish puts the best adapter in place of the last.
func (t *trainer) finish() {
	if t.judge.flat != nil {
		copy(t.adapter.Flat, t.judge.flat)
	}
}
