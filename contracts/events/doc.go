// Package events keeps the events of OpenLedger's contracts in a node's database, so
// that a service which was away, or died, finds what it has missed, and reads no event
// of a branch that the chain has given up.
//
// Old blocks are read in bounded ranges; the newest [Config.Depth] one at a time, by
// block hash, each with the hash of its parent. Before reading on, the newest block
// kept here is compared with the chain; what belongs to another branch is rolled back
// and read again.
//
// Invariants: the events of a block, its hash and the place to go on from are one
// transaction; so after a crash at any write the index is some earlier state of itself,
// and reading on gives what an undisturbed run gives. Blocks kept here form one branch.
// A branch that leaves ours more than Depth blocks ago is refused with an error that
// says so: by then others have acted on what is gone.
//
// Every event of every contract of the deployment is kept, and found by each of its
// indexed parameters. It decodes through contracts/chain and interprets nothing.
package events
