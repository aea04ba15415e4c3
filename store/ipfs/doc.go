// Package ipfs stores and moves content-addressed blocks: a blockstore in the
// node's database, a bitswap client and server on the node's libp2p host,
// UnixFS files and directories, and CAR archives.
//
// Invariants: every block is at most [MaxBlockBytes] and is checked against its
// CID's SHA2-256 digest when it comes in from a peer or an archive and again when it is read; what Add
// and Import return is on disk; an import that fails leaves nothing behind. CIDs
// are version 1, base32. Fetches name the peers that provide the content, so
// nothing waits for a DHT.
//
// It decides nothing about what is worth keeping: Remove deletes what its caller names
// and keeps what its caller says is needed elsewhere. It
// serves every block that it holds to every peer that asks for its CID, unless
// Config.Serve says otherwise.
package ipfs
