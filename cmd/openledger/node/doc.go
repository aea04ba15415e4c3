// Package node puts services together from their rooms: it opens what a chain, a
// coordinator or a worker needs on one home folder, runs it, and closes it in order.
//
// Invariants: a failed start leaves nothing running; every secret lives in a file
// that only its owner reads; opening the same home again continues where it was.
//
// It holds no logic of the services themselves.
package node
