package measure

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes this process the child subreaper (prctl(2)): a descendant
// whose parent dies becomes a child of this process instead of init's, so that
// the daemons of a command can be found. It is undone after the run, as this
// process would otherwise collect the orphans of children that are not measured.
func adoptOrphans() (undo func(), err error) {
	var was int32
	_, _, errno := unix.Syscall(unix.SYS_PRCTL, unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&was)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("prctl PR_GET_CHILD_SUBREAPER: %w", errno)
	}
	if was != 0 {
		return func() {}, nil
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("prctl PR_SET_CHILD_SUBREAPER: %w", err)
	}
	return func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }, nil
}

// errForeignProc is why nothing can be measured in a PID namespace without a /proc of
// its own: what is read there under the id of a process is about another one.
var errForeignProc = errors.New("/proc shows the processes of another PID namespace")

// checkProc returns errForeignProc where that is so: /proc/self is this process as
// that namespace numbers it (proc(5)). Without any /proc much is not measured, but
// nothing wrong is.
func checkProc() error {
	self, err := os.Readlink("/proc/self")
	if err == nil && self != strconv.Itoa(os.Getpid()) {
		return errForeignProc
	}
	return nil
}

// strays are the children of this process that have a session of their own and
// were there before the run: start time by process id. A measured command begins
// a session, which none of its descendants can leave for ours, so every other
// child outside our session descends from it; children inside our session
// (those of os/exec) never do.
type strays map[int]uint64

// ownStrays takes them down. Without any child there are none, and nothing is
// read; that is the rule, so that a run usually costs one system call here.
func ownStrays() strays {
	if childless(0) {
		return nil
	}
	s := strays{}
	for _, pid := range foreignChildren() {
		// With its start time, as the id may be given to a descendant of the
		// command once the caller has reaped this child.
		if stat, err := readStat(pid); err == nil {
			s[pid] = stat.start
		}
	}
	return s
}

// found lists the children of this process that came from the command. The
// command itself, while it is not reaped, is one of them.
func (s strays) found() []int {
	if childless(0) {
		return nil
	}
	return slices.DeleteFunc(foreignChildren(), func(pid int) bool {
		start, known := s[pid]
		if !known {
			return false
		}
		stat, err := readStat(pid)
		return err == nil && stat.start == start
	})
}

// sweep ends what the command left running, once it may have taken a while to
// end by itself, and returns the command lines of what had to be killed. The
// command itself must have been reaped.
func (s strays) sweep(wait time.Duration) (left []string, err error) {
	var noted []int
	begin := time.Now()
	for {
		found := s.found()
		if len(found) == 0 {
			return left, nil
		}
		// The dead count as found: what they forked meanwhile became a child of
		// this process before they died, but perhaps after it was listed.
		alive := reapDead(found)
		passed := time.Since(begin)
		switch {
		case len(alive) == 0:
		case passed > wait+killLimit:
			return left, fmt.Errorf("left processes %v behind, which do not end after SIGKILL: they hang in the kernel, or fork faster than they can be found", alive)
		case passed < wait:
			awaitDeath(alive, wait-passed)
		default:
			// Named before any is killed: with its parent gone, a process may be
			// gone too before it is looked at.
			tree := descendants(alive)
			left, noted = appendNames(tree, left, noted)
			killAll(tree)
			awaitDeath(alive, killAgain)
		}
	}
}

// maxLeft bounds what is said about a command that left a crowd behind.
const maxLeft = 50

// appendNames appends the command lines of those pids that are not noted yet.
func appendNames(pids []int, left []string, noted []int) ([]string, []int) {
	for _, pid := range pids {
		if len(noted) < maxLeft && !slices.Contains(noted, pid) {
			noted = append(noted, pid)
			left = append(left, processName(pid))
		}
	}
	return left, noted
}

// killAll sends SIGKILL to processes of sessions other than ours and to their
// process groups: a group is killed in one step, which what forks in a loop
// cannot outrun.
func killAll(pids []int) {
	own := unix.Getpgrp()
	for _, pid := range pids {
		if group, err := unix.Getpgid(pid); err == nil && group > 1 && group != own {
			_ = unix.Kill(-group, unix.SIGKILL)
		}
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// reapDead reaps those children that are dead and returns the others. It never
// waits for any child but these: the exit statuses of all others belong to
// whoever started them.
func reapDead(children []int) []int {
	return slices.DeleteFunc(children, func(pid int) bool {
		got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
		return got == pid || errors.Is(err, unix.ECHILD)
	})
}

// awaitDeath returns when the first of the children is dead or limit is over.
// Only children are waited for: when one dies its own children come to this
// process, and are found by the next look.
func awaitDeath(children []int, limit time.Duration) {
	var fds []unix.PollFd
	for _, pid := range children {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
	}
	if len(fds) < len(children) { // no pidfd: look again soon
		limit = min(limit, time.Millisecond)
	}
	ts := unix.NsecToTimespec(limit.Nanoseconds())
	_, _ = unix.Ppoll(fds, &ts, nil) // an interruption only means to look earlier
	for _, fd := range fds {
		_ = unix.Close(int(fd.Fd))
	}
}

// foreignChildren lists the children of this process in other sessions, dead
// ones that are not reaped yet included.
func foreignChildren() []int {
	session, err := unix.Getsid(0)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(children(os.Getpid()), func(pid int) bool {
		sid, err := unix.Getsid(pid)
		return err != nil || sid == session
	})
}

// descendants lists roots and all processes below them, parents first.
func descendants(roots []int) []int {
	var tree []int
	// An id may turn up twice, as parents die while the tree is walked.
	seen := map[int]bool{}
	for queue := roots; len(queue) > 0; queue = queue[1:] {
		pid := queue[0]
		if seen[pid] {
			continue
		}
		seen[pid] = true
		tree = append(tree, pid)
		queue = append(queue, children(pid)...)
	}
	return tree
}

// children lists the children of a process from /proc/PID/task/TID/children
// (proc(5)), and on kernels built without these files by a look at every process.
func children(pid int) []int {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	tasks, err := readNames(dir)
	if err != nil {
		return nil // it is gone
	}
	var found []int
	// A child belongs to the thread that forked it, and an orphan to the first
	// thread of the process that adopts it.
	for _, tid := range tasks {
		list, err := os.ReadFile(dir + "/" + tid + "/children")
		if errors.Is(err, os.ErrNotExist) && !hasChildrenFiles() {
			return childrenByParent(pid)
		}
		for _, field := range bytes.Fields(list) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}

// hasChildrenFiles tells a kernel without these files (CONFIG_PROC_CHILDREN)
// from a process that is gone.
func hasChildrenFiles() bool {
	_, err := os.Stat("/proc/self/task/" + strconv.Itoa(os.Getpid()) + "/children")
	return err == nil
}

// childrenByParent looks at the parent of every process: 1 to 10 ms, against
// 0.1 ms for the children files.
func childrenByParent(parent int) []int {
	names, err := readNames("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if stat, err := readStat(pid); err == nil && stat.parent == parent {
			found = append(found, pid)
		}
	}
	return found
}

// readNames is os.ReadDir without sorting and without a stat of every entry.
func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// A procStat is what is needed of /proc/PID/stat (proc_pid_stat(5)).
type procStat struct {
	state  byte
	parent int
	start  uint64 // clock ticks since boot
}

func readStat(pid int) (procStat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(string(data))
}

// parseStat splits after the last parenthesis, because the second field is the
// program's name in parentheses and may itself hold any byte.
func parseStat(line string) (procStat, error) {
	const state, parent, start = 0, 1, 19 // counted from the third field
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(fields) <= start {
		return procStat{}, fmt.Errorf("process status %q: %d fields after the name, want %d", line, len(fields), start+1)
	}
	ppid, err := strconv.Atoi(fields[parent])
	if err != nil {
		return procStat{}, fmt.Errorf("process status %q: parent: %w", line, err)
	}
	ticks, err := strconv.ParseUint(fields[start], 10, 64)
	if err != nil {
		return procStat{}, fmt.Errorf("process status %q: start time: %w", line, err)
	}
	return procStat{state: fields[state][0], parent: ppid, start: ticks}, nil
}

// processName is the command line of a process, or its name in brackets as
// ps(1) prints it when there is none.
func processName(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if args := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00"); err == nil && args[0] != "" {
		return commandLine(args)
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("[process %d]", pid)
	}
	return "[" + strings.TrimSpace(string(name)) + "]"
}

// childless reports whether this process (with unix.WNOTHREAD: this thread)
// has no children at all, dead ones included: the one quick answer to whether
// anything was left behind. The kernel gives it under one lock, so that a
// process which forks and exits at this moment cannot be missed.
func childless(options int) bool {
	return errors.Is(waitid(unix.P_ALL, 0, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL|options), unix.ECHILD)
}

// waitid is waitid(2) without its result, begun again when a signal interrupts it.
func waitid(kind, id, options int) error {
	for {
		err := unix.Waitid(kind, id, nil, options, nil)
		if err != unix.EINTR {
			return err
		}
	}
}
