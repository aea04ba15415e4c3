package attrib

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

//go:noescape
func dotAVX2(a, b *int16, n int) int64

// dot is the exact product of two vectors of at most unit length.
func dot(a, b []int16) int64 {
	b = b[:len(a)]
	n := len(a) &^ 31
	if !hasAVX2 || n == 0 {
		return dotGo(a, b)
	}
	return dotAVX2(&a[0], &b[0], n) + dotGo(a[n:], b[n:])
}
