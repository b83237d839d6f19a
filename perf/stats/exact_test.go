package stats

import (
	"math"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestCompareExact(t *testing.T) {
	allocs := perf.Metric{Name: "allocs/op", Unit: perf.Count, Better: perf.Lower}
	rate := perf.Metric{Name: "hits", Unit: perf.Count, Better: perf.Higher}
	for _, c := range []struct {
		older, newer perf.Sample
		m            perf.Metric
		verdict      perf.Verdict
		ratio        float64 // NaN: none
		reason       bool
	}{
		{perf.Sample{5, 5, 5}, perf.Sample{5}, allocs, perf.NoChange, 1, false},
		{perf.Sample{1000, 1000}, perf.Sample{1001, 1001}, allocs, perf.Slower, 1.001, false},
		{perf.Sample{4}, perf.Sample{2}, allocs, perf.Faster, 0.5, false},
		{perf.Sample{4}, perf.Sample{2}, rate, perf.Slower, 0.5, false},
		{perf.Sample{4}, perf.Sample{0}, allocs, perf.Faster, 0, false},
		{perf.Sample{0, 0}, perf.Sample{0, 0}, allocs, perf.NoChange, 1, false},
		{perf.Sample{0, 0}, perf.Sample{3, 3}, allocs, perf.Slower, math.NaN(), true},
		{perf.Sample{-2}, perf.Sample{-1}, allocs, perf.Slower, math.NaN(), true},
		{perf.Sample{5, 6}, perf.Sample{5, 5}, allocs, perf.VerdictUnsure, math.NaN(), true},
		{nil, perf.Sample{5}, allocs, perf.VerdictUnsure, math.NaN(), true},
		{perf.Sample{math.NaN()}, perf.Sample{5}, allocs, perf.Invalid, math.NaN(), true},
		{perf.Sample{5}, perf.Sample{math.Inf(1)}, allocs, perf.Invalid, math.NaN(), true},
	} {
		got := CompareExact(c.older, c.newer, c.m)
		ratio := math.NaN()
		if got.Ratio != nil {
			ratio = *got.Ratio
		}
		if got.Verdict != c.verdict || (got.Reason != "") != c.reason || ratio != c.ratio && !(math.IsNaN(ratio) && math.IsNaN(c.ratio)) {
			t.Errorf("%v against %v: %s, ratio %v, %q; want %s, %v", c.older, c.newer, got.Verdict, ratio, got.Reason, c.verdict, c.ratio)
		}
	}
}
