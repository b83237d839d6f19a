package measure

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A tracer follows the process tree of a command from its first execve, and has
// every process looked at just before it gives its memory back. Its methods run
// on the thread that traces.
type tracer struct {
	*attempt
	census *census
	dead   event // signalled when the command, though perhaps not its tree, is dead
	spoilt bool  // the thread is still bound to the CPUs of the command
	resume int   // the ptrace request that lets a tracee go on
}

// traceOptions: an event when a process or thread begins, executes a program, or
// is about to exit; and nothing traced outlives the tracer.
const traceOptions = unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE |
	unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_EXITKILL

// start starts the command as a tracee.
func (t *tracer) start() error {
	unpin, err := pin(t.cmd.CPUs)
	if err != nil {
		return &StartError{Args: t.cmd.Args, Dir: t.cmd.Dir, Err: err, Remedy: "name CPUs of that list"}
	}
	// PTRACE_TRACEME in the child stops it right after execve, before its
	// first instruction, so nothing of the tree escapes.
	err = t.attempt.start(&syscall.SysProcAttr{Ptrace: true})
	t.spoilt = unpin() != nil
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS):
		// If it was execve that is not permitted, the run that is only
		// sampled will say so.
		return fmt.Errorf("%w: %w", errTraceRefused, err)
	case err != nil:
		return t.cmd.startError(t.path, err)
	}
	if err := t.seize(); err != nil {
		_ = unix.Kill(t.pid, unix.SIGKILL)
		_ = t.reap()
		return fmt.Errorf("%w: %w", errTraceRefused, err)
	}
	t.census.add(t.pid, 0, false)
	return nil
}

// seize turns the tracing that the command asked for itself before execve into
// that of PTRACE_SEIZE (ptrace(2)), which alone tells a stop by job control from a
// signal and leaves the process stopped. Detached with a SIGSTOP it cannot run on
// in between.
func (t *tracer) seize() error {
	if _, err := awaitStop(t.pid); err != nil { // the SIGTRAP of its execve
		return err
	}
	options := t.watchExec()
	if err := ptrace(unix.PTRACE_DETACH, t.pid, uintptr(unix.SIGSTOP)); err != nil {
		return fmt.Errorf("PTRACE_DETACH: %w", err)
	}
	if err := ptrace(unix.PTRACE_SEIZE, t.pid, traceOptions|options); err != nil {
		return fmt.Errorf("PTRACE_SEIZE: %w", err)
	}
	status, err := awaitStop(t.pid)
	if err != nil {
		return err
	}
	// Either the SIGSTOP has stopped the process already, or it is about to be
	// delivered; to go on without a signal drops it then.
	if stopEvent(status) == unix.PTRACE_EVENT_STOP {
		if err := unix.Kill(t.pid, unix.SIGCONT); err != nil {
			return fmt.Errorf("SIGCONT: %w", err)
		}
	}
	return ptrace(t.resume, t.pid, 0)
}

// awaitStop waits for the next stop of the command.
func awaitStop(pid int) (unix.WaitStatus, error) {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, unix.WALL, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && !status.Stopped() {
			err = fmt.Errorf("ended with status %#x before it was traced", int(status))
		}
		return status, err
	}
}

// loop handles what happens to the tracees until there are none. Every process
// and thread below the command is one, also a daemon that has left its session,
// so the loop outlasts the command if anything of it survives.
func (t *tracer) loop() {
	for {
		var status unix.WaitStatus
		var usage unix.Rusage
		tid, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, &usage)
		switch {
		case err == unix.EINTR:
		case err != nil: // ECHILD
			return
		case status.Stopped():
			t.stopped(tid, status)
		default:
			t.census.remove(tid)
			if tid == t.pid {
				t.run.Wall = time.Since(t.run.Start)
				t.run.setStatus(status)
				t.run.setUsage(&usage)
				t.dead.signal()
			}
		}
	}
}

// stopped handles one stop of a tracee and lets it go on. A stop without event is
// a system call, if such are traced, or a signal on its way to the tracee, which is
// delivered by going on with it.
func (t *tracer) stopped(tid int, status unix.WaitStatus) {
	signal := status.StopSignal()
	switch event := stopEvent(status); event {
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, unix.PTRACE_EVENT_CLONE:
		if child, err := unix.PtraceGetEventMsg(tid); err == nil {
			t.census.add(int(child), tid, event == unix.PTRACE_EVENT_VFORK)
		}
		signal = 0
	case unix.PTRACE_EVENT_SECCOMP:
		t.calls(tid, filteredCall(tid))
		signal = 0
	case unix.PTRACE_EVENT_EXEC: // comes from the process id, whichever thread called execve
		t.census.executed(tid)
		signal = 0
	case unix.PTRACE_EVENT_EXIT:
		if tid == t.pid {
			// Its I/O is complete but for the exit itself.
			t.accounts.read(tid)
			t.accounts.enter(&t.run)
		}
		t.census.exiting(tid)
		signal = 0
	case unix.PTRACE_EVENT_STOP: // a new tracee begins so, and job control stops so
		if isJobStop(signal) {
			// It stays stopped, but is heard of when SIGCONT comes.
			_ = ptrace(unix.PTRACE_LISTEN, tid, 0)
			return
		}
		t.census.add(tid, 0, false) // if its parent's event has not come first
		signal = 0
	case 0:
		if signal == syscallStop {
			t.calls(tid, enteredCall(tid))
			signal = 0
		}
	}
	// Fails only if the tracee was killed meanwhile, which wait4 tells next.
	_ = ptrace(t.resume, tid, uintptr(signal))
}

// calls handles a system call that is about to be made.
func (t *tracer) calls(tid int, c call) {
	switch c {
	case callExec:
		t.census.executing(tid)
	case callPtrace:
		t.run.traces = true
	}
}

// isJobStop reports whether s is one of the four signals that stop a process.
func isJobStop(s unix.Signal) bool {
	return s == unix.SIGSTOP || s == unix.SIGTSTP || s == unix.SIGTTIN || s == unix.SIGTTOU
}

// stopEvent is the PTRACE_EVENT of a stop, 0 if a signal caused it.
func stopEvent(status unix.WaitStatus) int { return int(status) >> 16 }

// ptrace is ptrace(2) for the requests without an address.
func ptrace(request, tid int, data uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// endRest ends what the command left running, once it may have ended by itself.
// The tracer sees the deaths, so nothing is reaped here.
func (t *tracer) endRest(ended <-chan struct{}) error {
	wait := t.ender.graceLeft()
	if closedWithin(ended, wait) {
		return nil
	}
	t.run.LeftBehind, _ = appendNames(t.census.live(), nil, nil)
	for begin := time.Now(); time.Since(begin) < killLimit; {
		killAll(t.census.live())
		if closedWithin(ended, killAgain) {
			return nil
		}
	}
	t.abandoned = true
	return fmt.Errorf("%s: left processes %v behind, which do not end after SIGKILL; they hang in the kernel", t.cmd, t.census.live())
}

func closedWithin(c <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
		return false
	}
}
