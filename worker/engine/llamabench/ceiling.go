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
}

func measureCeilings(threads int) ceilings {
	return ceilings{
		ReadOne: cpu.MeasureRead(1), ReadAll: cpu.MeasureRead(threads),
		FMAOne: cpu.MeasureFMA(1), FMAAll: cpu.MeasureFMA(threads),
	}
}

func (c *ceilings) print(w io.Writer, threads int) {
	fmt.Fprintf(w, "ceilings: memory %.1f GB/s with one thread, %.1f with %d; float32 %.0f GFLOP/s with one thread, %.0f with %d\n",
		c.ReadOne, c.ReadAll, threads, c.FMAOne, c.FMAAll, threads)
}
