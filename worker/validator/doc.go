// Package validator judges the batches that workers settle and the roots of epochs: it
// fetches each batch's document within its challenge window, works everything out again,
// runs a sampled share of the inferences and attributions once more, and challenges on
// the chain what does not hold. An epoch it computes anew from its batches. Drawn into a
// committee, it judges what is disputed for itself and signs its verdict.
//
// A [Judge] decides about one batch or epoch and keeps nothing. The [Service] follows the index
// of events (contracts/events), keeps a journal of what it has judged, sent and signed,
// and talks to the DisputeCommittee.
//
// Invariants: what is found guilty was recomputed here, twice where an engine is
// involved; each is challenged at most once, and at most one verdict is signed per
// dispute and round, whatever crashes in between: the journal has the intention before
// the chain has the deed. What cannot be judged here (another base, an adapter that
// nobody has, a node without old states) is neither challenged nor voted on. Which
// receipts are sampled follows from the chain's randomness and a secret of this
// validator, so that no worker can know.
//
// It decides no penalty, and fetches through [Blocks] what its caller connects it to.
package validator
