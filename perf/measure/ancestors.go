package measure

import (
	"context"
	"path/filepath"
	"strings"
	"time"
)

// WithAncestors returns a context that ends when one of the programs above this
// process dies whose name is in names, such as "mage" and "go": go tool mage starts
// mage, which starts the compiled targets, and neither passes on every signal that
// kills it. Only an unbroken chain of such parents is watched, so that a shell or a
// CI agent may end before its background job does.
//
// stop ends the watching; it must be called. The cause of the context
// ([context.Cause]) names the program that died.
func WithAncestors(ctx context.Context, names ...string) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	var watches []func()
	for _, a := range ancestors(names) {
		watches = append(watches, watchProcess(a.pid, func() { cancel(&AncestorError{a.name, a.pid}) }))
	}
	return watched, func() {
		for _, end := range watches {
			end()
		}
		cancel(context.Canceled)
	}
}

// An AncestorError says that a program which had started this process, directly or
// not, is gone.
type AncestorError struct {
	Name string
	PID  int
}

func (e *AncestorError) Error() string {
	return "the process above this one is gone: " + e.Name
}

type ancestor struct {
	pid  int
	name string
}

// named reports whether the program at path is one of names.
func named(path string, names []string) bool {
	base := strings.TrimSuffix(filepath.Base(strings.TrimSuffix(path, " (deleted)")), ".exe")
	for _, n := range names {
		if base == n {
			return true
		}
	}
	return false
}

// ancestorPoll is how often a system that cannot wait for a process that is no
// child is asked whether it still lives.
const ancestorPoll = 250 * time.Millisecond

// pollProcess calls died once when alive turns false. It returns a func that ends it.
func pollProcess(alive func() bool, died func()) func() {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(ancestorPoll)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if !alive() {
					died()
					return
				}
			}
		}
	}()
	return func() { close(done) }
}
