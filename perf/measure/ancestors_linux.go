package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ancestors returns the unbroken chain of parents that are called one of names.
func ancestors(names []string) []ancestor {
	var out []ancestor
	for pid := os.Getppid(); pid > 1; pid = parentOf(pid) {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil || !named(exe, names) {
			break
		}
		out = append(out, ancestor{pid, filepath.Base(exe)})
	}
	return out
}

// parentOf reads the parent from /proc/PID/stat, in which it is the second field
// behind the name in parentheses (proc(5)).
func parentOf(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	line := string(data)
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// watchProcess calls died when the process ends. It waits on a pidfd, which stays
// bound to the process however its id is used again, beside a pipe that ends the wait.
func watchProcess(pid int, died func()) func() {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return pollProcess(func() bool { return unix.Kill(pid, 0) != unix.ESRCH }, died)
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		_ = unix.Close(fd)
		return pollProcess(func() bool { return unix.Kill(pid, 0) != unix.ESRCH }, died)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = unix.Close(fd) }()
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(pipe[0]), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(poll, -1); err != unix.EINTR {
				break
			}
		}
		if poll[0].Revents != 0 {
			died()
		}
	}()
	return func() {
		_ = unix.Close(pipe[1]) // a closed writer wakes the poll
		<-ended
		_ = unix.Close(pipe[0])
	}
}
