//go:build race && unix

package main

import (
	"os"
	"syscall"
)

// leaveQuickly starts the program anew, in the same process, with the race
// detector's wait of a second at the end of a process switched off. A step's
// clean environment cannot carry that setting, and it is gone again before the
// step looks at its environment.
func leaveQuickly() {
	const setting = "GORACE"
	if os.Getenv(setting) != "" {
		_ = os.Unsetenv(setting)
		return
	}
	if self, err := os.Executable(); err == nil {
		// On failure the program goes on as it is, a second slower.
		_ = syscall.Exec(self, os.Args, append(os.Environ(), setting+"=atexit_sleep_ms=0"))
	}
}
