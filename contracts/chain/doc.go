// Package chain is the client of OpenLedger's contracts: reads in our own plain
// types, and one transaction sender per key.
//
// A [Client] reads. [Client.As] gives the [Sender] of a key: the only place that
// hands out nonces for it, so that two callers in one process never race. A
// Sender's call returns when the transaction is in a block; an error says in
// plain words why a contract refused.
//
// Invariants: amounts are wei; a call that was interrupted may be made again
// after a look at the chain (the contracts' own nonces and uniqueness make the
// writes idempotent, and the calls for which that matters check first); secrets
// stay in the caller's [Key].
//
// It computes no shares and builds no proofs (protocol/payout, worker/settle), and
// makes no EIP-712 signatures (protocol/wire). The chain and the deployment for
// development are in contracts/devchain.
package chain
