package measure

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// serve drains the output of the command, and ends it when its time or the
// context is over, until it is dead. One thread does all of it: handing output or the end of the command from one goroutine
// to another costs a wake-up, which is what a short command takes to run.
func (a *attempt) serve() error {
	const exit, wake, out, errs = 0, 1, 2, 3
	// ppoll passes over negative descriptors, as a.wake is without a context.
	fds := [4]unix.PollFd{
		exit: {Fd: int32(a.exit), Events: unix.POLLIN},
		wake: {Fd: int32(a.wake), Events: unix.POLLIN},
		out:  {Fd: int32(a.out.r), Events: unix.POLLIN},
		errs: {Fd: int32(a.err.r), Events: unix.POLLIN},
	}
	if a.cmd.Timeout > 0 {
		a.ender.next = a.run.Start.Add(a.cmd.Timeout)
	}
	for {
		_, err := unix.Ppoll(fds[:], a.ender.wait(), nil)
		if err != nil && err != unix.EINTR {
			a.ender.kill()
			return fmt.Errorf("%s: poll: %w", a.cmd, err)
		}
		if err == nil { // else Revents is stale
			// First, so that a command which ended by itself is never
			// called timed out; what its pipes still hold is drained later.
			if fds[exit].Revents != 0 {
				return nil
			}
			if fds[wake].Revents != 0 {
				fds[wake].Fd = -1 // once is enough
				a.ender.contextEnded(time.Now())
			}
			if fds[out].Revents != 0 {
				a.out.read(a)
			}
			if fds[errs].Revents != 0 {
				a.err.read(a)
			}
		}
		if err := a.ender.tick(time.Now()); err != nil {
			return err
		}
	}
}

// An ending takes a command that must end through its steps: SIGTERM to the
// whole tree, the grace, SIGKILL to the whole tree. Where the command is to be
// interrupted, SIGINT to its process group and the same grace come first.
type ending struct {
	attempt *attempt
	step    endStep
	next    time.Time    // when the next step is due; zero: none is
	termed  time.Time    // when SIGTERM was sent, or SIGINT while that was enough
	giveUp  time.Time    // when to stop waiting for a process that SIGKILL does not end
	cause   error        // why the run is incomplete: the context's error
	tree    func() []int // lists the tree, if a tracer knows it better than /proc
}

type endStep int

const (
	running endStep = iota
	interrupted
	terminated
	killed
)

// killAgain is how often SIGKILL is repeated, for what was forked meanwhile.
const killAgain = 50 * time.Millisecond

// wait is how long until the next step, for ppoll: nil is for ever.
func (e *ending) wait() *unix.Timespec {
	if e.next.IsZero() {
		return nil
	}
	ts := unix.NsecToTimespec(max(0, time.Until(e.next)).Nanoseconds())
	return &ts
}

// contextEnded begins the ending because of the context. If the timeout was
// first, its steps go on, but the run is incomplete all the same.
func (e *ending) contextEnded(now time.Time) {
	a := e.attempt
	if e.cause == nil {
		e.cause = fmt.Errorf("%s: ended after %v: %w", a.cmd, now.Sub(a.run.Start).Round(time.Millisecond), ctxErr(a.ctx))
	}
	if e.step == running {
		e.begin(now)
	}
}

// tick takes the step that is due at now, if any.
func (e *ending) tick(now time.Time) error {
	if e.next.IsZero() || now.Before(e.next) {
		return nil
	}
	switch e.step {
	case running:
		e.attempt.run.TimedOut = true
		e.begin(now)
	case interrupted:
		e.terminate(now)
	case terminated:
		e.step, e.giveUp = killed, now.Add(killLimit)
		fallthrough
	case killed:
		if now.After(e.giveUp) {
			e.attempt.abandoned = true
			return fmt.Errorf("%s: process %d does not end %v after SIGKILL; it hangs in the kernel (ps -o stat,wchan -p %[2]d)",
				e.attempt.cmd, e.attempt.pid, killLimit)
		}
		e.kill()
		e.next = now.Add(killAgain)
	}
	return nil
}

// begin takes the first step.
func (e *ending) begin(now time.Time) {
	if cmd := e.attempt.cmd; cmd.Interrupt && cmd.grace() > 0 {
		e.step, e.termed, e.next = interrupted, now, now.Add(cmd.grace())
		// By group, as a terminal does: a program that gives its children a group of
		// their own counts on passing the interrupt on itself.
		_ = unix.Kill(-e.attempt.pid, unix.SIGINT)
		return
	}
	e.terminate(now)
}

// terminate sends SIGTERM to the tree, and is followed by SIGKILL after the grace.
func (e *ending) terminate(now time.Time) {
	// The clock of the grace starts before the tree is listed, so that a crowd
	// of processes does not lengthen it.
	grace := e.attempt.cmd.grace()
	e.step, e.termed, e.next = terminated, now, now.Add(grace)
	if grace == 0 {
		return // the next tick, at once, kills
	}
	// One by one and not by group: a program that gets SIGTERM twice, for
	// itself and for its group, often takes the second for "at once".
	for _, pid := range e.members() {
		_ = unix.Kill(pid, unix.SIGTERM)
	}
}

// kill sends SIGKILL to the tree as it is now. What is forked between the
// listing and the signal is met by the next round.
func (e *ending) kill() {
	killAll(e.members())
	// Where /proc hides processes, the process group is what is left.
	_ = unix.Kill(-e.attempt.pid, unix.SIGKILL)
}

// members lists the command, its descendants, and those that have lost their
// parents and came to this process.
func (e *ending) members() []int {
	if e.tree != nil {
		return e.tree()
	}
	return descendants(append([]int{e.attempt.pid}, e.attempt.ours.found()...))
}

// graceLeft is how long the processes that the command left behind may still
// take to end by themselves: if the command itself obeyed SIGTERM, they got it
// at the same time and have the rest of the same grace.
func (e *ending) graceLeft() time.Duration {
	wait := patience + e.attempt.morePatience
	if e.step != terminated && e.step != interrupted {
		return wait
	}
	return max(wait, time.Until(e.termed.Add(e.attempt.cmd.grace())))
}
