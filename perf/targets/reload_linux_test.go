package targets_test

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/clnrmtest"
)

// TestInterruptedHotReload: Ctrl-C and SIGTERM end a watcher, also one that listens to
// neither, and leave nothing.
func TestInterruptedHotReload(t *testing.T) {
	binary, _ := gate(t)
	for _, trap := range []string{"none", "deaf"} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(trap+" "+sig.String(), func(t *testing.T) {
				for _, e := range append(fakeClnrm(t), clnrmtest.Env+"=pull=200ms,trap="+trap) {
					key, value, _ := strings.Cut(e, "=")
					t.Setenv(key, value)
				}
				dir := t.TempDir()
				s := begin(t, dir, binary, "benchHotReload")
				lines := bufio.NewScanner(s.stdout)
				for lines.Scan() && !strings.HasPrefix(lines.Text(), "hot reload: run") {
				}
				if len(processesIn(t, dir)) == 0 {
					t.Error("no watcher runs while reloads are measured")
				}
				deadline := time.Now().Add(cleanupLimit)
				if err := syscall.Kill(s.cmd.Process.Pid, sig); err != nil {
					t.Fatal(err)
				}
				status, output := s.ended(t, deadline)
				if status != perf.ExitFailure {
					t.Errorf("exit status %d, want 1\n%s", status, output)
				}
				if left := processesIn(t, dir); len(left) > 0 {
					t.Errorf("left running: %q", left)
				}
				if r := results(t, dir); len(r) != 1 || r[0].Complete || len(r[0].Workloads) == 0 || r[0].Workloads[0].State != perf.StateNotMeasured {
					t.Errorf("results %+v, want one that is incomplete", r)
				}
				nothingLeft(t, dir)
			})
		}
	}
}

// processesIn lists the commands that were given a path below dir.
func processesIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		if line, _ := os.ReadFile(f); bytes.Contains(line, []byte(dir+"/")) { // or it is gone
			found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	return found
}
