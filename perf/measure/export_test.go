package measure

import "time"

// Limit changes the limit of a watcher that got ready under another one.
func (r *Watcher) Limit(d time.Duration) { r.watch.Limit, r.lines.watch.Limit = d, d }

// WatchOutput is the hook by which a watcher sees the output of its command.
func WatchOutput(w Watch) func(stream int, p []byte, at time.Time) { return newWatchLines(w).output }
