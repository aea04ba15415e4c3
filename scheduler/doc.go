// Package scheduler decides which worker serves which job. It is one pure
// function, [Step], over a [State]: events in, effects out. The live coordinator
// and the simulator drive the same code.
//
// What it does: admission (deadline, escrow, queue bounds), fairness between
// tenants (virtual token counters per base model), choice of a worker (estimated
// time to first token plus price, reputation, stake and latency terms; affinity
// to resident adapters, capped by bounded load; rendezvous placement of cold
// adapters), failover that resumes a stream behind the tokens already delivered,
// and an explanation for every worker not chosen.
//
// Invariants:
//   - the same Config and the same events give the same effects and the same
//     [State.Hash], on every machine: no clock, no global randomness, integer
//     arithmetic, ties by id, nothing depends on the order of a map;
//   - a submitted job ends exactly once: by the caller's Done or Cancel, or by one
//     Refuse effect;
//   - a job is on at most one worker at a time; attempts count up from 1;
//   - every state has a deadline: [State.NextDeadline] says when to send Tick.
//
// It does no I/O, keeps no clock, moves no money and trusts its caller to have
// checked signatures. A State is not safe for concurrent use.
package scheduler
