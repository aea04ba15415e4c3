package scheduler

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/openledger/openledger/protocol"
)

// Weights of the virtual token counter: a generated token costs its worker more
// than one that is read.
const (
	inputWeight  = 1
	outputWeight = 2
)

// tenant is one requester's line in one pool. The waiting tenant with the
// smallest counter of tokens served goes first; one that comes back after a pause
// starts at the counter now being served, so idling saves up nothing.
type tenant struct {
	id       protocol.Account
	counter  int64
	jobs     []*job // waiting, in order of submission
	inFlight int
}

func tenantOrder(a, b *tenant) int {
	if c := cmp.Compare(a.counter, b.counter); c != 0 {
		return c
	}
	return bytes.Compare(a.id[:], b.id[:])
}

func (p *pool) tenant(id protocol.Account) *tenant {
	t := p.tenants[id]
	if t == nil {
		t = &tenant{id: id}
		p.tenants[id] = t
	}
	return t
}

// enqueue adds a job to its tenant's line by submission order, so that a job
// that lost its worker goes before later ones.
func (s *State) enqueue(j *job) {
	p := j.pool
	s.queued++
	j.queuedAt = s.now
	j.missing = 0
	if j.sub.Training {
		i, _ := slices.BinarySearchFunc(p.train, j, jobOrder)
		p.train = slices.Insert(p.train, i, j)
		return
	}
	p.waiting++
	if j.adapter != nil {
		j.adapter.waiting++
	}
	t := j.tenant
	if len(t.jobs) == 0 {
		if t.inFlight == 0 {
			t.counter = max(t.counter, p.vtime)
		}
		i, _ := slices.BinarySearchFunc(p.active, t, tenantOrder)
		p.active = slices.Insert(p.active, i, t)
	}
	i, _ := slices.BinarySearchFunc(t.jobs, j, jobOrder)
	t.jobs = slices.Insert(t.jobs, i, j)
}

func jobOrder(a, b *job) int { return cmp.Compare(a.seq, b.seq) }

func (s *State) dequeue(j *job) {
	p := j.pool
	s.queued--
	if j.sub.Training {
		if i, ok := slices.BinarySearchFunc(p.train, j, jobOrder); ok {
			p.train = slices.Delete(p.train, i, i+1)
		}
		return
	}
	p.waiting--
	if j.adapter != nil {
		j.adapter.waiting--
	}
	t := j.tenant
	if i, ok := slices.BinarySearchFunc(t.jobs, j, jobOrder); ok {
		t.jobs = slices.Delete(t.jobs, i, i+1)
	}
	if len(t.jobs) == 0 {
		if i, ok := slices.BinarySearchFunc(p.active, t, tenantOrder); ok {
			p.active = slices.Delete(p.active, i, i+1)
		}
	}
}

// charge moves a tenant back in the order by the tokens served to it.
func (p *pool) charge(t *tenant, tokens int64) {
	if len(t.jobs) == 0 {
		t.counter += tokens
		return
	}
	i, _ := slices.BinarySearchFunc(p.active, t, tenantOrder)
	p.active = slices.Delete(p.active, i, i+1)
	t.counter += tokens
	i, _ = slices.BinarySearchFunc(p.active, t, tenantOrder)
	p.active = slices.Insert(p.active, i, t)
}

// maxIdleTenants bounds how many tenants are remembered for the tokens that they
// are ahead.
const maxIdleTenants = 1 << 14

// dropTenant forgets a tenant with nothing waiting or in flight, unless it is
// ahead of what is being served and would gain by being forgotten.
func (p *pool) dropTenant(t *tenant) {
	if len(t.jobs) > 0 || t.inFlight > 0 {
		return
	}
	if t.counter <= p.vtime || len(p.tenants) == 1 {
		delete(p.tenants, t.id)
		return
	}
	if p.idle++; p.idle < maxIdleTenants {
		return
	}
	p.idle = 0
	for id, t := range p.tenants { // what stays does not depend on the order
		if len(t.jobs) == 0 && t.inFlight == 0 {
			delete(p.tenants, id)
		}
	}
}
