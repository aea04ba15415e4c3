package scheduler

import (
	"fmt"
	"slices"
)

// check walks the whole state and compares every index with what it indexes.
func check(s *State) error {
	queued, running, training := 0, 0, 0
	waitingPer := map[*pool]int64{}
	adWaiting, adFlight := map[*adapter]int64{}, map[*adapter]int{}
	for _, j := range s.jobs {
		if j.timer.pos == 0 {
			return fmt.Errorf("job %x has no deadline", j.id[:2])
		}
		if j.worker == nil {
			queued++
			if !j.sub.Training {
				waitingPer[j.pool]++
				if !slices.Contains(j.tenant.jobs, j) {
					return fmt.Errorf("job %x is in no line", j.id[:2])
				}
				if j.adapter != nil {
					adWaiting[j.adapter]++
				}
			}
			continue
		}
		running++
		if j.sub.Training {
			training++
		} else if j.adapter != nil {
			adFlight[j.adapter]++
		}
		if n := count(j.worker.jobs, j); n != 1 {
			return fmt.Errorf("job %x is %d times on its worker", j.id[:2], n)
		}
	}
	if queued != s.queued || running != s.running || training != s.training {
		return fmt.Errorf("counts %d %d %d, want %d %d %d", s.queued, s.running, s.training, queued, running, training)
	}
	for _, w := range s.workers {
		var load, prefill int64
		for _, j := range w.jobs {
			if j.worker != w || s.jobs[j.id] != j {
				return fmt.Errorf("worker %s keeps a job that is not its own", w.id)
			}
			if j.sub.Training {
				continue
			}
			load++
			if !j.started {
				prefill += j.reads
			}
		}
		if load != w.load || prefill != w.prefill {
			return fmt.Errorf("worker %s: load %d prefill %d, want %d %d", w.id, w.load, w.prefill, load, prefill)
		}
		for _, at := range w.stalls {
			if at > s.now && !slices.ContainsFunc(w.jobs, func(j *job) bool { return j.stalled == at && !j.started }) {
				return fmt.Errorf("worker %s: nobody stalls until %d", w.id, at)
			}
		}
		if w.listed != (w.heapPos >= 0) {
			return fmt.Errorf("worker %s: listed %v at %d", w.id, w.listed, w.heapPos)
		}
		for _, tag := range w.tags {
			if s.adapters[tag].holder(w) == nil {
				return fmt.Errorf("worker %s is no holder of %d", w.id, tag)
			}
		}
	}
	for _, a := range s.adapters {
		if a.waiting != adWaiting[a] || a.inFlight != adFlight[a] {
			return fmt.Errorf("adapter %d: waiting %d in flight %d, want %d %d", a.tag, a.waiting, a.inFlight, adWaiting[a], adFlight[a])
		}
		if len(a.holders) == 0 && a.waiting == 0 && a.inFlight == 0 {
			return fmt.Errorf("adapter %d is kept for nothing", a.tag)
		}
		for _, h := range a.holders {
			if _, ok := slices.BinarySearch(h.w.tags, a.tag); !ok {
				return fmt.Errorf("holder %s of %d does not know", h.w.id, a.tag)
			}
		}
	}
	for _, p := range s.pools {
		var slots, load int64
		for i, w := range p.heap {
			slots += w.slots
			load += w.load + w.foreign
			if w.heapPos != i || i > 0 && w.lessLoaded(p.heap[(i-1)/2]) {
				return fmt.Errorf("heap of a pool is out of order at %d", i)
			}
		}
		if slots != p.slots || load != p.load || waitingPer[p] != p.waiting || len(p.ring) != len(p.heap) {
			return fmt.Errorf("pool sums: slots %d/%d load %d/%d waiting %d/%d", p.slots, slots, p.load, load, p.waiting, waitingPer[p])
		}
		if !slices.IsSortedFunc(p.ring, ringOrder) || !slices.IsSortedFunc(p.active, tenantOrder) {
			return fmt.Errorf("ring or line of tenants is out of order")
		}
		for _, t := range p.active {
			if len(t.jobs) == 0 {
				return fmt.Errorf("tenant without jobs is in line")
			}
		}
	}
	for i, t := range s.timers {
		if t.pos != i+1 || i > 0 && t.before(s.timers[(i-1)/2]) {
			return fmt.Errorf("timers are out of order at %d", i)
		}
	}
	return nil
}

func count(list []*job, j *job) int {
	n := 0
	for _, k := range list {
		if k == j {
			n++
		}
	}
	return n
}
