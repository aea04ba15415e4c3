// Package gguf reads and writes GGUF files, the format of ggml and llama.cpp:
// models (configuration, tokenizer and weights in one file) and LoRA adapters.
//
// Weights are handed over by their Hugging Face names and shapes, as values or as
// the blocks they are stored in. The rows of queries and keys, which llama files
// keep in another order, are put in Hugging Face's order on the way.
//
// Invariants: versions 2 and 3, little-endian; nothing is allocated from a length
// that was not checked against the size of the file; tensors lie inside the file, at
// their alignment, and do not overlap; an error names the key or the tensor and
// where it is. What is written depends on the values only.
//
// It does not compute, and does not read tensors in formats that package quant does
// not know, although it lists them.
package gguf
