package experiment

import (
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// A reader is told of runs that lie far from the rest and of a level that moves, and of
// neither where runs differ by what runs differ by.
func TestWarningsAboutTheRuns(t *testing.T) {
	const base = 10 * time.Millisecond
	steady := func(run int) time.Duration { return base + time.Duration(run*7%10)*20*time.Microsecond }
	for _, tc := range []struct {
		name string
		wall func(run int) time.Duration
		want []perf.WarningKind
	}{
		{"steady", steady, nil},
		{"rising", func(run int) time.Duration { return base + time.Duration(run)*base/10 }, []perf.WarningKind{perf.WarnDrift}},
		{"spike", func(run int) time.Duration {
			if run == 6 {
				return 3 * base
			}
			return steady(run)
		}, []perf.WarningKind{perf.WarnOutliers}},
	} {
		b := newBench()
		b.wall = func(_ string, run int) time.Duration { return tc.wall(run) }
		w := workload("a")
		w.Min, w.Max = 40, 40
		got := b.run(t, suite.Suite{Name: "s", Workloads: []suite.Workload{w}}).Workload("a").Warnings
		ok := len(got) == len(tc.want)
		for i := range tc.want {
			ok = ok && got[i].Kind == tc.want[i]
		}
		if !ok {
			t.Errorf("%s: warned %q, want %q", tc.name, got, tc.want)
		}
	}
}

// A command for which a container engine works waits for the engine, which is no other
// work; what the hypervisor takes away is.
func TestPressureOfTheEngine(t *testing.T) {
	busy := contentionSum{wall: time.Second, pressure: time.Second, hasPressure: true}
	if of, _ := busy.worst(); of == 0 {
		t.Error("no word about a machine on which something always waits")
	}
	busy.engine = true
	if of, seen := busy.worst(); of != 0 {
		t.Errorf("the engine's own work is taken for other work: %s", seen)
	}
	busy.steal, busy.hasSteal = time.Second, true
	if of, _ := busy.worst(); of == 0 {
		t.Error("no word about a processor that is taken away")
	}
}
