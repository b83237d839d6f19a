//go:build unix

package targets

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// What a workload sets up is cleaned up after Ctrl-C, too: before the profile, and where it
// was only run because another workload needs it.
func TestProfileCleansUpAfterAnInterruption(t *testing.T) {
	for name, record := range map[string]func(*profiling, context.Context, suite.Step, experiment.Processes) error{
		"workload": (*profiling).workload, "prerequisite": (*profiling).prerequisite,
	} {
		dir := t.TempDir()
		left, began := filepath.Join(dir, "left"), filepath.Join(dir, "began")
		if err := syscall.Mkfifo(began, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		step := suite.Step{Wanted: true, Workload: suite.Workload{
			Name: name, Command: suite.Command{Args: []string{"true"}},
			Setup:   []suite.Command{{Args: []string{"mkdir", left}}},
			Cleanup: []suite.Command{{Args: []string{"rmdir", left}}},
			Prepare: []suite.Command{{Args: []string{"sh", "-c", "echo > '" + began + "'; exec sleep 60"}}},
		}}
		p := &profiling{console: console{out: io.Discard, err: io.Discard, status: report.NewStatus(io.Discard, false)}}
		done := make(chan error)
		go func() { done <- record(p, ctx, step, experiment.Processes{Work: dir, Logs: dir}) }()
		if _, err := os.ReadFile(began); err != nil { // waits for who writes
			t.Fatal(err)
		}
		cancel()
		if err := <-done; err == nil {
			t.Errorf("%s: an interruption is no error", name)
		}
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s: what it had set up is still there", name)
		}
	}
}
