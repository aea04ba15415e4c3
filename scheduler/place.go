package scheduler

import (
	"fmt"

	"github.com/openledger/openledger/protocol"
)

// recheckMS is after how long a waiting job looks for a place by itself, at first.
const recheckMS = 20

// verdict is the outcome of looking for a worker.
type verdict uint8

const (
	found   verdict = iota
	hold            // a better place will be free soon, or everything is full
	missing         // no worker listed could ever take it
)

// place gives waiting jobs to workers: tenants in fair order, a few jobs of each,
// so that one job without a place does not hold up the others, except when it is
// starving.
func (s *State) place(p *pool) { s.placeFreed(p, nil) }

// placeFreed is place after w lost a job: those who wait for other workers by
// choice need not look again.
func (s *State) placeFreed(p *pool, w *worker) {
	s.placeTraining(p)
	s.seq++
	round := s.seq
	for budget := s.cfg.Lookahead; len(p.active) > 0 && budget > 0; {
		if s.cfg.Policy == PolicyAffinity && len(p.heap) > 0 && s.full(p) {
			return
		}
		j := s.nextWaiting(p, w, round)
		if j == nil {
			return
		}
		j.tried = round
		if !s.try(j) {
			budget--
		}
		if p.blocked != nil {
			return
		}
	}
}

// nextWaiting gives the first job in fair order that this round has not tried.
func (s *State) nextWaiting(p *pool, w *worker, round uint64) *job {
	if p.blocked != nil {
		if p.blocked.tried == round {
			return nil
		}
		return p.blocked
	}
	looked := 0
	for _, t := range p.active {
		for _, j := range t.jobs[:min(len(t.jobs), 4)] {
			waits := w != nil && j.held && j.recheck > s.now && j.adapter.holder(w) == nil
			if j.tried != round && !waits {
				return j
			}
			j.tried = round
			if looked++; looked > 4*s.cfg.Lookahead {
				return nil
			}
		}
	}
	return nil
}

func (s *State) placeTraining(p *pool) {
	for i := 0; i < len(p.train); {
		n := len(p.train)
		s.try(p.train[i])
		if len(p.train) == n {
			i++
		}
	}
}

// try dispatches a waiting job if there is a place for it, and says whether the
// job left the queue.
func (s *State) try(j *job) bool {
	var w *worker
	var est int64
	var v verdict
	switch {
	case j.sub.Training:
		w, v = s.chooseTrainer(j)
	case s.cfg.Policy == PolicyAffinity:
		w, est, v = s.choose(j)
	default:
		w, v = s.baseline(j)
		if v == found {
			est = s.estimate(w, j, j.adapter.holder(w))
		}
	}
	switch v {
	case found:
		s.dispatch(j, w, est)
		return true
	case missing:
		if j.missing == 0 {
			j.missing = max(1, s.now)
		}
		if s.now-j.missing >= s.cfg.NoWorkerGraceMS || s.cfg.NoWorkerGraceMS < 0 {
			kind, why := s.whyMissing(j)
			s.refuse(j, kind, why)
			return true
		}
	default:
		j.missing = 0
		if s.cfg.StarveMS > 0 && s.now-j.queuedAt >= s.cfg.StarveMS && !j.sub.Training && j.pool.blocked == nil {
			j.pool.blocked = j
		}
	}
	j.recheck = s.nextLook(j)
	s.touchJob(j)
	return false
}

// nextLook is when a waiting job looks for a place by itself again: less and less
// often.
func (s *State) nextLook(j *job) int64 { return s.now + recheckMS + (s.now-j.queuedAt)/4 }

// block says why a worker may not take a job whatever its load.
type block uint8

const (
	free block = iota
	notListed
	quarantined
	excluded
	wrongProfile
	noRoom
	tooDear
	noTraining
	blocks
)

func (s *State) blocked(w *worker, j *job) block {
	switch {
	case !w.listed || w.pool != j.pool || w.expires <= s.now:
		return notListed
	case len(j.excluded) > 0 && j.excludes(w, s.now):
		return excluded
	case w.quarantine > s.now:
		return quarantined
	case j.sub.Profile != "" && j.sub.Profile != w.ann.Profile:
		return wrongProfile
	case j.sub.Training:
		if !w.ann.Trains {
			return noTraining
		}
		return free
	case w.totalKV < j.sub.least() || !w.fits(j) && w.load+w.foreign == 0:
		return noRoom
	case !w.affordable(j, w.fee(j)):
		return tooDear
	}
	return free
}

// tooLong says that no worker's KV cache is large enough.
func tooLong(tokens int64) string {
	return fmt.Sprintf("%d tokens do not fit any worker's KV cache: shorten the prompt, or ask for fewer tokens", tokens)
}

// whyMissing sums up why no worker can take a job.
func (s *State) whyMissing(j *job) (protocol.Kind, string) {
	var n [blocks]int
	for _, w := range j.pool.heap {
		n[s.blocked(w, j)]++
	}
	switch {
	case len(j.pool.heap) == 0 && j.lastWhy != "":
		return protocol.KindUnavailable, fmt.Sprintf("no worker that serves the base model is left; the last one: %s", j.lastWhy)
	case len(j.pool.heap) == 0:
		return protocol.KindUnavailable, "no worker serves the base model: start one, or wait for its announcement"
	case n[excluded] > 0:
		return protocol.KindUnavailable, fmt.Sprintf("every worker within reach failed the job (%d), the last one: %s", n[excluded], j.lastWhy)
	case n[tooDear] > 0:
		most := j.sub.most()
		return protocol.KindEscrow, fmt.Sprintf("no worker's price (%d asked) fits the %s wei of free escrow: deposit more, or ask for fewer tokens", n[tooDear], most.Dec())
	case n[noRoom] == len(j.pool.heap): // it is the request that must change
		return protocol.KindInvalid, tooLong(j.sub.least())
	case n[noRoom] > 0:
		return protocol.KindUnavailable, tooLong(j.sub.least())
	case n[noTraining] > 0:
		return protocol.KindUnavailable, "no worker of this base model accepts training jobs"
	case n[wrongProfile] > 0:
		return protocol.KindUnavailable, fmt.Sprintf("no worker runs the numeric profile %q", j.sub.Profile)
	case n[quarantined] > 0:
		return protocol.KindUnavailable, "every worker failed several jobs in a row and is left alone for a while: try again later"
	}
	return protocol.KindUnavailable, "no worker can take the job: try again later"
}
