package measure

import "time"

// Without makes the runs of a test go without pidfd or ptrace, as on systems
// that lack them; undo restores them.
func Without(pidfd, ptrace bool) (undo func()) {
	set := func(noPidfd, noPtrace bool) {
		r := <-turn
		r.noPidfd, r.noPtrace = noPidfd, noPtrace
		r.release()
	}
	set(pidfd, ptrace)
	return func() { set(false, false) }
}

// WithPatience gives what outlives a command so much longer to end by itself.
func WithPatience(more time.Duration) (undo func()) {
	set := func(more time.Duration) {
		r := <-turn
		r.morePatience = more
		r.release()
	}
	set(more)
	return func() { set(0) }
}

// OnDeath has f called between the death of a timed command and its reaping.
func OnDeath(f func()) (undo func()) {
	set := func(f func()) {
		r := <-turn
		r.onDeath = f
		r.release()
	}
	set(f)
	return func() { set(nil) }
}

// WithoutFilter makes memory runs watch every system call, as where no filter can
// be put into the command.
func WithoutFilter() (undo func()) {
	set := func(no bool) {
		r := <-turn
		r.noFilter = no
		r.release()
	}
	set(true)
	return func() { set(false) }
}

// Abandon leaves the warden as the end of this process would.
func (w *Warden) Abandon() error { return w.pipe.Close() }
