package experiment

import (
	"fmt"
	"math/rand/v2"
	"slices"
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

// TestHistoryOfRatios: ratios to what came before multiply to a level; ratios to one
// ref are one.
func TestHistoryOfRatios(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	ratios := noisy(r, 30, 1)
	ratios[15] = 1.5 // one commit made it slower for good
	chain, err := NewHistory(compared(func(i int) string { return fmt.Sprint(i) }, ratios...), "w", "", "here")
	if err != nil {
		t.Fatal(err)
	}
	if chain.Kind != ChainHistory || chain.Metric.Name != "cpu" || chain.Metric.Unit != perf.Ratio || len(chain.Points) != 30 {
		t.Errorf("%s of %+v, %d points", chain.Kind, chain.Metric, len(chain.Points))
	}
	if len(chain.Changes) != 1 || chain.Changes[0].Index != 15 {
		t.Errorf("changes %+v, want one at the 16th point", chain.Changes)
	}
	anchor, err := NewHistory(compared(func(int) string { return "v1" }, ratios...), "w", "", "here")
	if err != nil {
		t.Fatal(err)
	}
	if anchor.Kind != AnchorHistory || anchor.Points[15].Value != 1.5 || len(anchor.Changes) != 0 {
		t.Errorf("%s, the 16th point %v, changes %+v; one wild point is no level", anchor.Kind, anchor.Points[15].Value, anchor.Changes)
	}
	few, err := NewHistory(append(compared(func(int) string { return "v1" }, ratios[:9]...), keptRuns(1, 2)...), "w", "", "here")
	if err != nil || few.Kind != MedianHistory || len(few.Points) != 2 {
		t.Errorf("of nine ratios and two runs: %+v (%v)", few, err)
	}
}
