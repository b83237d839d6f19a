package experiment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

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
