package sample

import "github.com/openledger/openledger/worker/engine/tensor"

// LogProb is a token with the natural logarithm of its probability.
type LogProb struct {
	ID      uint32
	LogProb float32
}

// MaxTopLogProbs bounds the alternatives of one position.
const MaxTopLogProbs = 20

// minLogProb stands for "as good as impossible": JSON has no infinity.
const minLogProb = -9999

// LogProbs gives the log-probability of a token and those of the n most likely ones,
// appended to top, the likeliest first. They are those of the model itself:
// log softmax(logits), before penalties, bias, mask, temperature and filters. The sum is
// taken in float64 in the order of ids and the result rounded to float32 once, so that
// it is the same wherever the logits are.
func LogProbs(top []LogProb, logits []float32, id uint32, n int, scratch *Scratch) (LogProb, []LogProb) {
	m := float64(logits[Argmax(logits)])
	var sum float64
	for _, l := range logits {
		sum += expNeg(float64(l) - m)
	}
	log := tensor.Log(sum)
	of := func(id uint32) LogProb {
		v := (float64(logits[id]) - m) - log
		if !(v >= minLogProb) { // NaN, too
			v = minLogProb
		}
		return LogProb{ID: id, LogProb: float32(v)}
	}
	if n > 0 {
		scratch.cand = mostLikely(scratch.cand[:0], logits, n)
		for _, c := range scratch.cand {
			top = append(top, of(c.id))
		}
	}
	return of(id), top
}
