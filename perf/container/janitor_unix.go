//go:build unix

package container

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// startDetached starts cmd in a session of its own, out of reach of the terminal's
// signals and of those to the group of the run.
func startDetached(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// homeVariable is where [os.UserHomeDir] looks.
const homeVariable = "HOME"

// rootOf is a folder that nobody wants to remove or unmount.
func rootOf(string) string { return "/" }

// closeInherited closes the files beyond the standard three that this process got from
// its parent. Those that the Go runtime opened since are closed on exec; what survived
// an exec is not. A program that Go started gets none, but the run itself may have got
// some from whoever started it, and has passed them on unknowingly.
func closeInherited() error {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return fmt.Errorf("listing the files that are open: %w", err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < 3 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd) // nothing was written to it
		}
	}
	return nil
}
