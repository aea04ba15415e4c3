package main

import "syscall"

// withParent makes a child end with this process, however this one ends.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
