package scheduler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// The transcripts in testdata/scenario are conversations with one State: an event, and the
// effects that it had. Run with -rewrite after a change and read the difference.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenario", func(t *testing.T, path string) {
		var s, again *State
		seq := uint64(0)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				cfg := scenarioConfig(t, d)
				var err error
				if s, err = New(cfg); err != nil {
					return err.Error() + "\n"
				}
				again, _ = New(cfg)
				seq = 0
				return "ok\n"
			}
			if d.Cmd == "why" {
				return why(s, jobID(arg(t, d, "job")))
			}
			seq++
			ev := scenarioEvent(t, d, s, seq)
			if ev == nil {
				return fmt.Sprintf("unknown command %q\n", d.Cmd)
			}
			out := show(Step(s, ev))
			Step(again, ev)
			if err := check(s); err != nil {
				t.Fatal(err)
			}
			if s.Hash() != again.Hash() {
				t.Fatal("second run ends in another state")
			}
			return out
		})
	})
}

func scenarioConfig(t *testing.T, d *datadriven.TestData) Config {
	var cfg Config
	for _, a := range d.CmdArgs {
		if a.Key == "policy" {
			cfg.Policy = Policy(a.Vals[0])
			continue
		}
		v, err := strconv.ParseInt(a.Vals[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		switch a.Key {
		case "attempts":
			cfg.MaxAttempts = int(v)
		case "queue":
			cfg.MaxQueued = int(v)
		case "grace":
			cfg.NoWorkerGraceMS = v
		case "cold":
			cfg.ColdPercent = v
		default:
			t.Fatalf("unknown setting %s", a.Key)
		}
	}
	return cfg
}

func arg(t *testing.T, d *datadriven.TestData, key string) string {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			return strings.Join(a.Vals, ",")
		}
	}
	t.Fatalf("%s: %s needs %s=", d.Pos, d.Cmd, key)
	return ""
}

func num(t *testing.T, d *datadriven.TestData, key string, def int) int {
	if !d.HasArg(key) {
		return def
	}
	v, err := strconv.Atoi(arg(t, d, key))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func jobID(name string) protocol.Hash {
	var h protocol.Hash
	copy(h[:], name)
	return h
}

func jobName(h protocol.Hash) string { return strings.TrimRight(string(h[:]), "\x00") }

func scenarioEvent(t *testing.T, d *datadriven.TestData, s *State, seq uint64) Event {
	at := int64(num(t, d, "at", int(s.now)))
	str := func(key string) string {
		if !d.HasArg(key) {
			return ""
		}
		return arg(t, d, key)
	}
	worker := protocol.PeerID(str("worker"))
	job := jobID(str("job"))
	switch d.Cmd {
	case "announce":
		a := protocol.Announcement{Peer: worker, Sequence: seq, IssuedAt: at, ExpiresAt: at + 90_000, Base: protocol.Hash{1},
			Slots: num(t, d, "slots", 2), DecodeTPS: 100, Running: num(t, d, "running", 0), FreeKV: num(t, d, "kv", 0), TotalKV: num(t, d, "total", 0),
			Trains: d.HasArg("trains"), Profile: str("profile")}
		a.Price.OutputPer1K = *uint256.NewInt(uint64(num(t, d, "price", 0)))
		for _, x := range strings.Split(str("has"), ",") {
			tag, tier, ok := strings.Cut(x, ":")
			if !ok {
				continue
			}
			a.Adapters = append(a.Adapters, protocol.ResidentAdapter{Tag: tagNamed(tag),
				Tier: protocol.Tier(slices.Index([]string{"device", "host", "disk"}, tier))})
		}
		return Announce{At: at, Announcement: a}
	case "submit":
		e := Submit{At: at, Job: job, Base: protocol.Hash{1}, PromptTokens: num(t, d, "prompt", 100), PromptLeast: num(t, d, "least", 0), MaxTokens: num(t, d, "max", 100),
			Deadline: int64(num(t, d, "deadline", 0)), Budget: *uint256.NewInt(uint64(num(t, d, "budget", 1000))),
			EstimatedFee: *uint256.NewInt(uint64(num(t, d, "fee", 0))), Training: d.HasArg("training"), Profile: str("profile")}
		copy(e.Tenant[:], str("tenant"))
		if d.HasArg("adapter") {
			e.Adapter = tagNamed(str("adapter"))
		}
		return e
	case "observe":
		return Observe{At: at, Worker: worker, RTT: int64(num(t, d, "rtt", 0)), Stake: uint64(num(t, d, "stake", 0))}
	case "token":
		return Token{At: at, Job: job, Worker: worker, Count: num(t, d, "count", 1)}
	case "done":
		return Done{At: at, Job: job, Worker: worker}
	case "fail":
		kind := protocol.KindInternal
		if d.HasArg("kind") {
			kind = protocol.Kind(str("kind"))
		}
		return Fail{At: at, Job: job, Worker: worker, Kind: kind, Reason: "broke", Retriable: !d.HasArg("final")}
	case "cancel":
		return Cancel{At: at, Job: job}
	case "gone":
		return WorkerGone{At: at, Worker: worker}
	case "expire":
		return Expire{At: at, Worker: worker}
	case "tick":
		return Tick{At: at}
	}
	return nil
}

func tagNamed(name string) uint64 { return hashString(name) }

func show(out []Effect) string {
	if len(out) == 0 {
		return "-\n"
	}
	var b strings.Builder
	for _, e := range out {
		switch e.Kind {
		case Dispatch:
			fmt.Fprintf(&b, "dispatch %s to %s, attempt %d, resume at %d\n", jobName(e.Job), e.Worker, e.Attempt, e.Resume)
		case Prefetch:
			fmt.Fprintf(&b, "prefetch on %s\n", e.Worker)
		case Release:
			fmt.Fprintf(&b, "release %s from %s\n", jobName(e.Job), e.Worker)
		case Retry:
			fmt.Fprintf(&b, "retry %s, %s failed attempt %d with %d tokens: %s, %s\n", jobName(e.Job), e.Worker, e.Attempt, e.Resume, e.Err, e.Reason)
		case Refuse:
			fmt.Fprintf(&b, "refuse %s: %s, %s\n", jobName(e.Job), e.Err, e.Reason)
		}
	}
	return b.String()
}

func why(s *State, id protocol.Hash) string {
	var b strings.Builder
	for _, y := range Explain(s, id) {
		fmt.Fprintf(&b, "%s: chosen=%v eligible=%v score=%dms: %s\n", y.Worker, y.Chosen, y.Eligible, y.Score/1000, y.Reason)
	}
	if b.Len() == 0 {
		return "-\n"
	}
	return b.String()
}
