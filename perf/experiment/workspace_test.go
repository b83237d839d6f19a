package experiment

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

func TestWorkspaceIsRemoved(t *testing.T) {
	run := filepath.Join(t.TempDir(), "runs", "one")
	w, err := OpenWorkspace(run)
	if err != nil {
		t.Fatal(err)
	}
	// A module cache makes its folders read-only.
	sealed := filepath.Join(w.Dir, "mod", "pkg")
	if err := os.MkdirAll(sealed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(sealed, "f"), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(sealed, 0o555); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(run)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// abandoned makes a workspace as a run that was killed leaves it, which had the
// process id pid.
func abandoned(t *testing.T, run string, pid int) {
	t.Helper()
	w, err := OpenWorkspace(run)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.owner.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(run, ownerFile), []byte(strconv.Itoa(pid)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// deadPID is the id of a process that has ended.
func deadPID(t *testing.T) int {
	t.Helper()
	dead := exec.Command(os.Args[0], "-test.run=^$")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	return dead.Process.Pid
}

func TestWorkspaceSweepsTheDead(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "[perf] runs") // a bracket in a path is no pattern
	abandoned(t, filepath.Join(runs, "dead"), deadPID(t))
	living, err := OpenWorkspace(filepath.Join(runs, "alive"))
	if err != nil {
		t.Fatal(err)
	}
	next, err := OpenWorkspace(filepath.Join(runs, "next"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(runs, "dead", "work")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the work folder of a dead run is still there (%v)", err)
	}
	if _, err := os.Stat(living.Dir); err != nil {
		t.Errorf("the work folder of a living run is gone: %v", err)
	}
	if err := errors.Join(living.Close(), next.Close()); err != nil {
		t.Error(err)
	}
}

// A container that shares the folder knows no process of this one by its id, and a
// process that has nothing to do with it may have the id of a dead run.
func TestSweepGoesByTheLock(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "[perf] runs") // a bracket in a path is no pattern
	living, err := OpenWorkspace(filepath.Join(runs, "alive"))
	if err != nil {
		t.Fatal(err)
	}
	if _, known := lock(living.owner, false); !known {
		t.Skip("files cannot be locked here")
	}
	if err := os.WriteFile(filepath.Join(runs, "alive", ownerFile), []byte(strconv.Itoa(deadPID(t))), 0o644); err != nil {
		t.Fatal(err)
	}
	abandoned(t, filepath.Join(runs, "dead"), os.Getpid())
	next, err := OpenWorkspace(filepath.Join(runs, "next"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(living.Dir); err != nil {
		t.Errorf("the work folder of a living run is gone: %v", err)
	}
	if _, err := os.Stat(filepath.Join(runs, "dead", "work")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the work folder of a dead run is still there (%v)", err)
	}
	if err := errors.Join(living.Close(), next.Close()); err != nil {
		t.Error(err)
	}
}
