package scheduler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openledger/openledger/protocol"
)

// Explain says for every worker of the job's base why it has or has not got the
// job, as things stand now, ordered by worker. It is nil for an unknown or
// finished job.
func Explain(s *State, id protocol.Hash) []WhyNot {
	j := s.jobs[id]
	if j == nil {
		return nil
	}
	return s.whyNot(j)
}

func (s *State) whyNot(j *job) []WhyNot {
	var homes []*worker
	if j.adapter != nil && len(j.pool.ring) > 0 {
		homes = s.homesOf(j.pool, j.adapter)
		s.link = j.pool.linkCost(s.now)
	}
	list := []WhyNot{}
	for _, w := range s.workers {
		if w == j.worker || w.ann.Base == j.sub.Base {
			list = append(list, s.explain(j, w, homes))
		}
	}
	slices.SortFunc(list, func(a, b WhyNot) int { return strings.Compare(string(a.Worker), string(b.Worker)) })
	return list
}

func (s *State) explain(j *job, w *worker, homes []*worker) WhyNot {
	y := WhyNot{Worker: w.id, Chosen: w == j.worker}
	if y.Chosen {
		y.Eligible = true
		y.Score = j.estimate
		y.Reason = fmt.Sprintf("has the job since %d, attempt %d, %d tokens delivered", j.dispatched, j.attempt, j.tokens)
		return y
	}
	switch s.blocked(w, j) {
	case notListed:
		y.Reason = "is not listed: its announcement expired or it went away"
	case quarantined:
		y.Reason = fmt.Sprintf("failed %d jobs in a row and is left alone until %d", w.inRow, w.quarantine)
	case excluded:
		y.Reason = "failed this job before, or said that it is busy"
	case wrongProfile:
		y.Reason = fmt.Sprintf("runs the numeric profile %q, the job needs %q", w.ann.Profile, j.sub.Profile)
	case noRoom:
		room := w.totalKV
		if room >= j.sub.least() { // it has nothing to do, and less than that
			room = w.freeKV
		}
		y.Reason = fmt.Sprintf("has room for %d tokens in its KV cache, the job needs %d", room, j.sub.least())
	case tooDear:
		y.Reason = "its price is over the escrow that is free for the job"
	case noTraining:
		y.Reason = "does not accept training jobs"
	default:
		s.explainScore(&y, j, w, homes)
	}
	return y
}

func (s *State) explainScore(y *WhyNot, j *job, w *worker, homes []*worker) {
	if j.sub.Training {
		y.Eligible = w.training == nil
		y.Reason = "is free to train, another one was less loaded"
		if !y.Eligible {
			y.Reason = "is training already"
		}
		return
	}
	h := j.adapter.holder(w)
	rank := len(homes)
	if i := slices.Index(homes, w); i >= 0 {
		rank = i
	}
	est := s.estimate(w, j, h)
	y.FirstToken = est
	y.Score = est + s.terms(w, j, h, rank)
	at := "needs no adapter"
	if j.adapter != nil {
		at = "has to fetch the adapter"
		if h != nil {
			at = "has the adapter " + [...]string{"on the device", "in host memory", "on disk", "nowhere near"}[min(h.tier, 3)]
			if h.ready > s.now {
				at = fmt.Sprintf("will have the adapter at %d", h.ready)
			}
		}
	}
	y.Eligible = !s.noPlace(w, j)
	load := w.load + w.foreign
	switch {
	case !w.fits(j):
		y.Reason = fmt.Sprintf("%s; has %d tokens of KV cache left now, the job needs %d", at, w.freeKV, w.takes(j))
	case !y.Eligible:
		y.Reason = fmt.Sprintf("%s; is full: %d jobs, at most %d", at, load, s.bound(j.pool, w))
	default:
		y.Reason = fmt.Sprintf("%s; %d jobs on %d slots; first token in about %d ms", at, load, w.slots, est/1000)
	}
}
