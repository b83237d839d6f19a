//go:build unix && !linux

package profiler

import "syscall"

// killBelow does nothing: what is below a process cannot be told from files.
func killBelow(int) {}

// dieWithParent does nothing: only Linux knows such a signal.
func dieWithParent(*syscall.SysProcAttr, bool) {}
