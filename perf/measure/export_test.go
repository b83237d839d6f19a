package measure

import "time"

// Limit changes the limit of a watcher that got ready under another one.
func (r *Watcher) Limit(d time.Duration) { r.watch.Limit, r.lines.watch.Limit = d, d }

// WatchOutput is the hook by which a watcher sees the output of its command.
func WatchOutput(w Watch) func(stream int, p []byte, at time.Time) { return newWatchLines(w).output }

// FollowLines is the reload of what is called name, saved at the time at, whose lines
// come in the given pieces, one a millisecond.
func FollowLines(w Watch, name string, at time.Time, pieces ...string) (r Reload, done bool) {
	l := newWatchLines(w)
	l.output(Stdout, []byte(w.Ready+"here\n"), at)
	l.saved = &saved{name: name, at: at}
	for i, p := range pieces {
		l.output(Stdout, []byte(p), at.Add(time.Duration(i+1)*time.Millisecond))
	}
	if l.saved.done {
		l.take(&r)
	}
	return r, l.saved.done
}
