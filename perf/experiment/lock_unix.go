//go:build unix && !solaris && !aix

package experiment

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the advisory lock of f (flock(2)); where somebody holds it, it waits for
// it, or else takes nothing. The lock ends with the process, however that dies, and is not inherited by what the process executes.
// known is false where the file system has no locks.
func lock(f *os.File, wait bool) (taken, known bool) {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		return err == nil, err == nil || errors.Is(err, syscall.EWOULDBLOCK)
	}
}
