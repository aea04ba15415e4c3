// Package devchain runs an Ethereum chain inside the process, for development,
// tests and demonstrations, and deploys OpenLedger's contracts on it.
//
// The chain is go-ethereum with a simulated consensus layer: blocks come on
// demand (and, with [Config.Ticks], while the clock is ahead, so that windows end
// on an idle chain too), the data directory survives a restart, and JSON-RPC (HTTP
// and WebSocket on one port) listens on loopback.
//
// Invariants: no byte leaves the RPC port before every block it may speak of is
// on disk, so what a client has seen survives kill -9 and a power cut; a chain
// that was opened on a directory is opened again only with the same chain id and
// funded accounts; unless it is moved on purpose, the chain's clock never runs more
// than [Config.MaxAhead] before the wall clock.
//
// It does not protect the money on it: there is one block producer and no peer.
// Transactions that were sent but not yet seen in a block may be lost by a crash;
// contracts/chain sends them again.
package devchain
