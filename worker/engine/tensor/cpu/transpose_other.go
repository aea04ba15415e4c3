//go:build !amd64

package cpu

func transposeTiles(*float32, int, *float32, int) { panic(noAssembly) }
