package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readSize is how much one read takes out of a pipe. It fits a second-level
// cache, so that a flooding command is not slowed by its reader.
const readSize = 256 << 10

// A runner owns what runs share, so that none allocates in its timed part.
type runner struct {
	buf  []byte
	tail tail

	// Set by tests alone: to take the paths of systems that lack these, and
	// not to depend on how fast a loaded machine ends a process.
	noPidfd, noPtrace, noFilter bool
	events                      []countable // to count instead of the hardware's
	morePatience                time.Duration
	onDeath                     func() // called between the death of a timed command and its reaping
}

// An attempt is one run in progress.
type attempt struct {
	*runner
	ctx  context.Context
	cmd  Command
	path string
	run  Run

	null     int     // standard input of the command
	out, err pipe    // its output
	exit     int     // readable once the command is dead: a pidfd, or an eventfd
	wake     int     // readable once the context has ended; -1: it cannot
	ours     strays  // children of this process that are not the command's
	ender    *ending // ends the command when it must
	pid      int
	accounts accounts // what the kernel keeps of the command until it is reaped
	counters *counters
	closers  []func() // run last to first by close

	abandoned bool   // the command cannot be ended, and what serves it stays
	onStart   func() // called once the command runs
}

// run makes one timed run. It has a goroutine and thereby, locked to it, a
// thread of its own: the parent-death signal of the command is bound to the
// thread that forked, which must therefore live until the command is reaped, and
// the CPU affinity of the command is inherited from it.
func (r *runner) run(ctx context.Context, c Command, path string) (Run, error) {
	a := &attempt{runner: r, ctx: ctx, cmd: c, path: path}
	err := a.timedOnThread()
	return a.run, err
}

// timedOnThread calls timed on a locked thread, and gives the thread up if it
// comes back spoilt.
func (a *attempt) timedOnThread() error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		spoilt, err := a.timed()
		if !spoilt {
			runtime.UnlockOSThread()
		} // else the thread ends with this goroutine
		failed <- err
	}()
	return <-failed
}

// timed is one timed run on the locked thread. It reports whether the thread
// is spoilt, that is, still bound to the CPUs of the command.
func (a *attempt) timed() (spoilt bool, err error) {
	defer a.close()
	if err := a.open(); err != nil {
		return false, a.cmd.setupError(err)
	}
	unpin, err := pin(a.cmd.CPUs)
	if err != nil {
		return false, &StartError{Args: a.cmd.Args, Dir: a.cmd.Dir, Err: err, Remedy: "name CPUs of that list"}
	}
	if a.cmd.Count {
		a.counters = a.count()
		defer a.counters.close()
	}
	before := readContention()
	pidfd := -1
	sys := &syscall.SysProcAttr{PidFD: &pidfd}
	err = a.start(sys)
	spoilt = unpin() != nil
	if err != nil {
		return spoilt, a.cmd.startError(a.path, err)
	}
	if err := a.awaitExit(pidfd); err != nil {
		_ = unix.Kill(a.pid, unix.SIGKILL)
		_ = a.reap()
		return spoilt, err
	}
	if a.onStart != nil {
		a.onStart()
	}
	if err := a.serve(); err != nil {
		if !a.abandoned {
			_ = a.reap() // it was killed
		}
		return spoilt, err
	}
	if a.onDeath != nil {
		a.onDeath()
	}
	a.accounts.read(a.pid)
	err = a.reap()
	a.counters.enter(&a.run)
	a.accounts.enter(&a.run)
	before.until(readContention(), &a.run)
	if err != nil {
		return spoilt, err
	}
	return spoilt, a.settle()
}

// settle ends what the command left running, and concludes the Run. The order
// matters: what survives may hang in a write to a full pipe, and would not end by
// itself unless the pipe is emptied first.
func (a *attempt) settle() error {
	a.out.drain(a)
	a.err.drain(a)
	left, err := a.ours.sweep(a.ender.graceLeft())
	a.run.LeftBehind = append(a.run.LeftBehind, left...)
	a.out.drain(a) // what came while it was being ended
	a.err.drain(a)
	a.run.Output, a.run.OutputBytes = a.tail.bytes(), a.tail.total
	if a.ender.cause != nil {
		return a.ender.cause
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.cmd, err)
	}
	return nil
}

// open makes everything that the run needs before its clock starts.
func (a *attempt) open() error {
	a.run.Args, a.run.Timeout = slices.Clone(a.cmd.Args), a.cmd.Timeout
	a.exit, a.wake = -1, -1
	a.tail.reset(a.cmd.keep())
	if a.buf == nil {
		a.buf = make([]byte, readSize)
	}
	var err error
	if a.null, err = unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	a.later(func() { _ = unix.Close(a.null) })
	a.out.stream, a.err.stream = Stdout, Stderr
	for _, p := range []*pipe{&a.out, &a.err} {
		if err := p.open(); err != nil {
			return err
		}
		a.later(p.close)
	}
	unadopt, err := adoptOrphans()
	if err != nil {
		return err
	}
	a.later(unadopt)
	if err := checkProc(); err != nil {
		return err
	}
	a.ours = ownStrays()
	a.ender = &ending{attempt: a}
	return a.wakeOnContext()
}

// later registers f to be called by close. Defer would not do: what is opened
// step by step must stay open until the run, begun by the caller, is over.
func (a *attempt) later(f func()) { a.closers = append(a.closers, f) }

func (a *attempt) close() {
	if a.abandoned {
		return
	}
	for _, f := range slices.Backward(a.closers) {
		f()
	}
}

// wakeOnContext makes a.wake readable when the context ends.
func (a *attempt) wakeOnContext() error {
	if a.ctx.Done() == nil {
		return nil
	}
	wake, err := newEvent()
	if err != nil {
		return err
	}
	a.wake = wake.fd
	a.later(wake.close)
	signalled := make(chan struct{})
	stop := context.AfterFunc(a.ctx, func() {
		wake.signal()
		close(signalled)
	})
	a.later(func() {
		if !stop() {
			<-signalled // or it would write to a descriptor that is someone else's by then
		}
	})
	return nil
}

// start forks and executes the command, whose time begins just before. The
// command leads a session of its own: that is what tells its descendants from
// other children of this process, and it takes the terminal away, so that a
// command which asks for a password fails instead of waiting for ever. It costs
// about 8 µs, where the kernel gives every session its scheduling group.
func (a *attempt) start(sys *syscall.SysProcAttr) error {
	sys.Setsid = true
	sys.Pdeathsig = syscall.SIGKILL
	attr := &syscall.ProcAttr{
		Dir:   a.cmd.Dir,
		Env:   a.cmd.environ(),
		Files: []uintptr{uintptr(a.null), uintptr(a.out.w), uintptr(a.err.w)},
		Sys:   sys,
	}
	a.run.Start = time.Now()
	pid, err := syscall.ForkExec(a.path, a.cmd.Args, attr)
	if err != nil {
		return err
	}
	a.pid = pid
	return nil
}

// awaitExit sees to it that a.exit becomes readable at the death of the command:
// it is the pidfd, or on kernels without (before 5.3) an event that another
// thread, which waits without reaping, signals.
func (a *attempt) awaitExit(pidfd int) error {
	if pidfd >= 0 {
		a.later(func() { _ = unix.Close(pidfd) })
		if !a.noPidfd {
			a.exit = pidfd
			return nil
		}
	}
	exit, err := newEvent()
	if err != nil {
		return err
	}
	a.exit = exit.fd
	a.later(exit.close)
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		_ = waitid(unix.P_PID, a.pid, unix.WEXITED|unix.WNOWAIT)
		exit.signal()
	}()
	a.later(func() { <-waited })
	return nil
}

// reap waits for the command, which is dead by now, stops its clock and takes
// down its usage. It waits for this child alone: RUSAGE_CHILDREN would add up all children of
// the process, and keep the maximum of all since it began.
func (a *attempt) reap() error {
	var status unix.WaitStatus
	var usage unix.Rusage
	for {
		_, err := unix.Wait4(a.pid, &status, 0, &usage)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: wait for process %d: %w; something else in this process waits for all children", a.cmd, a.pid, err)
		}
		break
	}
	a.run.Wall = time.Since(a.run.Start)
	a.run.setStatus(status)
	a.run.setUsage(&usage)
	return nil
}

func (r *Run) setStatus(status unix.WaitStatus) {
	r.ExitCode = status.ExitStatus() // -1 unless it exited by itself
	if status.Signaled() {
		r.Signal = unix.SignalName(status.Signal())
		if r.Signal == "" { // a real-time signal has no name
			r.Signal = fmt.Sprintf("signal %d", status.Signal())
		}
	}
}

// setUsage leaves ru_maxrss alone: execve folds into it the peak of the process
// that forked, which is this one.
func (r *Run) setUsage(u *unix.Rusage) {
	r.User = time.Duration(u.Utime.Nano())
	r.System = time.Duration(u.Stime.Nano())
	r.HasFaults = true
	r.MinorFaults, r.MajorFaults = int64(u.Minflt), int64(u.Majflt)
	r.Voluntary, r.Involuntary = int64(u.Nvcsw), int64(u.Nivcsw)
}

// setupError is for what fails before there is anything to start.
func (c Command) setupError(err error) error {
	remedy := "is this process out of file descriptors (ulimit -n)?"
	if errors.Is(err, errForeignProc) {
		remedy = "mount the /proc of this PID namespace, as unshare --mount-proc does"
	}
	return &StartError{Args: c.Args, Dir: c.Dir, Err: err, Remedy: remedy}
}
