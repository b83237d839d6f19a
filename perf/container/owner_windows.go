package container

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/windows/registry"
)

// thisHost reads who this host and process are. A process's start is a time of the
// calendar here, so that no start of the host needs to be told from another one.
func thisHost() hostView {
	h := hostView{pid: os.Getpid(), process: findProcess}
	// The machine's id lies in the 64-bit view, whatever this program is.
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err == nil {
		if id, _, err := key.GetStringValue("MachineGuid"); err == nil && id != "" {
			h.id = identity(id)
		}
		_ = key.Close()
	}
	h.start, _ = findProcess(h.pid)
	return h
}

// findProcess reads when a process began, in units of 100 ns. One that has ended keeps
// its id as long as somebody holds a handle of it.
func findProcess(pid int) (start uint64, exists bool) {
	const queryLimited = 0x1000 // PROCESS_QUERY_LIMITED_INFORMATION
	h, err := syscall.OpenProcess(syscall.SYNCHRONIZE|queryLimited, false, uint32(pid))
	if err != nil {
		return 0, errors.Is(err, syscall.ERROR_ACCESS_DENIED)
	}
	defer func() { _ = syscall.CloseHandle(h) }()
	event, err := syscall.WaitForSingleObject(h, 0)
	running := err != nil || event == syscall.WAIT_TIMEOUT
	var created, exited, kernel, user syscall.Filetime
	if err := syscall.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
		return 0, running
	}
	return uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime), running
}
