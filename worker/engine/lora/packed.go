package lora

import "github.com/openledger/openledger/worker/engine/tensor"

// Packed is an adapter in a backend's memory, ready to serve. It is immutable.
type Packed struct {
	key   string
	rank  int
	bytes int64
	buf   tensor.Buffer
	pairs [][NumModules]packedPair
}

type packedPair struct {
	a, b  tensor.Mat // [in, rank], [rank, out]
	scale float32
}
