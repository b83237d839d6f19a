package container

import (
	"os/exec"
	"path/filepath"
	"syscall"
)

// startDetached starts cmd without the console of the run, in a process group of its
// own, and outside its job object where that lets processes go.
func startDetached(cmd *exec.Cmd) error {
	const (
		detached  = 0x00000008 // DETACHED_PROCESS
		breakaway = 0x01000000 // CREATE_BREAKAWAY_FROM_JOB
	)
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | detached | breakaway, HideWindow: true}
	if err := cmd.Start(); err == nil {
		return nil
	}
	// A command whose Start failed may not be started again.
	again := exec.Cmd{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir, Stdin: cmd.Stdin, Stdout: cmd.Stdout,
		SysProcAttr: &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | detached, HideWindow: true}}
	*cmd = again
	return cmd.Start()
}

// homeVariable is where [os.UserHomeDir] looks.
const homeVariable = "USERPROFILE"

// rootOf is a folder that nobody wants to remove.
func rootOf(program string) string { return filepath.VolumeName(program) + `\` }

// closeInherited has nothing to close: os/exec names the handles that a child gets.
func closeInherited() error { return nil }
