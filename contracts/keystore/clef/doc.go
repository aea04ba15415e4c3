// Package clef signs through a program that holds the key elsewhere and asks a person:
// go-ethereum's clef, or whatever speaks its external API
// (https://geth.ethereum.org/docs/tools/clef/apis), over HTTP or a local socket. Hardware
// wallets are reached through it.
//
// Invariants: nothing is believed. A transaction that comes back is compared field by
// field with the one that was asked for, every signature is recovered to the account
// that was named, and an answer has a bounded size. A wait for a person has a bound, and
// the caller's context ends it. What an address of a signer may hide (user, password,
// path, query) is in no error and no log line.
//
// It holds no secret and makes no keys. It does not choose accounts: the caller names
// one.
package clef
