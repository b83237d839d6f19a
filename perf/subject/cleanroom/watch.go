package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// eventQueue is how many events are kept while a run is under way. More fill the
// kernel's queue, and then the system reports an overflow.
const eventQueue = 4096

// watch runs paths and runs them again after each change, until ctx ends. No
// timer holds a change back, since it would be in every measured reload: what
// the system has reported by the time that a rerun starts is one change, and
// what comes later is the next. So a file that is written in place may be run
// half written first, and again when it is whole; a save by rename is one rerun.
func (r *runner) watch(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	r.log.info(fromWatch, "Watch mode enabled - monitoring test files for changes")
	r.log.info(fromWatch, "Press Ctrl+C to stop watching")
	w, err := fsnotify.NewBufferedWatcher(eventQueue)
	if err != nil {
		return fmt.Errorf("watch for changes: %w", err)
	}
	defer func() { _ = w.Close() }() // the program ends
	// Armed before the first run, so that a change during it is not missed.
	if err := arm(w, paths); err != nil {
		return fmt.Errorf("watch for changes: %w", err)
	}
	if err := r.runPaths(ctx, paths); err != nil {
		r.log.warn(fromWatch, "Initial test run failed: %v", err)
	}
	for _, path := range paths {
		r.log.info(fromWatch, "Watching: %s", path)
	}
	for {
		changed, err := nextChange(ctx, w)
		if err != nil {
			return err
		}
		if changed == nil {
			return nil // interrupted: the way a watch ends
		}
		r.log.info(fromWatch, "File change detected: [%s]", strings.Join(changed, ", "))
		if err := arm(w, paths); err != nil { // directories that are new
			r.log.warn(fromWatch, "Some directories are not watched: %v", err)
		}
		r.log.info(fromWatch, "Rerunning tests...")
		_ = r.runPaths(ctx, paths) // the journal has it; a watch outlives a failed run
	}
}

// arm watches every directory of paths; of a file its directory, because a save
// by rename puts another file in the place of the one that was watched.
func arm(w *fsnotify.Watcher, paths []string) error {
	var errs []error
	for _, path := range paths {
		errs = append(errs, walkVisible(path, func(p string, isDir bool) {
			switch {
			case isDir:
				errs = append(errs, w.Add(p))
			case p == path:
				errs = append(errs, w.Add(filepath.Dir(p)))
			}
		}))
	}
	return errors.Join(errs...)
}

// nextChange waits for a change of a test file and returns, quoted, the names
// of all files that the events queued by then tell of. It returns nil when ctx
// has ended.
func nextChange(ctx context.Context, w *fsnotify.Watcher) ([]string, error) {
	var names []string
	for {
		var e fsnotify.Event
		var ok bool
		var err error
		// What is queued is taken first, and only when there is nothing left is
		// it decided whether to wait: a select over all would decide by chance.
		select {
		case e, ok = <-w.Events:
		default:
			if names != nil && ctx.Err() == nil {
				return names, nil
			}
			select {
			case <-ctx.Done():
				return nil, nil
			case err, ok = <-w.Errors:
			case e, ok = <-w.Events:
			}
		}
		switch {
		case errors.Is(err, fsnotify.ErrEventOverflow):
			return []string{`"many files"`}, nil // which ones is lost, that there were is not
		case err != nil:
			return nil, fmt.Errorf("watch for changes: %w", err)
		case !ok:
			return nil, errors.New("watch for changes: the watcher has ended")
		}
		if name := fmt.Sprintf("%q", e.Name); isSave(e) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
}

// isSave reports whether e tells of new content under the name of a test file,
// or of a new directory, which may hold test files by now. A removal, or a
// change of mode, gives nothing to run.
func isSave(e fsnotify.Event) bool {
	if strings.HasSuffix(e.Name, ".toml") {
		return e.Has(fsnotify.Create) || e.Has(fsnotify.Write)
	}
	if !e.Has(fsnotify.Create) || strings.HasPrefix(filepath.Base(e.Name), ".") {
		return false
	}
	info, err := os.Lstat(e.Name)
	return err == nil && info.IsDir()
}
