//go:build !amd64

package cpu

import "runtime"

func detect() level { return levelGo }

const noAssembly = "cpu: assembly was called on an architecture that has none"

func micro(lv level, rows, panels, cols, k int, a []float32, rs, cs int, b []float32, bs, bp int, c []float32, ldc int, acc bool) {
	microGo(rows, panels, cols, k, a, rs, cs, b, bs, bp, c, ldc, acc)
}

func microHalf(lv level, rows, panels, pairs int, a []float32, rs int, b []uint32, bp int, c []float32, ldc int, acc bool) {
	microHalfGo(rows, panels, pairs, a, rs, b, bp, c, ldc, acc)
}

func microF16(lv level, rows, panels, k int, a []float32, rs int, b []uint16, bp int, c []float32, ldc int, acc bool) {
	microF16Go(rows, panels, k, a, rs, b, bp, c, ldc, acc)
}

func quantTile(_ level, _, left int) (rows, panels int) { return left, 1 }

func quantMicro(lv level, rows, panels, step int, w *weight, p int, a []byte, c []float32, ldc int, acc bool) {
	quantMicroGo(rows, panels, step, w, p, a, c, ldc, acc)
}

func widenF16(*float32, *uint16, int)          { panic(noAssembly) }
func quantiseBlocks(*byte, *float32, int, int) { panic(noAssembly) }

func widenPairs(*float32, *uint32, int)                                     { panic(noAssembly) }
func sumLanes(*float32, *float32, int)                                      { panic(noAssembly) }
func dotLanes(*float32, *float32, *float32, int)                            { panic(noAssembly) }
func maxLanes(*float32, *float32, int)                                      { panic(noAssembly) }
func expScaled(*float32, *float32, int, float32, float32)                   { panic(noAssembly) }
func swigluBlock(*float32, *float32, *float32, int)                         { panic(noAssembly) }
func swigluGradBlock(*float32, *float32, *float32, *float32, *float32, int) { panic(noAssembly) }
func addBlock(*float32, *float32, int)                                      { panic(noAssembly) }
func mulScaledBlock(*float32, *float32, *float32, int, float32)             { panic(noAssembly) }
func copyPanelRows(*float32, *float32, int, int)                            { panic(noAssembly) }

func readAll(mem []byte) { readAllGo(mem) }
func fmaVector() int     { return 1 }
func fmaLoop(n int)      { fmaLoopGo(n) }
func dotLoop(int) bool   { return false }

func pause() { runtime.Gosched() }
