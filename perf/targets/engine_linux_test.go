package targets_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// onEngine is the engine that the gate of these tests uses.
func onEngine(t *testing.T) container.Engine {
	t.Helper()
	connect := func(ctx context.Context) (container.Engine, error) {
		return container.Connect(ctx, container.Settings{Host: os.Getenv("DOCKER_HOST"), Timeout: 30 * time.Second})
	}
	testenv.Working(t, "docker", func() error {
		e, err := connect(context.Background())
		if err != nil {
			return err
		}
		return e.Close()
	})
	e, err := connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// containerOf waits until a container of the run in dir is started, and returns the id
// of the run. Others may use the engine meanwhile.
func containerOf(t *testing.T, dir string, events *container.EventStream) (run string) {
	t.Helper()
	for {
		select {
		case e, ok := <-events.C:
			if !ok {
				t.Fatalf("the engine's events ended: %v", events.Err())
			}
			if run := e.Attributes[container.LabelRun]; e.Action == "start" && runsIn(dir)[run] {
				return run
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("no container was started within two minutes")
		}
	}
}

// runsIn are the ids of the runs in dir, as labels have them.
func runsIn(dir string) map[string]bool {
	out := map[string]bool{}
	entries, _ := os.ReadDir(filepath.Join(dir, ".perf", "runs")) // not there yet: there are none
	for _, e := range entries {
		out[strings.ToLower(e.Name())] = true
	}
	return out
}

// nothingOn waits until the engine has nothing that bears the mark of the run.
func nothingOn(t *testing.T, e container.Engine, run string, limit time.Duration) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		containers, err := e.Containers(t.Context(), container.LabelRun+"="+run)
		if err != nil {
			t.Fatal(err)
		}
		images, err := e.Images(t.Context(), container.LabelTool+"="+container.ToolName)
		if err != nil {
			t.Fatal(err)
		}
		names := 0
		for _, i := range images {
			for _, name := range i.Names {
				if strings.HasSuffix(name, "_"+run) {
					names++
				}
			}
		}
		if len(containers)+names == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s after the end of run %s its containers %v and %d names of images are left", limit, run, containers, names)
		}
		<-tick.C
	}
}

// janitorLimit is within how long nothing of a run may be left, however it ended.
const janitorLimit = 60 * time.Second

// TestNothingStaysOnTheEngine ends runs that time containers in every way that there is.
func TestNothingStaysOnTheEngine(t *testing.T) {
	e := onEngine(t)
	binary, repo := gate(t)
	for _, entry := range fakeClnrm(t) {
		key, value, _ := strings.Cut(entry, "=")
		t.Setenv(key, value)
	}
	self := func(_ *testing.T, s *session) int { return s.cmd.Process.Pid }
	mage := func(t *testing.T, s *session) int { return childOf(t, s.cmd.Process.Pid) }
	direct := []string{binary, "benchmarks", "-only=container lifecycle"}
	for _, tc := range []struct {
		name   string
		args   []string
		victim func(*testing.T, *session) int
		sig    syscall.Signal
	}{
		{"interrupt", direct, self, syscall.SIGINT},
		{"terminate", direct, self, syscall.SIGTERM},
		{"kill", direct, self, syscall.SIGKILL},
		{"terminate mage alone", append([]string{"go", "tool", "mage"}, direct[1:]...), mage, syscall.SIGTERM},
	} {
		t.Run(tc.name, func(t *testing.T) {
			events, err := e.Events(t.Context(), container.EventFilter{Labels: []string{container.LabelTool + "=" + container.ToolName}})
			if err != nil {
				t.Fatal(err)
			}
			dir := runsOf(t, repo)
			s := begin(t, dir, tc.args...)
			run := containerOf(t, dir, events)
			victim := tc.victim(t, s)
			deadline := time.Now().Add(cleanupLimit)
			if err := syscall.Kill(victim, tc.sig); err != nil {
				t.Fatal(err)
			}
			// The go command gives 0 for a mage that was ended by a signal.
			if status, output := s.ended(t, deadline); status == 0 && victim == s.cmd.Process.Pid {
				t.Errorf("exit status 0 after %s\n%s", tc.sig, output)
			}
			nothingOn(t, e, run, janitorLimit)
		})
	}
}

// Ctrl-C in the middle of sixteen lifecycles: what was measured is printed and saved, and
// nothing stays.
func TestBenchContainersInterrupted(t *testing.T) {
	e := onEngine(t)
	binary, _ := gate(t)
	dir := t.TempDir()
	events, err := e.Events(t.Context(), container.EventFilter{Labels: []string{container.LabelTool + "=" + container.ToolName}})
	if err != nil {
		t.Fatal(err)
	}
	s := begin(t, dir, binary, "benchContainers", "-parallel=16", "-network=none")
	run := containerOf(t, dir, events)
	deadline := time.Now().Add(cleanupLimit)
	if err := syscall.Kill(s.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	status, output := s.ended(t, deadline)
	if status != perf.ExitFailure || !strings.Contains(output, "INCOMPLETE") || !strings.Contains(output, "marked incomplete") {
		t.Errorf("exit status %d\n%s", status, output)
	}
	if list := results(t, dir); len(list) != 1 || list[0].Complete {
		t.Errorf("it has left %+v", list)
	}
	nothingOn(t, e, run, janitorLimit)
}

// TestWithoutAnEngine checks what the gate says where there is none.
func TestWithoutAnEngine(t *testing.T) {
	t.Parallel()
	env := append(fakeClnrm(t), "DOCKER_HOST=unix:///nonexistent")
	args := []string{"cleanroomSloCheck", "-only=cli startup,container lifecycle"}
	call(t, t.TempDir(), env, args...).want(t, perf.ExitUnjudged, "container start", "NOT MEASURED", "unix:///nonexistent")
	call(t, t.TempDir(), env, append(args, "-allowUnmeasured=container start,container lifecycle")...).want(t, 0, "NOT MEASURED")
}
