// Package settle turns a worker's receipts into money: it gathers the receipts
// that vouchers cover, computes what every party earned, commits to it in one
// Merkle-sum root and submits that to the chain, drawing on the requesters'
// escrow.
//
// The batch document behind a root holds all signed receipts, the attributions of
// those with an access fee, the parties and the parameters. It is content-addressed
// (a small manifest and parts that each fit in one block), so that anybody can
// fetch it and [Recompute] the root.
//
// Invariants: the payouts of a batch add up to the fees of its receipts, and per
// requester those are exactly what the voucher promises beyond what the escrow
// has paid; a batch and the fate of its receipts are on disk before it is sent;
// there is one batch under way at a time, its nonce the chain's next, so that
// sending it again after a crash can neither lose a receipt nor pay twice.
//
// It decides no split (protocol/payout), verifies no signature itself (the caller
// passes the checks in) and knows no network: documents go through [Blocks].
package settle
