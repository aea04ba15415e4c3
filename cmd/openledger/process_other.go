//go:build !linux

package main

import "syscall"

// withParent would make a child end with this process; only Linux can promise it.
func withParent() *syscall.SysProcAttr { return nil }
