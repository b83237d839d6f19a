package experiment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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
	w := &Workspace{run: abs, Dir: filepath.Join(abs, "work")}
	if err := os.MkdirAll(w.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of the run: %w", err)
	}
	if err := os.WriteFile(filepath.Join(abs, ownerFile), []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return nil, errors.Join(fmt.Errorf("marking the folder of the run: %w", err), w.Close())
	}
	return w, nil
}

// Close removes the folder, and what repositories note about worktrees in it.
func (w *Workspace) Close() error {
	links, _ := filepath.Glob(filepath.Join(w.Dir, "*", ".git"))
	for _, link := range links {
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
	owners, _ := filepath.Glob(filepath.Join(runs, "*", ownerFile))
	for _, file := range owners {
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

// alive reports whether a process of that id exists. One that may not be signalled
// exists too.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}
