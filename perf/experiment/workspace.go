package experiment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ownerFile holds, beside a run's work folder, the id of the process that owns it.
const ownerFile = "owner"

// A Workspace is the folder in which a run builds and writes: [suite.Work]. It is
// removed when the run ends; one whose owner was killed is removed by the next run.
type Workspace struct{ run, Dir string }

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
	if err := os.WriteFile(filepath.Join(abs, ownerFile), []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return nil, errors.Join(fmt.Errorf("marking the folder of the run: %w", err), w.Close())
	}
	if err := os.Mkdir(w.Dir, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("making the folder of the run: %w", err), w.Close())
	}
	return w, nil
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
	if err := os.Remove(filepath.Join(w.run, ownerFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the folder of the run: %w", err)
	}
	return nil
}

// sweep removes the work folders of runs whose owner is gone. What cannot be
// removed stays for the next time: it is somebody else's failure, not this run's.
func sweep(runs string) {
	for _, file := range inFolders(runs, ownerFile) {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err != nil || alive(pid) {
			continue
		}
		w := Workspace{run: filepath.Dir(file), Dir: filepath.Join(filepath.Dir(file), "work")}
		_ = w.Close()
	}
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
