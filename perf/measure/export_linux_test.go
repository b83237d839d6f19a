package measure

// Without makes the runs of a test go without pidfd or ptrace, as on systems
// that lack them; undo restores them.
func Without(pidfd, ptrace bool) (undo func()) {
	r := <-turn
	r.noPidfd, r.noPtrace = pidfd, ptrace
	r.release()
	return func() {
		r := <-turn
		r.noPidfd, r.noPtrace = false, false
		r.release()
	}
}
