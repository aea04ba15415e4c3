// Package doctor finds what keeps a worker from earning and says in plain words what
// to do: devices, clock, disk, ports, reachability, stake, chain.
//
// Invariants: it changes nothing; every finding that is not well names a way out; one
// broken check does not hide the others.
//
// It measures no speed.
package doctor

import (
	"context"
	"fmt"
	"time"
)

// Level is how serious a finding is.
type Level string

// Levels.
const (
	OK   Level = "ok"
	Warn Level = "warning" // works, but costs the worker something
	Fail Level = "failure" // the worker can't work like this
)

// Finding is the outcome of one check.
type Finding struct {
	Check  string `json:"check"`
	Level  Level  `json:"level"`
	Says   string `json:"says"`
	Remedy string `json:"remedy,omitempty"` // what to do; empty when all is well
}

// Check is one thing to look at.
type Check struct {
	Name string
	Run  func(ctx context.Context) Finding
}

// patience bounds one check.
const patience = 20 * time.Second

// Examine runs the checks in order. Each gets its own time.
func Examine(ctx context.Context, checks []Check) []Finding {
	out := make([]Finding, 0, len(checks))
	for _, c := range checks {
		f := examine(ctx, c, patience)
		f.Check = c.Name
		out = append(out, f)
	}
	return out
}

// examine runs one check and waits no longer than its time, also for one that does not
// listen to its context.
func examine(ctx context.Context, c Check, patience time.Duration) Finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan Finding, 1)
	go func() { done <- c.Run(ctx) }()
	select {
	case f := <-done:
		return f
	case <-ctx.Done():
	}
	select { // it may just be saying why
	case f := <-done:
		return f
	case <-time.After(min(patience, time.Second)):
		return ill(Fail, "try again; if it stays so, look at what this check needs", "the check did not end within %s", patience)
	}
}

// Worst is the most serious level among findings.
func Worst(list []Finding) Level {
	worst := OK
	for _, f := range list {
		if f.Level == Fail || f.Level == Warn && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

func well(format string, args ...any) Finding {
	return Finding{Level: OK, Says: fmt.Sprintf(format, args...)}
}

func ill(level Level, remedy, format string, args ...any) Finding {
	return Finding{Level: level, Says: fmt.Sprintf(format, args...), Remedy: remedy}
}
