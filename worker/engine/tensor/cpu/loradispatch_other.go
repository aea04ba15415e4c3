//go:build !amd64

package cpu

var (
	kernelsF32              loraKernels[float32]
	kernelsBF16, kernelsF16 loraKernels[uint16]
)

func loraWidenBF16(*float32, *uint16, int) { panic(noAssembly) }
func loraWidenF16(*float32, *uint16, int)  { panic(noAssembly) }
