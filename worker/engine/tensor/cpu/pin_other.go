//go:build !linux

package cpu

import "errors"

var errNoPinning = errors.New("cpu: threads can be pinned to processors on Linux only: run without pinning")

type cpuMask struct{}

func processMask() (cpuMask, error) { return cpuMask{}, errNoPinning }

func (cpuMask) list() []int { return nil }

func (cpuMask) restore() error { return errNoPinning }

func bindThread(int) error { return errNoPinning }

func coreOf(cpu int) int { return cpu }
