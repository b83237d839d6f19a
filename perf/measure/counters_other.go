//go:build !linux

package measure

import "runtime"

// NoCounters says why the hardware counts nothing here.
func NoCounters() string { return "hardware counters are read on Linux, and this is " + runtime.GOOS }
