package cpu

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugeBytes is from how many bytes on a block of memory asks for large pages: a decode step reads all weights once, and
// with small pages the translation of addresses costs a good part of the time.
const hugeBytes = 4 << 20

// huge returns n zeros that lie in large pages if the system has some left.
func huge[T any](n int) []T {
	x := make([]T, n)
	var zero T
	if size := uintptr(n) * unsafe.Sizeof(zero); size >= hugeBytes {
		const page = 4096
		p := unsafe.Pointer(unsafe.SliceData(x))
		skip := -uintptr(p) & (page - 1)
		// Advice that is not taken costs nothing but speed.
		_ = unix.Madvise(unsafe.Slice((*byte)(unsafe.Add(p, skip)), (size-skip)&^(page-1)), unix.MADV_HUGEPAGE)
	}
	return x
}
