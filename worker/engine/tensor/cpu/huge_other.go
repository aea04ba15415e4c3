//go:build !linux

package cpu

// huge returns n zeros.
func huge[T any](n int) []T { return make([]T, n) }
