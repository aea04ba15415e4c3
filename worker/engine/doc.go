// Package engine serves one base model and many LoRA adapters over it on one
// machine: a loop that batches whatever requests are in flight, token by token.
//
// Requests join and leave the batch at every step; prompts are fed in chunks
// beside the decoding of others; rows of different adapters share one pass over
// the base. A request is admitted only when the KV cache can hold all it may
// ever need, so that an admitted request always finishes; until then it waits
// in order of arrival, and one that can never fit is refused with the reason.
//
// Invariants:
//   - The tokens of a request depend on the model, the adapter, the prompt and
//     the sampling only: not on the batch it ran in, the number of threads, the
//     chunking, or on whether it was resumed on another machine halfway.
//   - KV pages are never shared between requests, so never between adapters.
//   - An adapter is named by the digest of its content and pinned while a
//     request uses it: what a request started with is what it ends with.
//
// It does not fetch, verify, price or attribute: it knows no network, no
// accounts and no datanets.
package engine
