//go:build !windows

package experiment

import (
	"errors"
	"os"
	"syscall"
)

// alive reports whether a process of that id exists. One that may not be signalled
// exists too.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}
