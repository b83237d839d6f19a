//go:build unix && !linux

package measure

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A tree is a process group. Without a subreaper, a descendant that begins a
// session or a group of its own is out of reach.
type tree struct{ group int }

// treeAttr starts the command in a session and thereby a group of its own.
func treeAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func plant(p *os.Process) (*tree, error) { return &tree{group: p.Pid}, nil }

func (t *tree) interrupt() { _ = unix.Kill(-t.group, unix.SIGINT) }
func (t *tree) terminate() { _ = unix.Kill(-t.group, unix.SIGTERM) }
func (t *tree) kill()      { _ = unix.Kill(-t.group, unix.SIGKILL) }
func (t *tree) close()     {}

// empty reports whether no process of the group is left, as a signal that none
// gets (0 only asks) finds no addressee.
func (t *tree) empty() bool { return errors.Is(unix.Kill(-t.group, 0), unix.ESRCH) }

// sweep ends what is left of the group, once it may have ended by itself.
func (t *tree) sweep() []string {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for begin := time.Now(); time.Since(begin) < patience; <-ticker.C {
		if t.empty() {
			return nil
		}
	}
	left := []string{fmt.Sprintf("[processes of group %d]", t.group)}
	for begin := time.Now(); time.Since(begin) < killLimit && !t.empty(); <-ticker.C {
		t.kill()
	}
	return left
}

// underlying is the system's own error in that of os.StartProcess.
func underlying(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// setSystemUsage adds the signal and the counts of wait4(2). Its ru_maxrss is
// left alone: it is of the largest process, not of the tree.
func (r *Run) setSystemUsage(state *os.ProcessState) {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.Signal = unix.SignalName(status.Signal())
		if r.Signal == "" {
			r.Signal = fmt.Sprintf("signal %d", status.Signal())
		}
	}
	u, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return
	}
	r.HasFaults = true
	r.MinorFaults, r.MajorFaults = int64(u.Minflt), int64(u.Majflt)
	r.Voluntary, r.Involuntary = int64(u.Nvcsw), int64(u.Nivcsw)
}
