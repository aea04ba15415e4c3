// Package quant encodes and decodes the number formats that model files store
// weights in: IEEE floats, and ggml's block formats, in which a run of values
// shares a scale.
//
// Invariants: layouts are ggml's, little-endian; decoding is exact, so a value has
// the same bits on every machine; encoding rounds as ggml's reference
// quantisation does. Nothing is allocated, and a source of the wrong length is
// an error, never a panic.
//
// It reads no files (weights does) and multiplies nothing (tensor does).
package quant
