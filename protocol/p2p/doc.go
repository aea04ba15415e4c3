// Package p2p is the network side of a node: a libp2p host (QUIC-v1 and
// TCP/Noise, Kademlia DHT under "/openledger", optional AutoNAT, relays and hole
// punching), gossip of announcements, and the stream protocols
// /openledger/job/1, /openledger/receipt/1, /openledger/sync/1 and
// /openledger/id/1.
//
// Invariants: bytes of strangers are bounded and decoded strictly before a
// handler sees them; an announcement that a subscriber sees is signed by its
// author's peer key, carries an owner-signed binding, is unexpired and newer than
// any seen before from this author; every stream state has a deadline; errors
// cross the wire as protocol.Error with their kind.
//
// It does not schedule, price, verify receipts or know the chain: handlers and
// the Chain interface do.
package p2p
