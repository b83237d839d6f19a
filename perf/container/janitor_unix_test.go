//go:build unix

package container

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestJanitor ends a run in the ways in which runs end without having cleaned up.
// Nothing of it may be left within 60 s, and its output must end at once.
func TestJanitor(t *testing.T) {
	if testing.Short() {
		t.Skip("a janitor waits for 10 s before it leaves")
	}
	realEngine(t)
	probe := probeFile(t)
	for _, c := range []struct {
		name       string
		containers int
		end        func(pid int) error // nil: it ends by itself, without cleaning up
	}{
		{"kill -9 with 100 at once", 100, func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }},
		{"an end without cleaning up", 3, nil},
		{"SIGTERM to the group", 3, func(pid int) error { return syscall.Kill(-pid, syscall.SIGTERM) }},
		{"Ctrl-C", 3, func(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) }},
		{"SIGHUP to the group", 3, func(pid int) error { return syscall.Kill(-pid, syscall.SIGHUP) }},
		{"kill -9 to the group", 3, func(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if sig, ok := map[string]os.Signal{"Ctrl-C": syscall.SIGINT, "SIGHUP to the group": syscall.SIGHUP}[c.name]; ok && signal.Ignored(sig) {
				t.Skip("this process was started with the signal ignored, as in the background of a shell, and so would the run be")
			}
			engine := realEngine(t)
			cmd := selfCommand(t)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			run := startRunBy(t, cmd, runConfig{Settings: settingsOfEnvironment(), Probe: probe, Janitor: true, Containers: c.containers, Announce: c.containers})
			run.expect(t, "asked")
			if c.containers == 100 {
				// In the middle of it: some are there, most are not.
				waitFor(t, "the first containers", time.Minute, func() bool { return len(left(t, engine, run.owner)) > 10 })
			}
			if c.end == nil {
				run.expect(t, "created") // else it goes on until they are
				_ = run.in.Close()
			} else if err := c.end(cmd.Process.Pid); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if _, err := io.Copy(io.Discard, run.out); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("the output of the run ended %v after the run", d)
			}
			if life := syscall.Kill(run.janitor, 0); life != nil {
				t.Fatalf("the janitor is gone with the run: %v", life)
			}
			checkJanitor(t, run.janitor)
			waitFor(t, "the end of the janitor", JanitorLimit, func() bool {
				_, exists := thisHost().process(run.janitor)
				return !exists
			})
			t.Logf("the janitor left %.1f s after the run", time.Since(began).Seconds())
			if list := left(t, engine, run.owner); len(list) > 0 {
				t.Errorf("%d left, such as %v", len(list), list[0])
			}
		})
	}
}

// checkJanitor looks at what the janitor holds: no terminal, and no file of the run.
func checkJanitor(t *testing.T, pid int) {
	t.Helper()
	if session, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0); errno == 0 && int(session) == os.Getpid() {
		t.Errorf("the janitor is in the session of the tests")
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(files) == 0 {
		return // not Linux
	}
	for _, f := range files {
		to, err := os.Readlink(f)
		if err != nil {
			continue // closed meanwhile
		}
		// The Go runtime keeps its limits by the control group open.
		if strings.HasPrefix(to, "/") && to != os.DevNull && !strings.HasPrefix(to, "/sys/fs/cgroup/") {
			t.Errorf("the janitor holds %s", to)
		}
	}
	if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil && dir != "/" {
		t.Errorf("the janitor's folder is %s", dir)
	}
}

// TestJanitorInherits starts a run with a file that the run knows nothing of, as a
// shell script does that holds a lock. Its reader must see it end with the run.
func TestJanitorInherits(t *testing.T) {
	engine := realEngine(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := selfCommand(t)
	cmd.ExtraFiles = []*os.File{w}
	run := startRunBy(t, cmd, runConfig{Settings: settingsOfEnvironment(), Probe: probeFile(t), Janitor: true, Containers: 1})
	_ = w.Close()
	run.expect(t, "created")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if _, exists := thisHost().process(run.janitor); !exists {
		t.Error("the janitor was gone first, so that nothing was tested")
	}
	waitFor(t, "the janitor's work", JanitorLimit, func() bool { return len(left(t, engine, run.owner)) == 0 })
}

// TestJanitorDeletedProgram removes the program before the janitor starts, as go test
// and go run do when they are done, and Mage when it replaces what it has cached.
func TestJanitorDeletedProgram(t *testing.T) {
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		t.Skip("a program that is gone can be executed on Linux alone")
	}
	engine := realEngine(t)
	self := selfCommand(t)
	data, err := os.ReadFile(self.Path)
	if err != nil {
		t.Fatal(err)
	}
	self.Path = filepath.Join(t.TempDir(), "gone")
	if err := os.WriteFile(self.Path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	run := startRunBy(t, self, runConfig{Settings: settingsOfEnvironment(), Probe: probeFile(t), Janitor: true, Containers: 1, Delete: self.Path})
	run.expect(t, "created")
	if err := self.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the janitor's work", JanitorLimit, func() bool { return len(left(t, engine, run.owner)) == 0 })
}

// TestJanitorAbandoned leaves the work to the janitor, as a run does that has no time.
func TestJanitorAbandoned(t *testing.T) {
	engine := realEngine(t)
	run := startRun(t, runConfig{Settings: settingsOfEnvironment(), Probe: probeFile(t), Janitor: true, Containers: 3, Remove: "abandon"})
	run.expect(t, "created")
	run.expect(t, "finished")
	waitFor(t, "the janitor's work", JanitorLimit, func() bool { return len(left(t, engine, run.owner)) == 0 })
}
