package experiment

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ownerFile holds, beside a run's work folder, the id of the process that owns it, and
// is locked by it. The lock alone tells the living from the dead where it can be had: a
// container that shares the folder sees no process of another one by its id, and the id
// of a dead process may be in use again.
const ownerFile = "owner"

// A Workspace is the folder in which a run builds and writes: [suite.Work]. It is
// removed when the run ends; one whose owner was killed is removed by the next run.
type Workspace struct {
	run, Dir string
	owner    *os.File // open and locked as long as the run lives
}

// OpenWorkspace makes the folder "work" in the folder of a run, after removing the
// work folders that dead runs beside it have left.
func OpenWorkspace(runDir string) (*Workspace, error) {
	abs, err := filepath.Abs(runDir)
	if err != nil {
		return nil, fmt.Errorf("finding the folder of the run: %w", err)
	}
	sweep(filepath.Dir(abs))
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of the run: %w", err)
	}
	w := &Workspace{run: abs, Dir: filepath.Join(abs, "work")}
	// The mark comes first: a folder without one is never swept.
	if err := w.own(); err != nil {
		return nil, errors.Join(fmt.Errorf("marking the folder of the run: %w", err), w.Close())
	}
	if err := os.Mkdir(w.Dir, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("making the folder of the run: %w", err), w.Close())
	}
	return w, nil
}

// own writes and locks the owner file, in such an order that a sweep at this moment
// finds it locked or empty.
func (w *Workspace) own() (err error) {
	if w.owner, err = os.Create(filepath.Join(w.run, ownerFile)); err != nil {
		return err
	}
	// It waits, as a sweep may hold the lock while it finds the file empty. Where files
	// cannot be locked, as on some network file systems, the id must do.
	_, _ = lock(w.owner, true)
	_, err = w.owner.WriteString(strconv.Itoa(os.Getpid()))
	return err
}

// Close removes the folder, and what repositories note about worktrees in it.
func (w *Workspace) Close() error {
	for _, link := range inFolders(w.Dir, ".git") {
		if err := removeWorktree(filepath.Dir(link)); err != nil {
			return err
		}
	}
	if err := removeAll(w.Dir); err != nil {
		return fmt.Errorf("removing the folder of the run: %w", err)
	}
	if w.owner != nil {
		_ = w.owner.Close() // it is removed next; Windows wants it closed before
	}
	if err := os.Remove(filepath.Join(w.run, ownerFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the folder of the run: %w", err)
	}
	return nil
}

// sweep removes the work folders of runs whose owner is gone. What cannot be
// removed stays for the next time: it is somebody else's failure, not this run's.
func sweep(runs string) {
	for _, file := range inFolders(runs, ownerFile) {
		if f := orphaned(file); f != nil {
			w := Workspace{run: filepath.Dir(file), Dir: filepath.Join(filepath.Dir(file), "work"), owner: f}
			_ = w.Close()
		}
	}
}

// orphaned opens an owner file, if the run that it belongs to is dead, and holds its
// lock, so that of two sweeps only one removes the folder.
func orphaned(file string) *os.File {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	free, known := lock(f, false)
	data, err := io.ReadAll(f)
	pid, perr := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || perr != nil || known && !free || !known && alive(pid) {
		_ = f.Close() // nothing was written
		return nil
	}
	return f
}

// inFolders returns the paths of what is called name in the folders of dir. It is not
// [filepath.Glob], to which a [ in the path of the user's repository is a pattern.
func inFolders(dir, name string) []string {
	entries, _ := os.ReadDir(dir) // a folder that cannot be read has nothing to offer
	var found []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name(), name)
		if _, err := os.Lstat(path); err == nil {
			found = append(found, path)
		}
	}
	return found
}
