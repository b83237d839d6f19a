package experiment

import (
	"errors"
	"syscall"
)

// alive reports whether a process of that id exists and has not ended: a handle that
// somebody keeps lets the id outlive the process. One that may not be opened exists too.
// Signal 0 is no question that Windows answers: it would call every process dead.
func alive(pid int) bool {
	h, err := syscall.OpenProcess(syscall.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return errors.Is(err, syscall.ERROR_ACCESS_DENIED)
	}
	defer func() { _ = syscall.CloseHandle(h) }()
	event, err := syscall.WaitForSingleObject(h, 0)
	return err != nil || event == syscall.WAIT_TIMEOUT
}
