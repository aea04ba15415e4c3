// Package payout splits one inference fee into shares and commits many shares
// to one Merkle-sum root, and what many batches owe to one cumulative root. It is the
// one truth for money: testdata holds golden vectors that the Go tests and the contract
// tests both read.
//
// Invariants: all arithmetic is on integers (wei); the shares of a fee add up to
// the fee exactly; the result does not depend on the order of stakers or of
// attribution shares; a party never receives less than the floor or more than
// the ceiling of its exact quota at each level of the split.
//
// The package is pure. It knows no chain, no clock and no randomness, verifies
// no signature and decides no parameter: shares come in through [Params].
package payout
