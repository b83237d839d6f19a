package experiment

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// keptRuns makes runs of a workload, newest first as they are loaded, whose medians are the
// values.
func keptRuns(values ...float64) []*perf.Result {
	var list []*perf.Result
	for i, v := range values {
		list = append(list, &perf.Result{
			ID: fmt.Sprintf("run-%02d", i), Created: time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC),
			Machine: perf.Machine{Fingerprint: "here"},
			Workloads: []perf.WorkloadResult{{Name: "w", State: perf.StateOK, Metrics: []perf.Series{
				{Metric: perf.Wall, Samples: perf.Sample{v * 0.9, v, v * 1.2}},
			}}},
		})
	}
	slices.Reverse(list)
	return list
}

// noisy are n values around level.
func noisy(r *rand.Rand, n int, level float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = level * (1 + 0.01*r.NormFloat64())
	}
	return out
}

func TestHistoryOfMedians(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	runs := keptRuns(append(noisy(r, 20, 1), noisy(r, 20, 1.3)...)...)
	runs[5].Machine.Fingerprint = "elsewhere"
	runs[6].Workloads[0].State = perf.StateFailed
	h, err := NewHistory(runs, "w", "", "here")
	if err != nil {
		t.Fatal(err)
	}
	if h.Kind != MedianHistory || len(h.Points) != 38 || h.Elsewhere != 1 || h.Metric != perf.Wall {
		t.Errorf("%s of %s, %d points, %d elsewhere", h.Kind, h.Metric.Name, len(h.Points), h.Elsewhere)
	}
	if !slices.IsSortedFunc(h.Points, func(a, b Point) int { return a.Created.Compare(b.Created) }) {
		t.Error("the points are not by time")
	}
	if len(h.Changes) != 1 || h.Changes[0].Index < 18 || h.Changes[0].Index > 22 {
		t.Errorf("changes %+v, want one near the 20th run", h.Changes)
	}
	if _, err := NewHistory(runs, "w", "cpu", "here"); err == nil {
		t.Error("a metric that nobody measured has a history")
	}
}

// compared makes runs of paired comparisons with these ratios.
func compared(old func(i int) string, ratios ...float64) []*perf.Result {
	runs := keptRuns(make([]float64, len(ratios))...)
	for i, r := range runs {
		r.Workloads = nil
		r.Comparisons = []perf.Comparison{{
			Workload: "w", Metric: "cpu", Better: perf.Lower, Gate: true, Design: perf.Paired, Verdict: perf.NoChange,
			Old: perf.Arm{Ref: old(i)}, Ratio: &ratios[len(ratios)-1-i],
		}}
	}
	return runs
}

// TestHistoryOfRatios: ratios are what is looked at, whatever they are to.
func TestHistoryOfRatios(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	ratios := noisy(r, 30, 1)
	ratios[15] = 1.5 // one commit made it slower, for good or not
	level := append(noisy(r, 15, 1), noisy(r, 15, 1.1)...)
	for kind, old := range map[string]func(i int) string{
		AnchorHistory: func(int) string { return "v1" },
		RatioHistory:  func(i int) string { return fmt.Sprint(i) },
	} {
		h, err := NewHistory(compared(old, ratios...), "w", "", "here")
		if err != nil {
			t.Fatal(err)
		}
		if h.Kind != kind || h.Metric.Name != "cpu" || h.Metric.Unit != perf.Ratio || len(h.Points) != 30 {
			t.Errorf("%s of %+v, %d points, want %s", h.Kind, h.Metric, len(h.Points), kind)
		}
		if h.Points[15].Value != 1.5 || len(h.Changes) != 0 {
			t.Errorf("%s, the 16th point %v, changes %+v; one wild point is no level", kind, h.Points[15].Value, h.Changes)
		}
		if h, err = NewHistory(compared(old, level...), "w", "", "here"); err != nil || len(h.Changes) != 1 || h.Changes[0].Index != 15 {
			t.Errorf("%s: changes %+v (%v), want one at the 16th point", kind, h.Changes, err)
		}
	}
	few, err := NewHistory(append(compared(func(int) string { return "v1" }, ratios[:9]...), keptRuns(1, 2)...), "w", "", "here")
	if err != nil || few.Kind != MedianHistory || len(few.Points) != 2 {
		t.Errorf("of nine ratios and two runs: %+v (%v)", few, err)
	}
}

// TestHistoryNamesTheMetrics: imported results have no wall time, and whoever asks for a
// history is told what they have.
// Who has compared, and not often enough, is not told to measure something else.
func TestHistoryOfFewRatios(t *testing.T) {
	runs := compared(func(int) string { return "main" }, 1, 1.01, 0.99)
	for _, metric := range []string{"", "cpu"} {
		if _, err := NewHistory(runs, "w", metric, "here"); err == nil || !strings.Contains(err.Error(), "takes 10, and of w those by cpu that are kept here are 3") {
			t.Errorf("%q: %v", metric, err)
		}
	}
}

func TestHistoryNamesTheMetrics(t *testing.T) {
	runs := keptRuns(1, 2, 3)
	for _, r := range runs {
		r.Workloads[0].Metrics[0].Metric = perf.Metric{Name: "sec/op", Unit: "sec/op", Better: perf.Lower}
	}
	for _, metric := range []string{"", "wall", "sec"} {
		_, err := NewHistory(runs, "w", metric, "here")
		if perf.ExitStatus(err) != perf.ExitUsage || !strings.Contains(err.Error(), "-metric: sec/op") {
			t.Errorf("-metric=%s: %v", metric, err)
		}
	}
	if _, err := NewHistory(runs, "w", "sec/op", "elsewhere"); err == nil || perf.ExitStatus(err) != perf.ExitFailure {
		t.Errorf("of another machine: %v", err)
	}
}

// TestHistoryOfOneMetric: by which metric a run was gated may change, and ratios of two
// metrics are no series. That of the newest run is taken.
func TestHistoryOfOneMetric(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	runs := compared(func(int) string { return "v1" }, noisy(r, 30, 1)...)
	for i, run := range runs { // newest first
		wall := run.Comparisons[0]
		wall.Metric, wall.Ratio = "wall", new(2.0)
		wall.Gate = i%2 == 1
		run.Comparisons[0].Gate = !wall.Gate
		run.Comparisons = append(run.Comparisons, wall)
	}
	h, err := NewHistory(runs, "w", "", "here")
	if err != nil || h.Metric.Name != "cpu" || len(h.Points) != 30 {
		t.Fatalf("%+v (%v), want 30 points of cpu", h, err)
	}
	for _, p := range h.Points {
		if p.Value > 1.5 {
			t.Fatalf("%v among the ratios of cpu is one of wall", p.Value)
		}
	}
}

// TestHistoryOfNoise: of histories without a change at most the stated share shows one,
// whatever the runs were compared with.
func TestHistoryOfNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const histories = 60
	alarms := 0
	for range histories {
		h, err := NewHistory(compared(func(i int) string { return fmt.Sprint(i) }, noisy(r, 50, 1)...), "w", "", "here")
		if err != nil {
			t.Fatal(err)
		}
		if len(h.Changes) > 0 {
			alarms++
		}
	}
	// At the stated 5 % there are 3 of 60, and 9 or more once in 300 times; the product
	// of the ratios gives 29.
	if alarms > 8 {
		t.Errorf("%d of %d histories of noise show a change", alarms, histories)
	}
}
