// Package epoch makes epochs of the epoch distributor: it chooses batches, computes the
// cumulative tree of what they and all epochs before owe, publishes it as a
// content-addressed document, brings it to the chain, and finds what a finalised epoch
// owes to an account.
//
// Invariants: an epoch's document is a function of the chain and of its batches'
// documents, so that everybody computes the same root ([Builder.Compute]); what is on
// the chain is the only state, so that a [Service] that was killed between any two steps
// goes on, and never pays or counts a leaf twice; a root is committed only after its
// document can be had from others.
//
// It decides no split (protocol/payout), checks no batch beyond its arithmetic and
// signatures (worker/settle) and challenges nobody.
package epoch
