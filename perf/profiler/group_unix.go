//go:build unix

package profiler

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// inGroup makes a command the leader of a process group, to which Ctrl-C goes when its
// context ends: recorders write what they have then. One that is alone is no recorder.
func inGroup(cmd *exec.Cmd, alone bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr, alone)
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// killGroup ends what a command has left in its group.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // nobody left is well
