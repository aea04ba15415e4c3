// Package engine serves one base model and many LoRA adapters over it on one
// machine: a loop that batches whatever requests are in flight, token by token.
//
// Requests join and leave the batch at every step; prompts are fed in chunks
// beside the decoding of others; rows of different adapters share one pass over
// the base. A request is admitted only when its adapter is on the device and the
// KV cache can hold all it may ever need, so that an admitted request always
// finishes; one that can never fit is refused with the reason.
//
// Tenants share the engine by the cost of what they reserve (queue.go); within a
// tenant the oldest request is next. One that does not fit yet lets others pass,
// until as many as fill a batch have overtaken it: then room is kept for it
// (wait.go). Adapters are packed beside the loop, once whoever waits, and leave the
// least recently used first (adapters.go, lora.Residency).
//
// Invariants:
//   - The tokens of a request depend on the model, the adapter, the prompt and
//     the sampling only: not on the batch it ran in, the number of threads and the
//     processors they are tied to, the chunking, the size of a KV page, or on whether
//     it was resumed on another machine halfway.
//   - KV pages are shared between requests only where adapter content and all tokens
//     before are the same.
//   - Base, KV cache and adapters, loads under way included, never take more than
//     the configured memory.
//   - The decode loop allocates nothing and waits for no load.
//   - An adapter is named by the digest of its content and pinned while a
//     request uses it: what a request started with is what it ends with.
//
// It does not fetch, verify, price or attribute: it knows no network, no
// accounts and no datanets.
package engine
