package experiment

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// bench is a fake world: a clock that only runs move, and a log of what was called.
type bench struct {
	now  time.Time
	log  []string
	wall func(workload string, run int) time.Duration
	fail map[string]error // by "workload phase"
	runs map[string]int
}

func newBench() *bench {
	return &bench{
		now: time.Unix(0, 0), fail: map[string]error{}, runs: map[string]int{},
		wall: func(string, int) time.Duration { return 10 * time.Millisecond },
	}
}

func (b *bench) note(name, phase string) error {
	b.log = append(b.log, name+" "+phase)
	return b.fail[name+" "+phase]
}

func (b *bench) runner(step suite.Step) Runner {
	return Runner{
		Setup: func(context.Context) error { return b.note(step.Name, "setup") },
		Run: func(context.Context) (Observation, error) {
			n := b.runs[step.Name]
			b.runs[step.Name]++
			d := b.wall(step.Name, n)
			b.now = b.now.Add(d)
			return Observation{Wall: d, Values: []Value{{perf.Wall, d.Seconds()}}}, b.note(step.Name, "run")
		},
		Memory: func(context.Context) (Observation, error) {
			return Observation{Values: []Value{{perf.PeakMemory, 50e6}, {perf.PeakMemoryBound, 60e6}}}, b.note(step.Name, "memory")
		},
		Cleanup: func(context.Context) error { return b.note(step.Name, "cleanup") },
	}
}

func (b *bench) engine() Engine {
	return Engine{New: b.runner, Now: func() time.Time { return b.now }}
}

// run plans and runs a suite and returns its result.
func (b *bench) run(t *testing.T, s suite.Suite) *perf.Result {
	t.Helper()
	if err := s.CheckValid(); err != nil {
		t.Fatal(err)
	}
	r := new(perf.Result)
	if err := b.engine().Run(t.Context(), plan(s), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func plan(s suite.Suite) []suite.Step {
	wanted := map[string]bool{}
	for _, n := range s.Names() {
		wanted[n] = true
	}
	return s.Plan(suite.Quick, wanted)
}

func workload(name string, needs ...string) suite.Workload {
	return suite.Workload{Name: name, Command: suite.Command{Args: []string{name}}, Needs: needs}
}

func wallObjective(workload string, target, critical float64) suite.Objective {
	return suite.Objective{Name: workload + " wall", Workload: workload, Metric: perf.Wall, Quantile: 0.5, Confidence: 0.95, Target: target, Critical: critical}
}

func TestPhasesInOrder(t *testing.T) {
	w := workload("a")
	w.Warmup, w.Min, w.Max, w.Memory = 2, 3, 3, 2
	b := newBench()
	r := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{w}})
	want := []string{"a setup", "a run", "a run", "a run", "a run", "a run", "a memory", "a memory", "a cleanup"}
	if !slices.Equal(b.log, want) {
		t.Errorf("phases:\n got %q\nwant %q", b.log, want)
	}
	s, _ := r.Workload("a").Series("wall")
	if len(s.Samples) != 3 {
		t.Errorf("%d samples of wall, want the 3 that are not warm-up", len(s.Samples))
	}
	if !r.Complete {
		t.Error("a run that came to its end is not complete")
	}
}

func TestCleanupAfterFailure(t *testing.T) {
	for _, phase := range []string{"setup", "run", "memory"} {
		w := workload("a")
		w.Min, w.Max, w.Memory = 2, 2, 1
		b := newBench()
		b.fail["a "+phase] = &Failure{"it broke"}
		r := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{w}, Objectives: []suite.Objective{wallObjective("a", 1, 2)}})
		if last := b.log[len(b.log)-1]; last != "a cleanup" {
			t.Errorf("after a failure in %s the last call was %q, want the cleanup", phase, last)
		}
		if got := r.Workload("a"); got.State != perf.StateFailed || got.Reason != "it broke" {
			t.Errorf("failure in %s: state %q, reason %q", phase, got.State, got.Reason)
		}
		if o := r.Objectives[0]; o.State != perf.NotMeasured || !strings.Contains(o.Reason, "it broke") {
			t.Errorf("failure in %s: objective %q, reason %q; a workload that failed is judged by nothing", phase, o.State, o.Reason)
		}
	}
}

// slowCleanup is a suite of one workload whose cleanup takes d, unless it is ended.
func slowCleanup(b *bench, d time.Duration) Engine {
	e := b.engine()
	inner := e.New
	e.New = func(s suite.Step) Runner {
		r := inner(s)
		r.Cleanup = func(ctx context.Context) error {
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return r
	}
	return e
}

// What a person does by -cleanup, such as make clean, may take its time.
func TestCleanupMayTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(perf.Result)
		s := suite.Suite{Name: "s", Workloads: []suite.Workload{workload("a")}}
		if err := slowCleanup(newBench(), time.Minute).Run(t.Context(), plan(s), r); err != nil {
			t.Fatal(err)
		}
		if a := r.Workload("a"); a.State != perf.StateOK {
			t.Errorf("%s: %s", a.State, a.Reason)
		}
	})
}

// Mage leaves a target five seconds after Ctrl-C, and nothing is saved any more then.
func TestCleanupIsShortAfterAnInterruption(t *testing.T) {
	for _, interrupted := range []string{"before the cleanup", "during the cleanup"} {
		t.Run(interrupted, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var at time.Time
				interrupt := func() { at = time.Now(); cancel() }
				b := newBench()
				if interrupted == "before the cleanup" {
					b.wall = func(string, int) time.Duration { interrupt(); return time.Millisecond }
				} else {
					defer time.AfterFunc(time.Minute, interrupt).Stop()
				}
				w := workload("a")
				w.Min, w.Max = 1, 1
				err := slowCleanup(b, time.Hour).Run(ctx, plan(suite.Suite{Name: "s", Workloads: []suite.Workload{w}}), new(perf.Result))
				if took := time.Since(at); !errors.Is(err, context.Canceled) || took > 3*time.Second {
					t.Errorf("%v, %s after the interruption; want the context's error within 3 s", err, took)
				}
			})
		})
	}
}

func TestDependentsOfAFailure(t *testing.T) {
	b := newBench()
	b.fail["build run"] = &Failure{"go build: exit status 1\nlast line"}
	r := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{
		workload("build"), workload("start", "build"), workload("deep", "start"), workload("other"),
	}})
	if got := r.Workload("start"); got.State != perf.StateNotMeasured || got.Reason != "because build failed: go build: exit status 1" {
		t.Errorf("start: %q, %q", got.State, got.Reason)
	}
	if got := r.Workload("deep"); got.State != perf.StateNotMeasured || !strings.HasPrefix(got.Reason, "because start failed: because build failed") {
		t.Errorf("deep: %q, %q", got.State, got.Reason)
	}
	if got := r.Workload("other"); got.State != perf.StateOK {
		t.Errorf("other: %q, %q; what does not need the build goes on", got.State, got.Reason)
	}
}

func TestOneShotBreachRunsAgain(t *testing.T) {
	for _, tc := range []struct {
		name  string
		walls []time.Duration
		runs  int
		state perf.ObjectiveState
	}{
		{"met", []time.Duration{time.Second}, 1, perf.Met},
		{"over target", []time.Duration{3 * time.Second}, 1, perf.OverTarget},
		{"breached twice", []time.Duration{9 * time.Second, 8 * time.Second}, 2, perf.Breached},
		{"breached once", []time.Duration{9 * time.Second, time.Second}, 2, perf.Undecided},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := workload("build")
			w.OneShot = true
			b := newBench()
			b.wall = func(_ string, run int) time.Duration { return tc.walls[run] }
			r := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{w}, Objectives: []suite.Objective{wallObjective("build", 2, 5)}})
			o := r.Objectives[0]
			if b.runs["build"] != tc.runs || o.State != tc.state || o.N != tc.runs {
				t.Errorf("%d runs, state %s with n=%d; want %d runs and %s", b.runs["build"], o.State, o.N, tc.runs, tc.state)
			}
			if !r.Workload("build").OneShot {
				t.Error("the result does not say that it is a one-shot")
			}
		})
	}
}

func TestStopsWhenDecidedAndNarrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := newBench()
	b.wall = func(string, int) time.Duration { return time.Duration(1e7 * (1 + 0.001*rng.NormFloat64())) }
	r := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{workload("a")}, Objectives: []suite.Objective{wallObjective("a", 1, 2)}})
	if n := r.Objectives[0].N; n != suite.Quick.Min {
		t.Errorf("%d runs of a quiet command far from its limits, want the fewest, %d", n, suite.Quick.Min)
	}
	if s := r.Objectives[0].State; s != perf.Met {
		t.Errorf("state %s, want MET", s)
	}
}

func TestGoesOnWhileUndecided(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	b := newBench()
	b.wall = func(string, int) time.Duration { return time.Duration(1e7 * (1 + 0.01*rng.NormFloat64())) }
	r := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{workload("a")}, Objectives: []suite.Objective{wallObjective("a", 0.01, 0.02)}})
	if o := r.Objectives[0]; o.N != suite.Quick.Max || o.State != perf.Undecided {
		t.Errorf("%d runs, %s: a median that lies on its target is undecided to the end, %d runs", o.N, o.State, suite.Quick.Max)
	}
}

func TestBudgetEndsAWorkload(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	b := newBench()
	b.wall = func(string, int) time.Duration { return time.Duration(1e9 * (1 + 0.3*rng.Float64())) }
	r := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{workload("a")}})
	n := len(r.Workload("a").Metrics[0].Samples)
	if spent := b.now.Sub(time.Unix(0, 0)); spent > suite.Quick.Share+2*time.Second || n < 10 {
		t.Errorf("%d runs in %s, want what fits into %s", n, spent, suite.Quick.Share)
	}
}

func TestTooCostlyToRepeat(t *testing.T) {
	b := newBench()
	b.wall = func(string, int) time.Duration { return time.Minute }
	r := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{workload("suite")}, Objectives: []suite.Objective{wallObjective("suite", 100, 200)}})
	if o := r.Objectives[0]; b.runs["suite"] != 1 || o.State != perf.Met || !r.Workload("suite").OneShot {
		t.Errorf("%d runs of a minute, %s, one-shot %v; want a single one", b.runs["suite"], o.State, r.Workload("suite").OneShot)
	}
}

func TestWarmUpOfWhatIsTooCostlyCounts(t *testing.T) {
	w := workload("suite")
	w.Warmup, w.Memory = 3, 3
	b := newBench()
	b.wall = func(string, int) time.Duration { return time.Minute }
	r := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{w}, Objectives: []suite.Objective{wallObjective("suite", 100, 200)}})
	want := []string{"suite setup", "suite run", "suite memory", "suite cleanup"}
	if !slices.Equal(b.log, want) {
		t.Errorf("calls %q, want %q", b.log, want)
	}
	if o := r.Objectives[0]; o.State != perf.Met || o.N != 1 {
		t.Errorf("%s after %d runs, want MET after the one", o.State, o.N)
	}
}

func TestFirmMinimumIsKept(t *testing.T) {
	w := workload("a")
	w.Min, w.Max = 12, 50
	b := newBench()
	b.wall = func(string, int) time.Duration { return time.Minute }
	b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{w}})
	if b.runs["a"] != 12 {
		t.Errorf("%d runs, want the 12 that the workload asks for, however long they take", b.runs["a"])
	}
}

func TestInterruption(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := newBench()
	b.wall = func(_ string, run int) time.Duration {
		if run == 4 {
			cancel()
		}
		return time.Millisecond
	}
	e := b.engine()
	inner := e.New
	e.New = func(s suite.Step) Runner {
		r := inner(s)
		run := r.Run
		r.Run = func(c context.Context) (Observation, error) {
			o, err := run(c)
			return o, errors.Join(err, c.Err())
		}
		return r
	}
	saved := 0
	e.Hooks.Done = func(r *perf.Result) error {
		saved++
		if r.Complete {
			t.Error("an interrupted run was saved as complete")
		}
		return nil
	}
	r := new(perf.Result)
	s := suite.Suite{Name: "s", Workloads: []suite.Workload{workload("a"), workload("b")}}
	if err := e.Run(ctx, plan(s), r); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	a := r.Workload("a")
	if a.State != perf.StateNotMeasured || !strings.Contains(a.Reason, "after 4 runs") || len(a.Metrics[0].Samples) != 4 {
		t.Errorf("a: %q, %q, %d samples; want the 4 runs before the interruption", a.State, a.Reason, len(a.Metrics[0].Samples))
	}
	if got := r.Workload("b"); got.State != perf.StateNotMeasured || !strings.Contains(got.Reason, "interrupted") {
		t.Errorf("b: %q, %q", got.State, got.Reason)
	}
	if !slices.Contains(b.log, "a cleanup") || slices.Contains(b.log, "b setup") {
		t.Errorf("calls %q: a must be cleaned up, b not begun", b.log)
	}
	if saved == 0 {
		t.Error("nothing was saved")
	}
}

func TestUnwantedStepRunsOnce(t *testing.T) {
	b := newBench()
	s := suite.Suite{Name: "s", Workloads: []suite.Workload{workload("build"), workload("start", "build")}}
	sub, wanted, err := s.Select("start")
	if err != nil {
		t.Fatal(err)
	}
	r := new(perf.Result)
	if err := b.engine().Run(t.Context(), sub.Plan(suite.Quick, wanted), r); err != nil {
		t.Fatal(err)
	}
	if b.runs["build"] != 1 || r.Workload("build") != nil {
		t.Errorf("build ran %d times and is in the result: %v; want once, unmeasured", b.runs["build"], r.Workload("build") != nil)
	}
}

// TestUnwantedStepThatFails checks that a build which runs only for what needs it fails
// the run when it breaks: else nothing would be measured, and all would be well.
func TestUnwantedStepThatFails(t *testing.T) {
	b := newBench()
	b.fail["build run"] = &Failure{"error: no\nlast line"}
	s := suite.Suite{Name: "s", Workloads: []suite.Workload{workload("build"), workload("middle", "build"), workload("start", "middle")}}
	sub, wanted, err := s.Select("start")
	if err != nil {
		t.Fatal(err)
	}
	r := new(perf.Result)
	if err := b.engine().Run(t.Context(), sub.Plan(suite.Quick, wanted), r); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		state  perf.State
		reason string
	}{
		"build":  {perf.StateFailed, "error: no\nlast line"},
		"middle": {perf.StateNotMeasured, "because build failed: error: no"},
		"start":  {perf.StateNotMeasured, "because middle failed: because build failed: error: no"},
	} {
		if w := r.Workload(name); w == nil || w.State != want.state || w.Reason != want.reason {
			t.Errorf("%s: %+v, want %s because %q", name, w, want.state, want.reason)
		}
	}
	if got := (Policy{}).Status(r); got != perf.ExitFailure {
		t.Errorf("exit status %d, want %d", got, perf.ExitFailure)
	}
}

func TestProgressCountsDown(t *testing.T) {
	b := newBench()
	e := b.engine()
	var left []time.Duration
	e.Hooks.Progress = func(p Progress) {
		if p.Phase == PhaseRun {
			left = append(left, p.Left)
			if p.Done >= p.Of {
				t.Errorf("run %d of at most %d", p.Done+1, p.Of)
			}
		}
	}
	s := suite.Suite{Name: "s", Workloads: []suite.Workload{workload("a"), workload("b")}}
	if err := e.Run(t.Context(), plan(s), new(perf.Result)); err != nil {
		t.Fatal(err)
	}
	if first, last := left[0], left[len(left)-1]; last >= first || last < 0 {
		t.Errorf("at most %s left at first, %s at last", first, last)
	}
}

func TestPolicyStatus(t *testing.T) {
	states := func(list ...perf.ObjectiveState) *perf.Result {
		r := &perf.Result{Complete: true, Workloads: []perf.WorkloadResult{{Name: "w", State: perf.StateOK}}}
		for i, s := range list {
			r.Objectives = append(r.Objectives, perf.ObjectiveResult{Name: string(rune('a' + i)), State: s})
		}
		return r
	}
	failed := states(perf.Met)
	failed.Workloads[0].State = perf.StateFailed
	failedAndBreached := states(perf.Breached)
	failedAndBreached.Workloads[0].State = perf.StateFailed
	cut := states(perf.Met)
	cut.Complete = false
	for _, tc := range []struct {
		name   string
		policy Policy
		r      *perf.Result
		want   int
	}{
		{"all met", Policy{Gate: true, Strict: true}, states(perf.Met), 0},
		{"report only", Policy{}, states(perf.Breached, perf.NotMeasured), 0},
		{"breached", Policy{Gate: true}, states(perf.Met, perf.Breached, perf.NotMeasured), 3},
		{"warning", Policy{Gate: true}, states(perf.OverTarget), 0},
		{"warning, strict", Policy{Gate: true, Strict: true}, states(perf.OverTarget), 3},
		{"undecided", Policy{Gate: true}, states(perf.Undecided), 0},
		{"undecided, strict", Policy{Gate: true, Strict: true}, states(perf.Undecided), 4},
		{"not measured", Policy{Gate: true}, states(perf.NotMeasured), 4},
		{"not measured, allowed", Policy{Gate: true, AllowUnmeasured: []string{"a"}}, states(perf.NotMeasured), 0},
		{"another is allowed", Policy{Gate: true, AllowUnmeasured: []string{"b"}}, states(perf.NotMeasured), 4},
		{"nothing to judge", Policy{Gate: true}, states(), 1},
		{"a workload failed", Policy{}, failed, 1},
		{"failed and breached", Policy{Gate: true}, failedAndBreached, 3},
		{"cut short", Policy{Gate: true}, cut, 1},
		{"nothing measured", Policy{}, &perf.Result{Complete: true}, 1},
	} {
		if got := tc.policy.Status(tc.r); got != tc.want {
			t.Errorf("%s: status %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestContentionWarning(t *testing.T) {
	second := Observation{Wall: time.Second, Values: []Value{{perf.CPU, 0.9}}}
	busy := second
	busy.Contention = Contention{RunDelay: 200 * time.Millisecond, HasRunDelay: true}
	parallel := busy
	parallel.Values = []Value{{perf.CPU, 1.9}}
	stolen := parallel
	stolen.Contention = Contention{Steal: 300 * time.Millisecond, HasSteal: true}
	for _, tc := range []struct {
		name   string
		o      Observation
		pinned []int
		want   string
	}{
		{"quiet", second, nil, ""},
		{"waits", busy, nil, "waited for a CPU 20 %"},
		{"waits though pinned", busy, []int{1}, "pin to another CPU"},
		{"waits for itself", parallel, nil, ""},
		{"stolen", stolen, nil, "hypervisor took the CPU away for 30 %"},
	} {
		var c contentionSum
		c.add(tc.o)
		got := c.warning(tc.pinned)
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: warning %q, want one with %q", tc.name, got, tc.want)
		}
	}
}

func TestLearnCosts(t *testing.T) {
	build, test := workload("build"), workload("test")
	build.OneShot, build.Cost = true, 20*time.Second
	steps := plan(suite.Suite{Name: "s", Workloads: []suite.Workload{build, test}})
	LearnCosts(steps, &perf.Result{Workloads: []perf.WorkloadResult{
		{Name: "build", Metrics: []perf.Series{{Metric: perf.Wall, Samples: perf.Sample{44.6}}}},
		{Name: "test", Metrics: []perf.Series{{Metric: perf.Wall, Samples: perf.Sample{3}}}},
	}})
	if steps[0].Cost != 45*time.Second || steps[1].Cost != 0 {
		t.Errorf("costs %s and %s, want what the build took and nothing for what is repeated", steps[0].Cost, steps[1].Cost)
	}
	LearnCosts(steps, new(perf.Result))
	if steps[0].Cost != 45*time.Second {
		t.Errorf("a run without the build changed its cost to %s", steps[0].Cost)
	}
}
