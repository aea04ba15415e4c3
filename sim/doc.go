// Package sim runs the scheduler over traces in virtual time: discrete events, a
// cost model of a worker, and several policies over the same arrivals.
//
// Invariants: the same Config gives the same bytes; the decisions come from
// scheduler.Step itself, not from a copy of it; nothing reads the wall clock.
//
// It measures policies, not hardware: the cost model is a configuration. Real
// nodes in one process are sim/cluster.
package sim
