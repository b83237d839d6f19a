package container

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// thisHost reads who this host and process are. kern.bootsessionuuid is new with each
// start of the system, kern.uuid stays.
func thisHost() hostView {
	h := hostView{pid: os.Getpid(), process: findProcess}
	if id, err := unix.Sysctl("kern.uuid"); err == nil && id != "" {
		h.id = identity(id)
	}
	if boot, err := unix.Sysctl("kern.bootsessionuuid"); err == nil && boot != "" {
		h.boot = identity(boot)
	}
	if tv, err := unix.SysctlTimeval("kern.boottime"); err == nil {
		h.booted = time.Unix(tv.Unix())
	}
	h.start, _ = findProcess(h.pid)
	return h
}

// findProcess reads the start of a process in microseconds. A zombie exists no more.
func findProcess(pid int) (start uint64, exists bool) {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return 0, false
	}
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0, true
	}
	const zombie = 5 // SZOMB of sys/proc.h
	began := info.Proc.P_starttime
	return uint64(began.Sec)*1e6 + uint64(began.Usec), info.Proc.P_stat != zombie
}
