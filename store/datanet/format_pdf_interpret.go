//go:build race

package datanet

import "github.com/tetratelabs/wazero"

// pdfRuntime interprets PDFium: under the race detector compiling it takes twenty seconds.
func pdfRuntime() wazero.RuntimeConfig { return wazero.NewRuntimeConfigInterpreter() }
