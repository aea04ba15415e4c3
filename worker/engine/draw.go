package engine

import (
	"fmt"
	"time"

	"github.com/openledger/openledger/worker/engine/sample"
)

// draw takes a job's next token from its logits.
func (l *loop) draw(j *job, logits []float32, now time.Time) {
	var mask sample.Mask
	if j.match != nil {
		var err error
		if mask, err = j.match.Mask(); err == nil && mask.Count() == 0 {
			err = fmt.Errorf("no token of this model can spell what its schema asks for next")
		}
		if err != nil {
			l.finish(j, "", fmt.Errorf("%w: sampling.format: %w", ErrInvalid, err))
			return
		}
	}
	id := j.sampler.Next(logits, len(j.output()), mask)
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

// ends says whether a token ends the output without being part of it.
func (l *loop) ends(j *job, id uint32) bool {
	return l.engine.stop[id] && (!j.req.Sampling.IgnoreEOS || j.match != nil)
}

// follow takes a token of the output into account, and says whether its format leaves
// nothing to follow.
func (j *job) follow(id uint32) (done bool, err error) {
	j.sampler.Accept(id)
	if j.match == nil {
		return false, nil
	}
	if err := j.match.Accept(id); err != nil {
		return false, fmt.Errorf("%w: sampling.format: %w", ErrInvalid, err)
	}
	return j.match.Done(), nil
}
