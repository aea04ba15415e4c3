// Package coordinator admits jobs, routes them to workers, passes their tokens on,
// accepts their receipts and pays for them with vouchers.
//
// Invariants: scheduling decisions come from scheduler.Step only; at most one
// receipt is accepted per job; the voucher that covers a receipt is durable before
// the worker gets it, and a voucher never goes down; what a requester has promised,
// and what its running jobs may cost, never exceeds its escrow as last read. A requester
// that goes away pays for what was delivered to it; a job that moves to another worker
// is paid to the one that ends it.
//
// It runs no model, holds no requester's own key (only a session key with a limit and an
// expiry, which may also be the account's delegate on the chain, to make datanets of files
// and order fine-tunes in its name), and decides no payout.
package coordinator
