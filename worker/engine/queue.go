package engine

import "slices"

// Cost of serving, in the unit that tenants are charged in: a token that is
// computed along with many others of a prompt is cheaper than one drawn alone.
const (
	promptCost = 1
	outputCost = 2
)

// fairQueue holds the waiting requests, by tenant, and says who is next.
//
// It is start-time fair queueing over the cost of what requests reserve: each
// tenant has a counter of the cost it was served; the tenant with the lowest is
// next, and within a tenant the oldest request. A request is charged when it is
// admitted, for all the tokens it may need, and gets back what it did not use. Who
// comes back from a pause starts from the present (vtime), so that nobody saves up;
// who leaves with a debt finds it again.
//
// So a tenant that floods the queue waits behind its own requests only: between two
// admissions of a tenant with work waiting, each other one gets at most its own
// share and one request more.
type fairQueue struct {
	tenants map[string]*tenant
	waiting []*tenant // those with jobs, in order of their arrival
	vtime   int64     // counter of the last one admitted, before its charge
	running int       // admitted and not ended
	n       int
}

type tenant struct {
	name    string
	counter int64
	jobs    []*job // oldest first
	running int

	at      int   // walk: next of jobs to look at
	skipped int64 // walk: cost of those passed over
}

func newFairQueue() fairQueue { return fairQueue{tenants: map[string]*tenant{}} }

// cost is what a job reserves.
func (j *job) cost() int64 { return promptCost*int64(j.prompt) + outputCost*int64(j.limit) }

func (q *fairQueue) push(j *job) {
	t := q.tenants[j.req.Tenant]
	if t == nil {
		t = &tenant{name: j.req.Tenant}
		q.tenants[j.req.Tenant] = t
	}
	if len(t.jobs) == 0 {
		t.counter = max(t.counter, q.vtime)
		q.waiting = append(q.waiting, t)
	}
	t.jobs = append(t.jobs, j)
	j.tenant = t
	q.n++
}

// walk starts to look at the jobs in fair order.
func (q *fairQueue) walk() {
	for _, t := range q.waiting {
		t.at, t.skipped = 0, 0
	}
}

// next is the next job of the walk, nil at its end. Unless take removes it, it
// counts as passed over: the walk goes on as if it had been admitted.
func (q *fairQueue) next() *job {
	var best *tenant
	for _, t := range q.waiting {
		if t.at == len(t.jobs) {
			continue
		}
		if best == nil || t.counter+t.skipped < best.counter+best.skipped ||
			t.counter+t.skipped == best.counter+best.skipped && t.jobs[t.at].seq < best.jobs[best.at].seq {
			best = t
		}
	}
	if best == nil {
		return nil
	}
	j := best.jobs[best.at]
	best.at++
	best.skipped += j.cost()
	return j
}

// take removes a waiting job, because it is admitted or has ended.
func (q *fairQueue) take(j *job) {
	t := j.tenant
	i := slices.Index(t.jobs, j)
	t.jobs = slices.Delete(t.jobs, i, i+1)
	q.n--
	if i < t.at {
		t.at--
		t.skipped -= j.cost()
	}
	if len(t.jobs) == 0 {
		i := slices.Index(q.waiting, t)
		q.waiting = slices.Delete(q.waiting, i, i+1)
		q.forget(t)
	}
}

// admit takes a job and charges its tenant.
func (q *fairQueue) admit(j *job) {
	t := j.tenant
	q.vtime = max(q.vtime, t.counter)
	t.counter += j.cost()
	t.running++
	q.running++
	q.take(j)
}

// end gives an admitted job's tenant back what the job reserved but did not use.
func (q *fairQueue) end(j *job, output int) {
	t := j.tenant
	t.counter -= outputCost * int64(j.limit-output)
	t.running--
	q.running--
	q.forget(t)
}

// forget drops a tenant whose counter tells nothing: it would start from vtime
// anyway, or nobody is left to compare it with.
func (q *fairQueue) forget(t *tenant) {
	if q.running == 0 && q.n == 0 {
		clear(q.tenants)
		q.vtime = 0
		return
	}
	if len(t.jobs) == 0 && t.running == 0 && t.counter <= q.vtime {
		delete(q.tenants, t.name)
	}
	// Debts of those who never came back, now and then.
	if len(q.tenants) > 64+4*(q.n+q.running) {
		for name, t := range q.tenants {
			if len(t.jobs) == 0 && t.running == 0 && t.counter <= q.vtime {
				delete(q.tenants, name)
			}
		}
	}
}

// each calls f with every waiting job; f may take it.
func (q *fairQueue) each(f func(*job)) {
	for _, t := range slices.Clone(q.waiting) {
		for _, j := range slices.Clone(t.jobs) {
			f(j)
		}
	}
}
