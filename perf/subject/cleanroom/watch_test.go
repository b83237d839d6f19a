package main

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/fsnotify/fsnotify"
)

// TestNextChange: what is queued is one change, each file named once; what is
// no save of a test file is none.
func TestNextChange(t *testing.T) {
	w := &fsnotify.Watcher{Events: make(chan fsnotify.Event, 10), Errors: make(chan error, 1)}
	for _, e := range []fsnotify.Event{
		{Name: "a.toml", Op: fsnotify.Chmod}, {Name: ".a.toml.swp", Op: fsnotify.Create}, {Name: "a.toml", Op: fsnotify.Remove},
		{Name: "a.toml", Op: fsnotify.Create}, {Name: "a.toml", Op: fsnotify.Write}, {Name: "b.toml", Op: fsnotify.Write},
	} {
		w.Events <- e
	}
	got, err := nextChange(t.Context(), w)
	if want := []string{`"a.toml"`, `"b.toml"`}; !slices.Equal(got, want) || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}

	w.Errors <- fsnotify.ErrEventOverflow
	if got, err := nextChange(t.Context(), w); len(got) != 1 || err != nil {
		t.Errorf("after an overflow: %q, %v; want one rerun", got, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := nextChange(ctx, w); got != nil || err != nil {
		t.Errorf("interrupted: %q, %v", got, err)
	}
	close(w.Events)
	if got, err := nextChange(t.Context(), w); err == nil || !strings.Contains(err.Error(), "watcher has ended") {
		t.Errorf("a dead watcher: %q, %v", got, err)
	}
}

func TestWatchRefuses(t *testing.T) {
	r := newRoom(t, nil)
	if _, complaints, status := r.call("run", "--watch", "absent"); status != 1 || !strings.Contains(complaints, "watch for changes: lstat absent: ") {
		t.Errorf("status %d, complaints %q", status, complaints)
	}
}
