// Package store keeps a node's durable state: ordered typed tables over one
// pebble database.
//
// A [Table] gives keys and values types and an order-preserving encoding; a
// [Tx] groups writes to any number of tables into one atomic, synced commit.
// The typed definitions sit in files by subject (receipts, vouchers, batches,
// jobs, keys, announcements, cache) and keep what must change together in one
// transaction.
//
// Invariants: [DB.Update] returns nil only once its writes are on disk; after a
// crash either all writes of a transaction are there or none; transactions are
// serialised, so a read inside one cannot be overtaken. The caller passes the
// file system, so that tests run the real engine in memory and crash it.
//
// It verifies no signatures, computes no money and does no network I/O.
package store
