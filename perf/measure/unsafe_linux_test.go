package measure_test

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// prctlGet asks prctl(2) for a number that it stores through a pointer.
func prctlGet(option int, v *int32) error {
	_, _, errno := unix.Syscall(unix.SYS_PRCTL, uintptr(option), uintptr(unsafe.Pointer(v)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
