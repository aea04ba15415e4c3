package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/openledger/openledger/worker/engine/kvcache"
	"github.com/openledger/openledger/worker/engine/lora"
)

// How far admission looks beyond a request that can't be admitted now.
const (
	maxLook  = 256 // waiting requests in one round
	loadLook = 4   // requests whose adapters are loaded while all slots are taken
)

// admit lets jobs in, in fair order, as long as there is a slot, its adapter, and KV
// for all that the job may need.
//
// A job that does not fit yet lets others pass that do, but not for ever: when as
// many as fill a batch have overtaken it, it is the one that room is kept for. If KV
// is missing, nobody else is admitted until it fits: those that run end, since they
// hold all they need. If adapter memory is missing, nobody else gets any; who needs
// none, or has its adapter, still passes.
func (l *loop) admit() {
	l.dirty = false
	e := l.engine
	look := loadLook
	if r := l.reserved; r != nil {
		if err := l.try(r); err != nil && !l.waits(r, err) {
			l.refuse(r, err)
		}
	}
	l.blocked = l.blocked[:0]
	l.queue.walk()
	for range maxLook {
		j := l.queue.next()
		if j == nil {
			break
		}
		if r := l.reserved; r != nil {
			if r == j || r.adapterReady() || !j.adapterReady() && j.loads == nil {
				continue
			}
		}
		if len(l.running) >= e.cfg.MaxBatch {
			if look--; look < 0 {
				break
			}
			// Its turn comes soon: the adapter might as well be on its way.
			if err := e.adapters.want(j); err != nil && !l.waits(j, err) {
				l.refuse(j, err)
			}
			continue
		}
		err := l.try(j)
		switch {
		case err == nil:
			for _, b := range l.blocked {
				b.overtaken++
			}
		case l.waits(j, err):
			l.blocked = append(l.blocked, j)
		default:
			l.refuse(j, err)
		}
	}
	l.reserve()
}

// reserve keeps room for the oldest of those overtaken too often, if for nobody yet.
func (l *loop) reserve() {
	if l.reserved == nil {
		for _, j := range l.blocked {
			if j.overtaken >= l.engine.cfg.MaxBatch && (l.reserved == nil || j.seq < l.reserved.seq) {
				l.reserved = j
			}
		}
		if l.reserved != nil {
			l.engine.adapters.tier.Claim(l.reserved.req.Adapter)
		}
	}
	clear(l.blocked)
}

// unreserve ends a reservation with its job.
func (l *loop) unreserve(j *job) {
	if l.reserved == j {
		l.reserved = nil
		l.engine.adapters.tier.Claim("")
	}
}

func (j *job) adapterReady() bool { return j.adapter != nil || j.req.Adapter == "" }

var errNoSlot = errors.New("the batch is full")

// try admits one waiting job, or says why it can't be now or ever.
func (l *loop) try(j *job) error {
	e := l.engine
	if err := e.adapters.want(j); err != nil {
		return err
	}
	if len(l.running) >= e.cfg.MaxBatch {
		return errNoSlot
	}
	if j.pool != nil { // it needs every token's hidden state
		if err := l.kv.AdmitAlone(j.seq, j.prompt); err != nil {
			return err
		}
	} else {
		reused, err := l.kv.Admit(j.seq, j.adapter.kvKey(), j.input, j.prompt+j.limit)
		if err != nil {
			return err
		}
		j.done = reused
	}
	l.unreserve(j)
	l.queue.admit(j)
	e.left(j)
	j.admitted = time.Now()
	e.metrics.queue.Observe(j.admitted.Sub(j.queued).Seconds())
	if j.pool == nil {
		if reason, err := l.replay(j); reason != "" || err != nil {
			l.finish(j, reason, err)
			return nil
		}
	}
	l.running = append(l.running, j)
	return nil
}

// waits says whether a job that was not admitted may wait, and notes why it does.
func (l *loop) waits(j *job, err error) bool {
	var why string
	switch {
	case errors.Is(err, errLoading), errors.Is(err, errNoSlot), errors.Is(err, lora.ErrNoRoom):
		why = err.Error()
	case errors.Is(err, kvcache.ErrFull):
		kv := l.kv.Stats()
		why = fmt.Sprintf("KV cache: it needs up to %d tokens, %d of %d are free", j.prompt+j.limit, kv.FreeTokens(), l.engine.totalKV)
	default:
		return false
	}
	j.why.Store(&why)
	return true
}

// refuse ends a waiting job that can't be served.
func (l *loop) refuse(j *job, err error) {
	l.queue.take(j)
	l.engine.left(j)
	l.finish(j, "", err)
}

// late says that a job's deadline passed while it waited, and for what.
func (j *job) late() error {
	why := "its turn"
	if w := j.why.Load(); w != nil {
		why = *w
	}
	return fmt.Errorf("%w: after %.3f s it still waited for: %s", ErrDeadline, time.Since(j.queued).Seconds(), why)
}

// submit queues a job, unless the queue is full or too long for its deadline.
func (e *Engine) submit(j *job) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	w := e.waitingBy[j.req.Tenant]
	switch {
	case e.waiting >= e.cfg.MaxWaiting:
		e.metrics.refused.WithLabelValues("queue_full").Inc()
		return fmt.Errorf("%w: %d of %d: try again later", ErrBusy, e.waiting, e.cfg.MaxWaiting)
	case w.jobs >= e.cfg.MaxPerTenant:
		e.metrics.refused.WithLabelValues("tenant_queue_full").Inc()
		return fmt.Errorf("%w: %d of this tenant, at most %d may: let some end first", ErrBusy, w.jobs, e.cfg.MaxPerTenant)
	}
	if d := j.req.Deadline; !d.IsZero() {
		left := time.Until(d)
		if left <= 0 {
			e.metrics.refused.WithLabelValues("deadline").Inc()
			return fmt.Errorf("%w: it was %s ago", ErrDeadline, -left)
		}
		if wait := e.estimate(w.cost); wait > left {
			e.metrics.refused.WithLabelValues("deadline").Inc()
			return fmt.Errorf("%w: %d of this tenant and %d in all wait before it, which takes %s, its deadline is in %s: try again later, or allow more time",
				ErrBusy, w.jobs, e.waiting, wait.Round(time.Millisecond), left.Round(time.Millisecond))
		}
	}
	e.nextSeq++
	j.seq = e.nextSeq
	e.incoming = append(e.incoming, j)
	e.waiting++
	e.waitingCost += j.cost()
	w.jobs++
	w.cost += j.cost()
	e.waitingBy[j.req.Tenant] = w
	e.poke()
	return nil
}

// waitingOf is what one tenant has in the queue.
type waitingOf struct {
	jobs int
	cost int64
}

// estimate is how long a tenant with so much in the queue will wait at least, at the
// speed of late: its own queue at an even share of the engine, or the whole queue if
// that is shorter. What requests reserve beyond what they use is taken off.
func (e *Engine) estimate(own int64) time.Duration {
	if e.costPerSecond == 0 {
		return 0
	}
	ahead := min(float64(own)*float64(max(len(e.waitingBy), 1)), float64(e.waitingCost))
	return time.Duration(ahead * e.usedShare / e.costPerSecond * float64(time.Second))
}

// left says that a job waits no more.
func (e *Engine) left(j *job) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting--
	e.waitingCost -= j.cost()
	w := e.waitingBy[j.req.Tenant]
	w.jobs--
	w.cost -= j.cost()
	if e.waitingBy[j.req.Tenant] = w; w.jobs == 0 {
		delete(e.waitingBy, j.req.Tenant)
	}
}
