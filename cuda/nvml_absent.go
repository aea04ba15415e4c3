//go:build !cgo || !linux

package cuda

// Discover finds nothing: NVML is reached through cgo on Linux.
func Discover() Inventory {
	return Inventory{Absent: "this binary was built without cgo, which GPU discovery needs: the worker uses the CPU"}
}
