package container

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// initSpace is the process id namespace of the host, which has a fixed number
// (include/linux/proc_ns.h, PROC_PID_INIT_INO).
const initSpace = 0xEFFFFFFC

// thisHost reads who this host and process are. The boot id alone names the kernel;
// the machine's id (machine-id(5)) and name tell its earlier starts.
func thisHost() hostView {
	h := hostView{id: hostDigest(), pid: os.Getpid(), process: findProcess}
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.boot = identity(strings.TrimSpace(string(boot)))
	}
	h.booted = bootTime()
	// /proc may be that of another namespace, as where a container mounts the host's.
	own, err := os.Readlink("/proc/self")
	if err != nil || own != strconv.Itoa(h.pid) {
		h.process = func(pid int) (uint64, bool) { return 0, !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
		return h
	}
	h.start, _, _ = processStat(h.pid)
	if link, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		_, _ = fmt.Sscanf(link, "pid:[%d]", &h.space)
	}
	if h.space == initSpace {
		h.inSpaces = inSpaces
	}
	return h
}

func hostDigest() string {
	id, err := os.ReadFile("/etc/machine-id")
	name, nameErr := os.Hostname()
	if err != nil || nameErr != nil || len(bytes.TrimSpace(id)) == 0 {
		return ""
	}
	return identity(strings.TrimSpace(string(id)) + " " + name)
}

// bootTime is when this host was started: btime of /proc/stat (proc(5)).
func bootTime() time.Time {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	_, rest, ok := strings.Cut(string(data), "\nbtime ")
	line, _, _ := strings.Cut(rest, "\n")
	sec, err := strconv.ParseInt(line, 10, 64)
	if !ok || err != nil {
		return time.Time{}
	}
	return time.Unix(sec, 0)
}

// findProcess asks by signal 0 first, because /proc may hide the processes of others
// (hidepid). One that is dead and not yet waited for exists no more.
func findProcess(pid int) (start uint64, exists bool) {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return 0, false
	}
	start, state, err := processStat(pid)
	if err != nil {
		return 0, true
	}
	return start, state != 'Z' && state != 'X'
}

// processStat reads the state and the start of a process from /proc/PID/stat, fields 3
// and 22; the name in parentheses before them may hold anything (proc(5)).
func processStat(pid int) (start uint64, state byte, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("/proc/%d/stat: %d fields behind the name", pid, len(fields))
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0][0], err
}

// inSpaces looks for a process that has the id pid in a namespace below this one: the
// last number of NSpid in /proc/PID/status. Whoever cannot see all processes gets an
// error, and not the answer that there is none.
func inSpaces(pid int) (bool, error) {
	// Process 1 belongs to root: whoever reads it is shown everybody's.
	if _, err := os.Stat("/proc/1/status"); err != nil {
		return false, errors.New("/proc hides the processes of other users")
	}
	statuses, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return false, err
	}
	for _, path := range statuses {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it ended meanwhile
		}
		if err != nil {
			return false, err
		}
		if ids := namespaceIDs(string(data)); len(ids) > 1 && ids[len(ids)-1] == strconv.Itoa(pid) {
			return true, nil
		}
	}
	return false, nil
}

// namespaceIDs are the ids of a process, from this namespace inwards.
func namespaceIDs(status string) []string {
	_, rest, _ := strings.Cut(status, "\nNSpid:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Fields(line)
}
