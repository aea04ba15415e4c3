// Package worker is the node that serves and trains: it announces itself, runs jobs
// on the engine, attributes every answer, signs receipts and settles them.
//
// Invariants: a receipt is durable, with its evidence, before it leaves the node;
// the same job gets the same receipt; no more unpaid work is done for a requester
// than its escrow and this worker's credit cover; an adapter is served only under
// the content identifier that the registry has.
//
// It decides neither where jobs go (scheduler) nor how a fee is split
// (protocol/payout), and it never holds its owner's key.
package worker
