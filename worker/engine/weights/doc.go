// Package weights reads and writes model files: safetensors, Hugging Face model
// folders (config.json, weights in one or several files, tokenizer.json) and PEFT
// adapters.
//
// Invariants: nothing is allocated from a length that has not been checked against
// the size of the file; an error names the file and the tensor or field; what is
// written depends on the values only, so that equal weights give equal files and
// equal hashes.
//
// It does not fetch files and does not compute: values are turned into float32 and
// handed over.
package weights
