// Command waiting waits in a system call for a child process, while other goroutines wait
// for timers and channels: what perf sees of those are threads of Go's scheduler that have
// nothing to run.
package main

import (
	"os"
	"os/exec"
	"time"
)

//go:noinline
func waitForChild() error { return exec.Command("sleep", "0.2").Run() }

func main() {
	done := make(chan bool)
	for range 4 {
		go func() {
			for range 40 {
				time.Sleep(5 * time.Millisecond)
			}
			done <- true
		}()
	}
	if err := waitForChild(); err != nil {
		os.Exit(1)
	}
	for range 4 {
		<-done
	}
}
