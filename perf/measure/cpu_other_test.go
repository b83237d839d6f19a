//go:build !unix

package measure_test

import "time"

var started = time.Now()

// cpuSpent is how long this process has run, where its CPU time is not to be had.
func cpuSpent() time.Duration { return time.Since(started) }
