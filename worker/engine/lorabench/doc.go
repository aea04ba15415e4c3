// Package lorabench measures what many adapters cost: S-LoRA's workload against this engine, with any number of adapters,
// with none, and with adapters merged into the weights one at a time; the first token of an adapter that comes from disk;
// and the memory that thousands of them take.
//
// Invariants: the arrivals are those of S-LoRA's generator with numpy, for the same seed; nothing but the number of
// adapters differs between the runs that are compared, and they take turns, so that a change of the machine's load falls
// on all of them alike.
//
// It does not decide what is good: it prints ratios with their ranges. The command is in lorabench/run.
package lorabench
