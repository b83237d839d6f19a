package measure

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

// errTraceRefused is why a memory run goes on without exit events.
var errTraceRefused = errors.New("ptrace is refused here")

// runMemory makes one memory run: traced where ptrace(2) is allowed, and
// otherwise (some containers) sampled only.
func (r *runner) runMemory(ctx context.Context, c Command, path string) (Memory, error) {
	if !r.noPtrace {
		a := &attempt{runner: r, ctx: ctx, cmd: c, path: path}
		mem, err := a.traced()
		if !errors.Is(err, errTraceRefused) {
			return mem, err
		}
	}
	a := &attempt{runner: r, ctx: ctx, cmd: c, path: path}
	return a.sampled()
}

// traced runs the command under ptrace. One thread traces, this goroutine
// drains the output and ends the command when it must, a third one samples.
func (a *attempt) traced() (Memory, error) {
	defer a.close()
	if err := a.open(); err != nil {
		return Memory{Run: a.run}, a.cmd.setupError(err)
	}
	dead, err := newEvent()
	if err != nil {
		return Memory{Run: a.run}, a.cmd.setupError(err)
	}
	a.exit = dead.fd
	a.later(dead.close)
	t := &tracer{attempt: a, census: newCensus(), dead: dead}
	a.ender.tree = t.census.live
	started, ended := make(chan error, 1), make(chan struct{})
	go onChildlessThread(func() (spoilt bool) {
		err := t.start()
		started <- err
		if err == nil {
			t.loop()
		}
		close(ended)
		return t.spoilt
	})
	if err := <-started; err != nil {
		<-ended
		return Memory{Run: a.run}, err
	}
	// From here on the tree lives, and every path must see it ended: serve
	// ends with the death of the command, endRest with that of its tree.
	stop := t.census.sampleEvery(sampleInterval, nil)
	err = a.serve()
	if !a.abandoned {
		err = errors.Join(err, t.endRest(ended))
	}
	stop()
	if !a.abandoned {
		err = errors.Join(err, a.settle())
	}
	mem := t.census.memory()
	mem.Run = a.run
	return mem, err
}

// sampled runs the command untraced and looks at its tree now and then. A child
// between vfork and execve counts twice here if a look meets it, and a process
// that lives for less than an interval may not count at all.
func (a *attempt) sampled() (Memory, error) {
	const reason = "ptrace is refused here (seccomp, or kernel.yama.ptrace_scope=3), so memory was only sampled: " +
		"peaks between samples are missed, and there is no upper bound; allow it, in Docker by --cap-add=SYS_PTRACE"
	c := newCensus()
	sampling := make(chan func(), 1)
	a.onStart = func() { sampling <- c.sampleEvery(sampleInterval, a.ender.members) }
	err := a.timedOnThread()
	select {
	case stop := <-sampling:
		stop()
	default: // it did not start, and err says why
	}
	mem := c.memory()
	mem.HasPeakBound, mem.PeakBound, mem.Reason = false, 0, reason
	mem.Run = a.run
	return mem, err
}

// onChildlessThread calls f on a locked thread that has no children, so that
// wait4(-1, __WNOTHREAD) there yields f's tracees alone: a Go thread may have
// forked before for any other goroutine. Nor is it the main thread, which the
// kernel gives orphans to. If f spoilt the thread, it ends.
func onChildlessThread(f func() (spoilt bool)) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() && childless(unix.WNOTHREAD) {
		if !f() {
			runtime.UnlockOSThread()
		}
		return
	}
	defer runtime.UnlockOSThread()
	// Another goroutine cannot get this thread while this one holds it.
	done := make(chan struct{})
	go func() {
		defer close(done)
		onChildlessThread(f)
	}()
	<-done
}
