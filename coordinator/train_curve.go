package coordinator

import (
	"fmt"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// phase is what the job's worker does now.
func (t *liveTraining) phase() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status.Progress.Phase
}

// note adds an event to the job's log.
func (t *liveTraining) note(message string) {
	t.update(func(s *api.TrainingStatus) { noteEvent(s, message) })
}

func noteEvent(s *api.TrainingStatus, message string) {
	if len(s.Events) == maxEvents {
		s.Events = append([]api.TrainingNote(nil), s.Events[maxEvents/2:]...) // snapshots share the old list
	}
	s.Events = append(s.Events, api.TrainingNote{At: now(), Message: message})
}

// phaseWords say what begins with a phase.
var phaseWords = map[string]string{
	"fetch": "fetches the records", "train": "learns", "merge": "merges the adapters", "evaluate": "answers held-out records, as the base does and as the adapter does",
	"index": "indexes the records", "publish": "publishes the adapter", "register": "registers the adapter on the chain",
}

// progressed takes a report of the worker into the curves and the log. One that goes on from
// a checkpoint reports some steps again, to the same bits: what is known already stays.
func (t *liveTraining) progressed(p protocol.TrainingProgress) {
	t.update(func(s *api.TrainingStatus) {
		if words := phaseWords[p.Phase]; p.Phase != s.Progress.Phase && words != "" {
			noteEvent(s, words)
		}
		if p.Phase == "train" && p.Step > last(s.Steps) && len(s.Losses) < maxLosses {
			s.Losses, s.Steps = append(s.Losses, p.Loss), append(s.Steps, p.Step)
		}
		if e := p.Eval; e != nil && p.Phase == "train" && len(s.Evals) < maxEvals && (len(s.Evals) == 0 || e.Step > s.Evals[len(s.Evals)-1].Step) {
			s.Evals = append(s.Evals, *e)
			where := fmt.Sprintf("at step %d", e.Step)
			if e.Step == 0 {
				where = "before the first step"
			}
			noteEvent(s, fmt.Sprintf("%s: held-out loss %.4f, %d of %d held-out answers exact", where, e.Loss, e.Exact, e.Records))
		}
		s.Progress = p
	})
}

func last(steps []int) int {
	if len(steps) == 0 {
		return 0
	}
	return steps[len(steps)-1]
}
