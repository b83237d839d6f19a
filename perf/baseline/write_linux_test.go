package baseline

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// noTmpfs is the exit status of a child that may not mount.
const noTmpfs = 77

// inMountNamespace runs the test once more, as a process with mounts of its own: they
// are gone when it ends, however it ends. It reports whether this is that process.
func inMountNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(childPart) == t.Name() {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childPart+"="+t.Name(), childDir+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		// Root of a user namespace may mount a tmpfs.
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	exit, ran := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil && bytes.Contains(out, []byte("--- PASS: "+t.Name())):
	case err != nil && !ran:
		testenv.Missing(t, "tmpfs", "a mount namespace cannot be made: "+err.Error())
	case ran && exit.ExitCode() == noTmpfs:
		testenv.Missing(t, "tmpfs", strings.TrimSpace(string(out)))
	default:
		t.Errorf("in its mount namespace: %v\n%s", err, out)
	}
	return false
}

// mountSmall mounts a file system of 32 kB and returns a store in it.
func mountSmall(t *testing.T) Store {
	t.Helper()
	dir := os.Getenv(childDir)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32k"); err != nil {
		fmt.Printf("mounting a tmpfs: %v\n", err)
		os.Exit(noTmpfs)
	}
	return Store{Dir: filepath.Join(dir, "baselines")}
}

// A result of 50 kB does not fit beside the small one: the small one stays.
func TestFullDisk(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	s := mountSmall(t)
	path := save(t, s, result("old"), "main")
	before := contents(t, path)
	saved, err := s.Save(large("new"), "main")
	wantError(t, err, path, "no space left", "unchanged", "free some space")
	if saved != "" || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("saved as %q, %v", saved, err)
	}
	if contents(t, path) != before {
		t.Error("the old file has changed")
	}
	onlyFile(t, path)

	runs := Runs{Dir: filepath.Join(os.Getenv(childDir), "runs")}
	if _, err := runs.Write(large("new")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a run that does not fit: %v", err)
	}
	if r, skipped, err := runs.Newest(nil); r != nil || len(skipped) > 0 || err == nil {
		t.Errorf("it left %v, %v, %v", r, skipped, err)
	}
	save(t, s, result("new"), "main")
	onlyFile(t, path)
}

func TestReadOnlyFileSystem(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	s := mountSmall(t)
	path := save(t, s, result("old"), "main")
	before := contents(t, path)
	if err := syscall.Mount("", os.Getenv(childDir), "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"main", "other"} {
		_, err := s.Save(result("new"), name)
		wantError(t, err, name, "read-only file system", "unchanged", "mount it writable")
	}
	moved := result("new")
	moved.Suite = "clnrm"
	_, err := s.Save(moved, "main")
	wantError(t, err, "making its folder", "read-only")
	runs := Runs{Dir: filepath.Join(os.Getenv(childDir), "runs")}
	_, err = runs.Create("a")
	wantError(t, err, "run a", "read-only")
	if contents(t, path) != before {
		t.Error("the old file has changed")
	}
	onlyFile(t, path)
}
