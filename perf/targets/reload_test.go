package targets_test

import (
	"slices"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/clnrmtest"
)

func TestBenchHotReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := append(fakeClnrm(t), clnrmtest.Env+"=reruns=2")
	o := call(t, dir, env, "bench-hot-reload", "-set=hot reload p95=3s/5s")
	o.want(t, 0, "hot reload p50", "hot reload p95", "UNDECIDED (needs 299 runs)", "hot reload execute", "MET",
		"hot reload medium wall", "hot reload complex wall", "fixed sleep", "absent", "one save by a rename led to several reruns")
	nothingLeft(t, dir)
	list := results(t, dir)
	if len(list) != 1 || list[0].Whole() || len(list[0].Workloads) != 3 {
		t.Fatalf("results %+v, want one of three workloads", list)
	}
	w := list[0].Workload("hot reload")
	if wall, _ := w.Series(perf.Wall.Name); len(wall.Samples) != 59 {
		t.Errorf("%d reloads, want the 59 that bound p95", len(wall.Samples))
	}
	if _, measured := w.Series("render"); measured || !slices.Equal(w.Absent, []string{"render"}) {
		t.Errorf("absent stages %q, want what clnrm never does", w.Absent)
	}
}

// A watcher that goes wrong is a result, and the other workloads go on.
func TestHotReloadThatFails(t *testing.T) {
	t.Parallel()
	for trap, want := range map[string]string{
		"die": "error: the engine went away (", "quit": "it ended by itself, with exit status 0", "stale": "instead of", "lie": "it said pass of a file that must fail",
	} {
		t.Run(trap, func(t *testing.T) {
			dir := t.TempDir()
			o := call(t, dir, append(fakeClnrm(t), clnrmtest.Env+"=trap="+trap), "benchmarks", "-only=hot reload,validate")
			o.want(t, perf.ExitFailure, "FAILED hot reload: ", want, "its last lines:", "validate throughput")
			nothingLeft(t, dir)
			r := results(t, dir)[0]
			for _, obj := range r.Objectives {
				if obj.State != perf.NotMeasured {
					t.Errorf("%s is %s after a failure", obj.Name, obj.State)
				}
			}
		})
	}
}
