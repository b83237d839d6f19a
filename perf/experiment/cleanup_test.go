package experiment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// slowCleanup is a runner whose cleanup takes a minute, unless its context ends; took
// receives how long it really took.
func slowCleanup(run func() error, took *time.Duration) func(suite.Step) Runner {
	return func(suite.Step) Runner {
		return Runner{
			Run: func(context.Context) (Observation, error) {
				return Observation{Values: []Value{{perf.Wall, 1}}}, run()
			},
			Cleanup: func(ctx context.Context) error {
				began := time.Now()
				defer func() { *took = time.Since(began) }()
				select {
				case <-time.After(time.Minute):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
		}
	}
}

func oneRun() []suite.Step {
	w := workload("a")
	w.Min, w.Max = 1, 1
	return plan(suite.Suite{Name: "s", Workloads: []suite.Workload{w}})
}

func TestCleanupTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		r := new(perf.Result)
		e := Engine{New: slowCleanup(func() error { return nil }, &took)}
		if err := e.Run(t.Context(), oneRun(), r); err != nil {
			t.Fatal(err)
		}
		if w := r.Workload("a"); w.State != perf.StateOK || took != time.Minute {
			t.Errorf("a cleanup of a minute was ended after %v; the workload is %s: %s", took, w.State, w.Reason)
		}
	})
}

func TestCleanupOfAnInterruptedRunEndsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var took time.Duration
		e := Engine{New: slowCleanup(func() error { cancel(); return nil }, &took)}
		if err := e.Run(ctx, oneRun(), new(perf.Result)); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v, want the context's error", err)
		}
		if took != cleanupTime {
			t.Errorf("the cleanup had %v, want %v", took, cleanupTime)
		}
	})
}

func TestFailedCleanupBesideAFailedRun(t *testing.T) {
	b := newBench()
	b.fail["a run"], b.fail["a cleanup"] = &Failure{"it broke"}, &Failure{"the volume is still there"}
	r := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{workload("a")}})
	for _, want := range []string{"it broke", "the volume is still there"} {
		if got := r.Workload("a").Reason; !strings.Contains(got, want) {
			t.Errorf("reason %q does not tell that %q", got, want)
		}
	}
}

// The runs of a bench never look at the context, as those of another Runner may not.
func TestEndedContextIsHonoured(t *testing.T) {
	for _, phase := range []string{"setup", "run", "memory"} {
		ctx, cancel := context.WithCancel(t.Context())
		b := newBench()
		e := b.engine()
		e.New = func(step suite.Step) Runner {
			r := b.runner(step)
			r.Setup = func(context.Context) error { cancelIn(phase, "setup", cancel); return b.note(step.Name, "setup") }
			timed, memory := r.Run, r.Memory
			r.Run = func(ctx context.Context) (Observation, error) { cancelIn(phase, "run", cancel); return timed(ctx) }
			r.Memory = func(ctx context.Context) (Observation, error) { cancelIn(phase, "memory", cancel); return memory(ctx) }
			return r
		}
		w := workload("a")
		w.Min, w.Max, w.Memory = 3, 3, 3
		if err := e.Run(ctx, plan(suite.Suite{Name: "s", Workloads: []suite.Workload{w}}), new(perf.Result)); !errors.Is(err, context.Canceled) {
			t.Errorf("ended in %s: Run: %v, want the context's error", phase, err)
		}
		if n := len(slices.DeleteFunc(b.log, func(s string) bool { return s != "a "+phase })); n != 1 {
			t.Errorf("ended in the first %s: there were %d", phase, n)
		}
	}
}

func cancelIn(phase, here string, cancel func()) {
	if phase == here {
		cancel()
	}
}

func TestCostIsAnnouncedAlsoOfWhatIsOnlyNeeded(t *testing.T) {
	build := workload("build")
	build.OneShot, build.Cost = true, 3*time.Minute
	s := suite.Suite{Name: "s", Workloads: []suite.Workload{build, workload("start", "build")}}
	var said []string
	e := newBench().engine()
	e.Hooks.Announce = func(text string) { said = append(said, text) }
	if err := e.Run(t.Context(), s.Plan(suite.Quick, map[string]bool{"start": true}), new(perf.Result)); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "up to about 3m0s") {
		t.Errorf("announced %q, want the cost of the build", said)
	}
}
