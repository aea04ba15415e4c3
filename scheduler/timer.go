package scheduler

// timer belongs to one job or one worker. It may fire early: whoever owns it
// looks at its own deadlines and sets it again.
type timer struct {
	at  int64
	key uint64 // breaks ties: submission or creation order
	pos int    // in the heap, plus 1; 0: not set
	job *job
	w   *worker
}

type timerHeap []*timer

func (t *timer) before(u *timer) bool {
	if t.at != u.at {
		return t.at < u.at
	}
	if (t.job == nil) != (u.job == nil) {
		return t.job == nil
	}
	return t.key < u.key
}

// set makes t due at or before at.
func (h *timerHeap) set(t *timer, at int64) {
	switch {
	case t.pos == 0:
		t.at = at
		*h = append(*h, t)
		t.pos = len(*h)
		h.up(t.pos - 1)
	case at < t.at:
		t.at = at
		h.up(t.pos - 1)
	}
}

func (h *timerHeap) remove(t *timer) {
	if t.pos == 0 {
		return
	}
	i, last := t.pos-1, len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	t.pos = 0
	if i < last {
		h.down(i)
		h.up(i)
	}
}

func (h timerHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i+1, j+1
}

func (h timerHeap) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if !h[i].before(h[p]) {
			return
		}
		h.swap(i, p)
		i = p
	}
}

func (h timerHeap) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1].before(h[c]) {
			c++
		}
		if !h[c].before(h[i]) {
			return
		}
		h.swap(i, c)
		i = c
	}
}

// tick fires every timer that is due.
func (s *State) tick() {
	for len(s.timers) > 0 && s.timers[0].at <= s.now {
		t := s.timers[0]
		s.timers.remove(t)
		if t.job != nil {
			s.jobTimer(t.job)
		} else {
			s.workerTimer(t.w)
		}
	}
}
