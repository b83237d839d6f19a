//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// inOwnGroup makes cmd the head of a process group, and its cancellation the
// end of the group, so that what a step has started ends with it.
func inOwnGroup(cmd *exec.Cmd) {
	// The terminal's Ctrl-C does not reach the group: the runner passes it on, so
	// that a step ends in one way only.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
