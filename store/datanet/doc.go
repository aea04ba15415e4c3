// Package datanet turns what people contribute into records, keeps the state of
// each datanet (contributions, reviews, versions) in the node's database, and
// builds and opens immutable versions.
//
// A record has one canonical form, so that the same content always has the same
// id: the SHA2-256 of its canonical bytes, which are one raw block. A version is
// a UnixFS directory with manifest.json, records/ and, if it has some, media/; the same accepted records
// under the same number give the same root, on any machine.
//
// Invariants: a contribution enters only with a valid signature, canonical bytes
// that match its hash, and the datanet's licence; one record has one owner per
// datanet, the contribution that this node stored first; a record enters a version only
// with the owner's signed acceptance; a version never changes; where a datanet asks
// contributors for a stake, a contribution enters only with it. What a method
// returned without an error survives a crash.
//
// Files of people ([Parse]) are not trusted: each format is read with bounded memory and
// time, by what is in the file and not by its name alone; [Uploads] takes them in. Files of
// media are kept in the content store for as long as something holds them.
//
// It checks signatures through the caller's [Verifier] and stakes through its [Stakes],
// asks no chain itself and moves no money.
package datanet
