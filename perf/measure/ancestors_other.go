//go:build !linux

package measure

import "os"

// ancestors returns the parent alone: what lies above it, and under which name it
// runs, needs more than the standard library on these systems. A parent that ends is
// replaced, on Unix, by another process.
func ancestors([]string) []ancestor {
	return []ancestor{{os.Getppid(), "the parent process"}}
}

func watchProcess(pid int, died func()) func() {
	return pollProcess(func() bool { return os.Getppid() == pid }, died)
}
