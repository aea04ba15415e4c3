//go:build !race

package datanet

import "github.com/tetratelabs/wazero"

// pdfRuntime compiles PDFium to machine code where the platform allows it: two seconds
// once, and then text at the speed that people expect.
func pdfRuntime() wazero.RuntimeConfig { return wazero.NewRuntimeConfig() }
