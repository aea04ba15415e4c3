package tensor

// LoraPart is one linear map's low-rank pair in host memory. A map that an adapter leaves alone has rank 0 and no values.
type LoraPart struct {
	Rank, Out int
	Scale     float32
	A         []float32 // [Rank, in]
	B         []float32 // [Out, Rank]
}

// LoraGroup is the pairs of the linear maps that read the same input of In values, such as a layer's q, k and v.
type LoraGroup struct {
	In    int
	Parts []LoraPart
}

// LoraPack is an adapter, all groups of it, as a backend keeps it for serving. It is immutable.
type LoraPack interface {
	// Bytes is the memory that it takes.
	Bytes() int64
}

// LoraSegment is a run of rows of a batch that one adapter applies to.
type LoraSegment struct {
	Row, Rows int
	Pack      LoraPack
}
