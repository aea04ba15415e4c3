//go:build !linux

package lorabench

import "errors"

func dropCached(string) error { return errors.ErrUnsupported }

func cpuSeconds() float64 { return 0 }
