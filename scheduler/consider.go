package scheduler

// Consider says of every worker of a job's base whether it could have the job were it
// submitted now, as Explain does, ordered by worker; the one that would get it at once is
// Chosen. It changes nothing. It is nil where nobody serves the base.
func Consider(s *State, e Submit) []WhyNot {
	p := s.pools[e.Base]
	if p == nil {
		return nil
	}
	j := &job{id: e.Job, hash: s.hashOf(e.Job), sub: e, pool: p, queuedAt: s.now}
	j.setBudget()
	if e.Adapter != 0 && !e.Training {
		if j.adapter = s.adapters[e.Adapter]; j.adapter == nil {
			j.adapter = &adapter{tag: e.Adapter} // nobody has it
		}
	}
	var w *worker
	if e.Training {
		w, _ = s.chooseTrainer(j)
	} else {
		// A job that asks is waiting, and so counts as demand.
		p.waiting++
		defer func() { p.waiting-- }()
		if j.adapter != nil {
			j.adapter.waiting++
			defer func() { j.adapter.waiting-- }()
		}
		w, _, _ = s.choose(j)
	}
	list := s.whyNot(j)
	for i := range list {
		list[i].Chosen = w != nil && list[i].Worker == w.id
	}
	return list
}
