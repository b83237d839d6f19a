//go:build linux && !amd64

package measure

import (
	"errors"

	"golang.org/x/sys/unix"
)

// nativeArchs is not needed where no filter is injected.
var nativeArchs []uint32

// injectFilter would have the tracee install a seccomp filter in itself. Its
// registers and instructions are known for amd64 alone; elsewhere every system
// call is watched.
func injectFilter(int, []unix.SockFilter) error {
	return errors.New("not known for this architecture")
}
