// Package speed measures what a model does on a machine: prefill, decode steps of several batches with and without
// adapters, training, how long an adapter takes to load from each tier, and the machine's own ceilings.
//
// Invariants: every figure is the median of several timed slices on the real model and backend; what cannot be measured
// here, the network, is computed from a stated assumption and marked as such. The report's cost model is what the simulator
// reads, and its decode speed is what a worker states in announcements.
//
// It does not load models, and it does not compare: see docs/benchmarks.md for that.
package speed
