// Package wire is how the vocabulary of protocol becomes bytes: protobuf
// messages (definitions in *.proto here, generated code in wire/pb),
// length-prefixed frames with hard limits, canonical documents and their
// digests, and EIP-712 typed data: hash, sign, verify.
//
// Invariants: decoding is strict and bounded - a value that decodes is valid by
// itself (hashes have 32 bytes, lists and texts are within their limits), and an
// error names the field; documents encode deterministically; signatures are 65
// bytes with low s and v in {27,28}, and no other form is accepted.
//
// It opens no connection, keeps no key and asks no chain: whether a signer is
// entitled to sign is its caller's question.
package wire

//go:generate go run ./internal/gen
