package main

import (
	"fmt"
	"io"

	"github.com/openledger/openledger/worker/engine/tensor/cpu"
)

// ceilings of the machine: what no program of this kind can exceed.
type ceilings struct {
	// ReadOne and ReadAll are memory read by one thread and by all, in GB/s.
	ReadOne float64 `json:"read_one_gb_per_s"`
	ReadAll float64 `json:"read_all_gb_per_s"`
	// FMAOne and FMAAll are float32 fused multiply-adds in registers, in GFLOP/s.
	FMAOne float64 `json:"fma_one_gflop_per_s"`
	FMAAll float64 `json:"fma_all_gflop_per_s"`
	// DotOne and DotAll are products of bytes in registers, in Gop/s; 0 without instructions for them.
	DotOne float64 `json:"dot_one_gop_per_s"`
	DotAll float64 `json:"dot_all_gop_per_s"`
}

func measureCeilings(threads int) ceilings {
	return ceilings{
		ReadOne: cpu.MeasureRead(1), ReadAll: cpu.MeasureRead(threads),
		FMAOne: cpu.MeasureFMA(1), FMAAll: cpu.MeasureFMA(threads),
		DotOne: cpu.MeasureDot(1), DotAll: cpu.MeasureDot(threads),
	}
}

func (c *ceilings) print(w io.Writer, threads int) {
	fmt.Fprintf(w, "ceilings with one thread and with %d: memory %.1f and %.1f GB/s, float32 %.0f and %.0f GFLOP/s, bytes %.0f and %.0f Gop/s\n",
		threads, c.ReadOne, c.ReadAll, c.FMAOne, c.FMAAll, c.DotOne, c.DotAll)
}
