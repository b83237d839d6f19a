//go:build unix && !linux

package profiler

import "syscall"

// dieWithParent does nothing: only Linux knows such a signal.
func dieWithParent(*syscall.SysProcAttr) {}
