//go:build unix

package measure

import (
	"os/exec"
	"syscall"
)

// endWithChildren puts a command into a process group of its own and lets the end
// of its context end the group: many tools are scripts around the real program.
func endWithChildren(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
