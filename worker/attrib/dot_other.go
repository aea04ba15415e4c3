//go:build !amd64

package attrib

// dot is the exact product of two vectors of at most unit length.
func dot(a, b []int16) int64 { return dotGo(a, b) }
