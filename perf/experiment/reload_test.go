package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/clnrmtest"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// reloading is the first hot reload of the suite, of a program that is there already.
func reloading(t *testing.T, s suite.Suite, bin string, env ...string) suite.Workload {
	t.Helper()
	w, ok := s.Workload("hot reload")
	if !ok {
		t.Fatalf("%s has no hot reload", s.Name)
	}
	w.Command.Args[0], w.Needs = bin, nil
	w.Command.Env = append(w.Command.Env, env...)
	return w
}

// measureReloads makes n reloads.
func measureReloads(t *testing.T, w suite.Workload, n int, p Processes) *perf.WorkloadResult {
	t.Helper()
	w.Max = n
	p.Work, p.Logs = filepath.Join(t.TempDir(), "work"), t.TempDir()
	s, r := suite.Suite{Name: "s", Workloads: []suite.Workload{w}}, new(perf.Result)
	if err := s.CheckValid(); err != nil {
		t.Fatal(err)
	}
	if err := (Engine{New: p.Runner}).Run(t.Context(), plan(s), r); err != nil {
		t.Fatal(err)
	}
	return &r.Workloads[0]
}

// playClnrm is the stand-in for clnrm.
func playClnrm(t *testing.T, options string) suite.Workload {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := suite.Clnrm(suite.ClnrmOptions{Dir: t.TempDir(), Binary: self, Exe: exe})
	return reloading(t, s, self, clnrmtest.Env+"="+options, "GORACE=atexit_sleep_ms=0")
}

// subject builds the embedded subject, with what change makes of its runner.
func subject(t *testing.T, change func(runner string) string) (bin string) {
	t.Helper()
	testenv.Tool(t, "go")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin = filepath.Join(dir, "cleanroom"+exe)
	source := filepath.Join(root, "perf", "subject", "cleanroom", "runner.go")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	changed, overlay := filepath.Join(dir, "runner.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
	err = errors.Join(err, os.WriteFile(changed, []byte(change(string(text))), 0o644), os.WriteFile(overlay, list, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", bin, suite.SubjectPackage)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the subject: %v\n%s", err, out)
	}
	return bin
}

// TestReloadsFollowTheTruth slows the subject down in one stage, by an overlay and so
// wherever its steps run, and looks for that in this stage and in the total, and for
// nothing in the others. Medians of nine, and a margin that no busy machine fills.
func TestReloadsFollowTheTruth(t *testing.T) {
	const delay, margin = 300 * time.Millisecond, 120 * time.Millisecond
	const done = "err := r.runSource(ctx, s)\n"
	bins := map[string]string{
		"fast": subject(t, func(runner string) string { return runner }),
		"slow": subject(t, func(runner string) string {
			if strings.Count(runner, done) != 1 {
				t.Fatalf("the subject's runner does not hold %q once: the delay belongs behind the execution of a file", done)
			}
			return strings.Replace(runner, done, done+fmt.Sprintf("\ttime.Sleep(%d)\n", delay), 1)
		}),
	}
	results := map[string]*perf.WorkloadResult{}
	for name, bin := range bins {
		// Without an engine, whose own times vary by more than the delay when others use it.
		w := reloading(t, suite.Cleanroom(t.TempDir(), exe), bin, "DOCKER_HOST=unix:///nonexistent")
		results[name] = measureReloads(t, w, 9, Processes{})
		if w := results[name]; w.State != perf.StateOK {
			t.Fatalf("%s: %s: %s", name, w.State, w.Reason)
		}
	}
	for _, metric := range append([]string{perf.Wall.Name}, results["fast"].Stages...) {
		fast, _ := results["fast"].Series(metric)
		slow, _ := results["slow"].Series(metric)
		if len(fast.Samples) != 9 || len(slow.Samples) != 9 {
			t.Fatalf("%s: %d and %d samples, want 9", metric, len(fast.Samples), len(slow.Samples))
		}
		want := time.Duration(0)
		if metric == perf.Wall.Name || metric == "execute" {
			want = delay
		}
		grown := time.Duration((stats.Median(slow.Samples) - stats.Median(fast.Samples)) * float64(time.Second))
		if grown < want-margin || grown > want+margin {
			t.Errorf("%s grew by %v, want %v\nfast %v\nslow %v", metric, grown, want, fast.Samples, slow.Samples)
		}
	}
}

// TestReloadsOfClnrm: what its lines say, through all that makes them hard to follow.
func TestReloadsOfClnrm(t *testing.T) {
	w := measureReloads(t, playClnrm(t, "reruns=3,pause=100ms"), 3, Processes{})
	if w.State != perf.StateOK {
		t.Fatalf("%s: %s", w.State, w.Reason)
	}
	for _, name := range []string{"wall", "detect", "fixed sleep", "parse", "execute", "display"} {
		if s, _ := w.Series(name); len(s.Samples) != 3 {
			t.Errorf("%s: %d samples, want 3", name, len(s.Samples))
		}
	}
	if len(w.Stages) != 6 || len(w.Absent) != 1 || w.Absent[0] != "render" {
		t.Errorf("stages %q, absent %q", w.Stages, w.Absent)
	}
	if len(w.Warnings) == 0 || w.Warnings[0].Kind != perf.WarnSubject || !strings.Contains(w.Warnings[0].Text, "several reruns") {
		t.Errorf("warnings %+v, want one about several reruns", w.Warnings)
	}
}

// TestReloadsThatFail: the reason is a sentence that makes sense alone, with the last
// lines below it.
func TestReloadsThatFail(t *testing.T) {
	for trap, want := range map[string]string{
		"die":     "error: the engine went away (",
		"quit":    "it ended by itself, with exit status 0",
		"blind":   "it did not notice within 1s that reload.clnrm.toml was saved",
		"cache":   "and did not run it: has it taken a result out of a cache?",
		"lie":     "it said pass of a file that must fail",
		"unready": `it was not ready after 1s: none of its lines says "Watching: "`,
	} {
		t.Run(trap, func(t *testing.T) {
			w := playClnrm(t, "trap="+trap)
			if trap == "blind" || trap == "unready" {
				w.Timeout = time.Second
			}
			got := measureReloads(t, w, 3, Processes{})
			first, rest, _ := strings.Cut(got.Reason, "\n")
			if got.State != perf.StateFailed || !strings.Contains(first, want) || !strings.Contains(rest, "INFO") || strings.ContainsRune(got.Reason, '\x1b') {
				t.Errorf("%s: %s\nwant in the first line %q", got.State, got.Reason, want)
			}
		})
	}
}

// TestStageThatCannotBeTold: without its line a stage is not measured, and its
// objective says so; the total stands.
func TestStageThatCannotBeTold(t *testing.T) {
	w := measureReloads(t, playClnrm(t, "trap=vague"), 3, Processes{})
	if w.State != perf.StateOK {
		t.Fatalf("%s: %s", w.State, w.Reason)
	}
	if _, measured := w.Series("parse"); measured {
		t.Error("a stage without an end has a time")
	}
	if wall, _ := w.Series("wall"); len(wall.Samples) != 3 || len(w.Warnings) == 0 || w.Warnings[0].Kind != perf.WarnNotMeasured {
		t.Errorf("%d samples of wall, warnings %+v", len(wall.Samples), w.Warnings)
	}
}

// reloadStep is a step that is sized by its cost, with an objective on the tail.
func reloadStep(m suite.Mode) suite.Step {
	w := suite.Workload{Name: "a", Command: suite.Command{Args: []string{"a"}}, Warmup: 2, Timeout: time.Minute, Watch: &suite.Watch{}}
	tail := wallObjective("a", 3600, 7200)
	tail.Quantile = 0.95
	s := suite.Suite{Name: "s", Workloads: []suite.Workload{w}, Objectives: []suite.Objective{tail}}
	return s.Plan(m, map[string]bool{"a": true})[0]
}

// TestReloadsByCost checks how many reloads are made of what one takes.
func TestReloadsByCost(t *testing.T) {
	for _, row := range []struct {
		mode  suite.Mode
		takes time.Duration
		runs  int // all of them
		want  int // those that count
		state perf.ObjectiveState
	}{
		{suite.Quick, 10 * time.Millisecond, 61, 59, perf.Met},
		{suite.Quick, 499 * time.Millisecond, 61, 59, perf.Met},
		{suite.Quick, 500 * time.Millisecond, 22, 20, perf.Undecided},
		{suite.Quick, 4 * time.Second, 4, 2, perf.Undecided},
		// Where the first run of the warm-up takes half of the budget, it counts.
		{suite.Quick, 8 * time.Second, 1, 1, perf.Undecided},
		{suite.Quick, time.Minute, 1, 1, perf.Undecided},
		{suite.Full, 10 * time.Millisecond, 301, 299, perf.Met},
		{suite.Full, time.Second, 122, 120, perf.Met},
	} {
		b := newBench()
		b.wall = func(string, int) time.Duration { return row.takes }
		r := new(perf.Result)
		if err := b.engine().Run(t.Context(), []suite.Step{reloadStep(row.mode)}, r); err != nil {
			t.Fatal(err)
		}
		wall, _ := r.Workloads[0].Series("wall")
		o := r.Objectives[0]
		if b.runs["a"] != row.runs || len(wall.Samples) != row.want || o.State != row.state {
			t.Errorf("%s, %v each: %d runs, %d of them count, %s; want %d, %d, %s", row.mode.Name, row.takes, b.runs["a"], len(wall.Samples), o.State, row.runs, row.want, row.state)
		}
		if row.state == perf.Undecided && o.Needed != 59 {
			t.Errorf("%v each: needs %d, want 59", row.takes, o.Needed)
		}
		if r.Workloads[0].OneShot {
			t.Errorf("%v each: a reload is judged as a one-shot", row.takes)
		}
	}
}

// The numbers of the modes are those that order statistics ask for.
func TestTailsOfTheModes(t *testing.T) {
	if n := stats.Needed(0.95, confidence); n != suite.Quick.Tail {
		t.Errorf("quick mode makes %d reloads, and p95 needs %d", suite.Quick.Tail, n)
	}
	if n := stats.Needed(0.99, confidence); n != suite.Full.Tail {
		t.Errorf("full mode makes %d reloads, and p99 needs %d", suite.Full.Tail, n)
	}
}
