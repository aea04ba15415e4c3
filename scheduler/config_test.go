package scheduler

import (
	"strings"
	"testing"

	"github.com/openledger/openledger/protocol"
)

func TestConfig_Validate_NamesTheField(t *testing.T) {
	for field, c := range map[string]Config{
		"policy":           {Policy: "best"},
		"max_attempts":     {MaxAttempts: -1},
		"load_percent":     {LoadPercent: 99},
		"load_ms[3]":       {LoadMS: [4]int64{0, 1, 2, -3}},
		"idle_timeout_ms":  {IdleTimeoutMS: -1},
		"candidates":       {Candidates: -4},
		"prefill_ratio":    {PrefillRatio: -1},
		"job_timeout_ms":   {JobTimeoutMS: -1},
		"train_timeout_ms": {TrainTimeoutMS: -1},
	} {
		_, err := New(c)
		if protocol.KindOf(err) != protocol.KindInvalid || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("%s: got %v", field, err)
		}
	}
	if _, err := New(Config{}); err != nil {
		t.Fatal(err)
	}
}

// Two coordinators that list the same workers in another order place a cold
// adapter in the same homes; one worker's leaving moves few adapters.
func TestHomes_SameMembership_Agree(t *testing.T) {
	const workers, adapters = 100, 400
	a, _ := New(Config{})
	b, _ := New(Config{Seed: 7})
	for i := range workers {
		Step(a, listed(i))
		Step(b, listed(workers-1-i))
	}
	base := protocol.Hash{}
	first := make([]string, adapters)
	used := map[string]bool{}
	for tag := range uint64(adapters) {
		x, y := a.homesOf(a.pools[base], &adapter{tag: tag}), b.homesOf(b.pools[base], &adapter{tag: tag})
		for i := range x {
			if x[i].id != y[i].id {
				t.Fatalf("adapter %d: homes %s and %s", tag, x[i].id, y[i].id)
			}
		}
		first[tag] = string(x[0].id)
		used[first[tag]] = true
	}
	if len(used) < workers*3/4 {
		t.Errorf("%d adapters use %d of %d workers", adapters, len(used), workers)
	}
	Step(a, WorkerGone{At: 2, Worker: "w42"})
	moved := 0
	for tag := range uint64(adapters) {
		if string(a.homesOf(a.pools[base], &adapter{tag: tag})[0].id) != first[tag] && first[tag] != "w42" {
			moved++
		}
	}
	if moved > adapters/20 {
		t.Errorf("%d of %d adapters of other workers moved", moved, adapters)
	}
}

func listed(i int) Announce {
	return Announce{At: 1, Announcement: protocol.Announcement{Peer: protocol.PeerID("w" + string(rune('0'+i/10)) + string(rune('0'+i%10))),
		Sequence: 1, IssuedAt: 1, ExpiresAt: 90_000, Slots: 4, DecodeTPS: 100}}
}
