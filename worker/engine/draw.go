package engine

import (
	"time"

	"github.com/openledger/openledger/worker/engine/sample"
)

// draw takes a job's next token from its logits.
func (l *loop) draw(j *job, logits []float32, now time.Time) {
	id := j.sampler.Next(logits, len(j.output()), nil)
	var lp *LogProbs
	if s := &j.req.Sampling; s.LogProbs {
		lp = &LogProbs{}
		if s.TopLogProbs > 0 {
			lp.Top = make([]sample.LogProb, 0, s.TopLogProbs)
		}
		lp.Chosen, lp.Top = sample.LogProbs(lp.Top, logits, id, s.TopLogProbs, &l.engine.scratch)
	}
	l.emit(j, id, lp, now)
}
