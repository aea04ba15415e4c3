// Package protocol is the vocabulary that every room of OpenLedger shares:
// identifiers, jobs, announcements, receipts, vouchers, attributions and kinds
// of error.
//
// Invariants: the types are plain structs, comparable where they serve as keys;
// amounts are integers in wei (uint256.Int), times are Unix milliseconds, and
// attribution weights are integers that add up to [WeightScale].
//
// It does no I/O, holds no state, signs nothing and encodes nothing: bytes on
// the wire and signatures belong to protocol/wire, the split of a fee to
// protocol/payout.
package protocol
