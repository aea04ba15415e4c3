package scheduler

import "github.com/openledger/openledger/protocol"

// baseline chooses by one of the policies that we compare with. They send every
// job at once, queues are at the workers.
func (s *State) baseline(j *job) (*worker, verdict) {
	p := j.pool
	if len(p.heap) == 0 {
		return nil, missing
	}
	var w *worker
	key := mix(j.hash + uint64(j.attempt))
	switch s.cfg.Policy {
	case PolicyRandom:
		w = s.fromRing(j, key)
	case PolicyRoundRobin:
		p.rr++
		w = s.fromRing(j, p.rr)
	case PolicyPowerOfTwo:
		w = s.fromRing(j, key)
		if v := s.fromRing(j, mix(key)); v != nil && v.lessLoaded(w) {
			w = v
		}
	case PolicyBoundedHash:
		w = s.boundedHash(j)
	case PolicyLoRAAffinity:
		w = s.loraAffinity(j)
	default:
		w = s.leastLoaded(j)
	}
	if w == nil {
		return nil, missing
	}
	return w, found
}

// fromRing is the first worker able to take the job, from place k on.
func (s *State) fromRing(j *job, k uint64) *worker {
	ring := j.pool.ring
	at := int(k % uint64(len(ring)))
	for i := range ring {
		if w := ring[(at+i)%len(ring)]; s.blocked(w, j) == free {
			return w
		}
	}
	return nil
}

func (s *State) leastLoaded(j *job) *worker {
	var best *worker
	for _, w := range j.pool.heap {
		if s.blocked(w, j) == free && (best == nil || w.lessLoaded(best)) {
			best = w
		}
		if best != nil && best == j.pool.heap[0] {
			break
		}
	}
	return best
}

// boundedHash is the worker with the highest hash of worker and adapter whose
// load is within 1.25 of the average (rendezvous form of consistent hashing with
// bounded loads). The bare base hashes by job.
func (s *State) boundedHash(j *job) *worker {
	p := j.pool
	key := mix(j.sub.Adapter)
	if j.sub.Adapter == 0 {
		key = j.hash
	}
	var best, least *worker
	var bestScore uint64
	for _, w := range p.heap {
		if s.blocked(w, j) != free {
			continue
		}
		if least == nil || w.lessLoaded(least) {
			least = w
		}
		bound := (125*(p.load+1)*w.slots + 100*p.slots - 1) / (100 * p.slots)
		if w.load+w.foreign+1 > max(1, bound) {
			continue
		}
		if score := mix(key ^ w.hash); best == nil || score > bestScore {
			best, bestScore = w, score
		}
	}
	if best == nil {
		return least
	}
	return best
}

// loraAffinity scores as llm-d's LoRA-affinity scorer: the adapter is active 1.0,
// room for one more adapter 0.8, the adapter is being loaded 0.6, else 0; ties to
// the least loaded. An adapter slot per sequence slot is assumed.
func (s *State) loraAffinity(j *job) *worker {
	var best *worker
	bestScore := -1
	for _, w := range j.pool.heap {
		if s.blocked(w, j) != free {
			continue
		}
		score := 8
		if h := j.adapter.holder(w); j.adapter == nil || h != nil && h.tier == protocol.TierDevice && h.ready <= s.now {
			score = 10
		} else if distinct := w.distinctAdapters(); int64(distinct) >= w.slots {
			score = 0
			if h != nil && h.ready > s.now {
				score = 6
			}
		}
		if score > bestScore || score == bestScore && w.lessLoaded(best) {
			best, bestScore = w, score
		}
	}
	return best
}

func (w *worker) distinctAdapters() int {
	n := 0
	for i, j := range w.jobs {
		dup := j.sub.Adapter == 0 || j.sub.Training
		for _, k := range w.jobs[:i] {
			dup = dup || k.sub.Adapter == j.sub.Adapter
		}
		if !dup {
			n++
		}
	}
	return n
}
