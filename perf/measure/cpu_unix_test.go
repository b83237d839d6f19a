//go:build unix

package measure_test

import (
	"syscall"
	"time"
)

// cpuSpent is the CPU time that this process has used.
func cpuSpent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
