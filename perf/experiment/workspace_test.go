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

func TestWorkspaceSweepsTheDead(t *testing.T) {
	// A bracket in a path is no pattern.
	runs := filepath.Join(t.TempDir(), "[perf] runs")
	dead := exec.Command(os.Args[0], "-test.run=^$")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	for name, pid := range map[string]int{"dead": dead.Process.Pid, "alive": os.Getpid()} {
		w, err := OpenWorkspace(filepath.Join(runs, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.run, ownerFile), []byte(strconv.Itoa(pid)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenWorkspace(filepath.Join(runs, "next")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(runs, "dead", "work")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the work folder of a dead run is still there (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(runs, "alive", "work")); err != nil {
		t.Errorf("the work folder of a living run is gone: %v", err)
	}
}
