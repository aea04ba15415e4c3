package engine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// While two tenants both have work waiting, what they are served differs by no more
// than a request of each that is being served: whatever the sizes, however many
// requests one of them sends.
func TestTenantsShareByCost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const largest = promptCost*40 + outputCost*40
		q := newFairQueue()
		slots := rapid.IntRange(1, 3).Draw(t, "slots")
		tenants := rapid.IntRange(2, 4).Draw(t, "tenants")
		served := map[string]int64{} // since the measurement began
		waiting := map[string]int{}
		var running []*job
		seq := 0
		push := func(name string, prompt, limit int) {
			seq++
			j := &job{req: Request{Tenant: name}, prompt: prompt, limit: limit}
			j.seq = 0
			q.push(j)
			waiting[name]++
		}
		// Some history first, then everybody has more than enough waiting.
		for range rapid.IntRange(0, 30).Draw(t, "history") {
			push(fmt.Sprint(rapid.IntRange(0, tenants-1).Draw(t, "who")), 1+seq%40, 1+seq%17)
			if q.walk(); len(running) < slots {
				if j := q.next(); j != nil {
					q.admit(j)
					running = append(running, j)
				}
			} else {
				q.end(running[0], running[0].limit)
				running = running[1:]
			}
		}
		for i := range tenants {
			for range 400 {
				push(fmt.Sprint(i), rapid.IntRange(1, 40).Draw(t, "prompt"), rapid.IntRange(1, 40).Draw(t, "limit"))
			}
		}
		for range 200 {
			for len(running) < slots {
				q.walk()
				j := q.next()
				q.admit(j)
				running = append(running, j)
				served[j.req.Tenant] += j.cost()
				for a := range tenants {
					for b := range tenants {
						// From the start of the measurement each may be a request ahead or behind.
						if d := served[fmt.Sprint(a)] - served[fmt.Sprint(b)]; seq > 400*tenants+30 && d > 4*largest*int64(slots+1) {
							t.Fatalf("tenant %d was served %d more than %d", a, d, b)
						}
					}
				}
			}
			q.end(running[0], running[0].limit)
			running = running[1:]
		}
		lo, hi := served["0"], served["0"]
		for i := range tenants {
			lo, hi = min(lo, served[fmt.Sprint(i)]), max(hi, served[fmt.Sprint(i)])
		}
		if hi-lo > 4*largest*int64(slots+1) {
			t.Fatalf("served %v", served)
		}
	})
}

func TestNobodySavesUpAndDebtsAreRemembered(t *testing.T) {
	q := newFairQueue()
	seq := 0
	push := func(name string, n int) {
		for range n {
			seq++
			j := &job{req: Request{Tenant: name}, prompt: 10, limit: 10}
			j.seq = 0
			q.push(j)
		}
	}
	serve := func() string {
		q.walk()
		j := q.next()
		q.admit(j)
		q.end(j, j.limit)
		return j.req.Tenant
	}
	push("a", 30)
	for range 10 {
		serve()
	}
	push("b", 10) // it was away: it gets every second turn from now on, not ten at once
	got := ""
	for range 8 {
		got += serve()
	}
	require.Equal(t, 4, count(got, 'b'), got)

	// What was reserved and not used is given back.
	q = newFairQueue()
	push("a", 4)
	push("b", 4)
	got = ""
	for range 6 {
		q.walk()
		j := q.next()
		q.admit(j)
		used := j.limit
		if j.req.Tenant == "a" {
			used = 0 // a third of the cost
		}
		q.end(j, used)
		got += j.req.Tenant
	}
	require.Equal(t, 4, count(got, 'a'), got)
}

func count(s string, c rune) (n int) {
	for _, r := range s {
		if r == c {
			n++
		}
	}
	return n
}

func TestQueueForgetsTenants(t *testing.T) {
	q := newFairQueue()
	for i := range 10_000 {
		j := &job{req: Request{Tenant: fmt.Sprint(i)}, prompt: 1 + i%7, limit: 3}
		q.push(j)
		if i%3 == 0 {
			q.take(j) // cancelled
			continue
		}
		q.admit(j)
		if i > 0 { // the first one runs for ever, so that it is never idle
			q.end(j, 3)
		}
		require.Less(t, len(q.tenants), 200)
	}
	require.Zero(t, q.n)
}
