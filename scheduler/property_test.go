package scheduler

import (
	"fmt"
	"testing"

	"github.com/holiman/uint256"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/protocol"
)

// network is a model of what a careful caller sees: who has which job.
type network struct {
	on     map[protocol.Hash]protocol.PeerID // empty: waiting
	tokens map[protocol.Hash]int
	train  map[protocol.Hash]bool
	slots  map[protocol.PeerID]int
	queue  int // jobs per slot at most
}

func (n *network) load(w protocol.PeerID, train bool) int {
	c := 0
	for j, x := range n.on {
		if x == w && n.train[j] == train {
			c++
		}
	}
	return c
}

// apply checks effects against the model and brings it up to date.
func (n *network) apply(out []Effect) error {
	for _, e := range out {
		at, alive := n.on[e.Job]
		switch e.Kind {
		case Dispatch:
			if !alive || at != "" {
				return fmt.Errorf("job %x dispatched to %s while alive=%v on %q", e.Job[:2], e.Worker, alive, at)
			}
			if e.Resume != n.tokens[e.Job] {
				return fmt.Errorf("job %x resumes at %d, %d tokens were delivered", e.Job[:2], e.Resume, n.tokens[e.Job])
			}
			n.on[e.Job] = e.Worker
			if n.train[e.Job] {
				if n.load(e.Worker, true) > 1 {
					return fmt.Errorf("worker %s trains twice at once", e.Worker)
				}
			} else if most := n.slots[e.Worker] * n.queue; n.load(e.Worker, false) > most {
				return fmt.Errorf("worker %s has %d jobs, at most %d", e.Worker, n.load(e.Worker, false), most)
			}
		case Retry:
			if !alive {
				return fmt.Errorf("job %x retried after its end", e.Job[:2])
			}
			n.on[e.Job] = ""
		case Release:
			if alive {
				n.on[e.Job] = ""
			}
		case Refuse:
			if !alive {
				return fmt.Errorf("job %x refused after its end", e.Job[:2])
			}
			delete(n.on, e.Job)
		}
	}
	return nil
}

// bounded checks the load of every worker that got a job.
func bounded(s *State, ev Event, out []Effect, demand int64) error {
	if _, ok := ev.(Announce); ok || s.cfg.Policy != PolicyAffinity {
		return nil
	}
	for _, e := range out {
		w := s.workers[e.Worker]
		if e.Kind != Dispatch || w.training != nil && w.training.id == e.Job {
			continue
		}
		p := w.pool
		share := (int64(s.cfg.LoadPercent)*demand*w.slots + 100*p.slots - 1) / (100 * p.slots)
		if most := max(w.slots, min(share, 2*w.slots)); w.active(s.now) > most {
			return fmt.Errorf("worker %s: %d jobs compete for %d slots, at most %d", w.id, w.active(s.now), w.slots, most)
		}
	}
	return nil
}

func pickJob(t *rapid.T, n *network, running bool) (protocol.Hash, bool) {
	for range 8 {
		id := protocol.Hash{0: byte(rapid.IntRange(0, 40).Draw(t, "job"))}
		if at, ok := n.on[id]; ok && (!running || at != "") {
			return id, true
		}
	}
	return protocol.Hash{}, false
}

func drawEvent(t *rapid.T, n *network, at int64, seq uint64) Event {
	peer := protocol.PeerID(fmt.Sprintf("w%d", rapid.IntRange(0, 5).Draw(t, "worker")))
	switch rapid.IntRange(0, 11).Draw(t, "event") {
	case 0, 1:
		a := protocol.Announcement{Peer: peer, Sequence: seq, IssuedAt: at, ExpiresAt: at + 90_000,
			Base: protocol.Hash{1}, Slots: rapid.IntRange(1, 4).Draw(t, "slots"), DecodeTPS: 50,
			Trains: rapid.Bool().Draw(t, "trains"), Running: rapid.IntRange(0, 2).Draw(t, "running"),
			FreeKV: rapid.SampledFrom([]int{0, 300, 100_000}).Draw(t, "kv")}
		for range rapid.IntRange(0, 3).Draw(t, "adapters") {
			a.Adapters = append(a.Adapters, protocol.ResidentAdapter{
				Tag: rapid.Uint64Range(1, 5).Draw(t, "tag"), Tier: protocol.Tier(rapid.IntRange(0, 2).Draw(t, "tier"))})
		}
		// A worker that shrinks keeps what it has: the bound is on new dispatches.
		n.slots[peer] = max(a.Slots, (n.load(peer, false)+n.queue-1)/n.queue)
		a.Slots = n.slots[peer]
		return Announce{At: at, Announcement: a}
	case 2, 3, 4:
		id := protocol.Hash{0: byte(rapid.IntRange(0, 40).Draw(t, "new"))}
		if _, ok := n.on[id]; ok {
			return Tick{At: at}
		}
		n.on[id], n.tokens[id] = "", 0
		n.train[id] = rapid.IntRange(0, 9).Draw(t, "train") == 0
		return Submit{At: at, Job: id, Tenant: protocol.Account{byte(rapid.IntRange(0, 2).Draw(t, "tenant"))},
			Base: protocol.Hash{1}, Adapter: rapid.Uint64Range(0, 6).Draw(t, "adapter"), Training: n.train[id],
			PromptTokens: rapid.IntRange(1, 200).Draw(t, "prompt"), PromptLeast: rapid.IntRange(0, 1).Draw(t, "least"), MaxTokens: 100, Budget: *uint256.NewInt(1000)}
	case 5, 6:
		if id, ok := pickJob(t, n, true); ok {
			c := rapid.IntRange(0, 5).Draw(t, "count")
			if !n.train[id] {
				n.tokens[id] += c
			}
			return Token{At: at, Job: id, Worker: n.on[id], Count: c}
		}
	case 7:
		if id, ok := pickJob(t, n, true); ok {
			w := n.on[id]
			delete(n.on, id)
			return Done{At: at, Job: id, Worker: w}
		}
	case 8:
		if id, ok := pickJob(t, n, true); ok {
			return Fail{At: at, Job: id, Worker: n.on[id], Reason: "broke",
				Kind:      rapid.SampledFrom([]protocol.Kind{protocol.KindBusy, protocol.KindInternal}).Draw(t, "kind"),
				Retriable: rapid.Bool().Draw(t, "retriable")}
		}
	case 9:
		if id, ok := pickJob(t, n, false); ok {
			delete(n.on, id)
			return Cancel{At: at, Job: id}
		}
	case 10:
		if rapid.Bool().Draw(t, "gone") {
			return WorkerGone{At: at, Worker: peer}
		}
		return Expire{At: at, Worker: peer}
	}
	return Tick{At: at}
}

// Whatever happens: no job is lost, none is on two workers at once, streams
// resume where they stopped, the bound holds, and a second run is the same.
func TestStep_AnyEvents_KeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Seed: rapid.Uint64().Draw(t, "seed"), MaxQueued: 20, StarveMS: 3000}
		cfg.Policy = rapid.SampledFrom([]Policy{PolicyAffinity, PolicyAffinity, PolicyAffinity, PolicyRandom,
			PolicyRoundRobin, PolicyLeastLoaded, PolicyPowerOfTwo, PolicyBoundedHash, PolicyLoRAAffinity}).Draw(t, "policy")
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := New(cfg)
		n := &network{on: map[protocol.Hash]protocol.PeerID{}, tokens: map[protocol.Hash]int{},
			train: map[protocol.Hash]bool{}, slots: map[protocol.PeerID]int{}, queue: stallFactor}
		if cfg.Policy != PolicyAffinity {
			n.queue = 1 << 20
		}
		at := int64(1)
		do := func(ev Event) {
			demand := int64(1)
			if p := s.pools[protocol.Hash{1}]; p != nil {
				demand += p.load + p.waiting
			}
			for _, w := range s.workers { // what unlisted ones have can come back at once
				if !w.listed {
					demand += w.load
				}
			}
			out := Step(s, ev)
			if err := bounded(s, ev, out, demand); err != nil {
				t.Fatalf("%T: %v", ev, err)
			}
			if err := n.apply(out); err != nil {
				t.Fatalf("%T: %v", ev, err)
			}
			if other := Step(again, ev); fmt.Sprint(out) != fmt.Sprint(other) {
				t.Fatalf("%T: second run differs:\n%v\n%v", ev, out, other)
			}
			if err := check(s); err != nil {
				t.Fatalf("after %T: %v", ev, err)
			}
		}
		for i := range rapid.IntRange(1, 120).Draw(t, "events") {
			at += rapid.Int64Range(0, 2000).Draw(t, "dt")
			do(drawEvent(t, n, at, uint64(i+1)))
		}
		if s.Hash() != again.Hash() {
			t.Fatal("second run ends in another state")
		}
		for range 10_000 {
			next := s.NextDeadline()
			if next == 0 || len(n.on) == 0 {
				break
			}
			do(Tick{At: next})
		}
		if len(n.on) != 0 || len(s.jobs) != 0 || s.Stats().Queued+s.Stats().Running != 0 {
			t.Fatalf("%d jobs never end", len(n.on))
		}
	})
}
