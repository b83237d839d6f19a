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
