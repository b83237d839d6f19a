package report

import (
	"io"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

func historyOf(n int, changes ...experiment.Change) *experiment.History {
	h := &experiment.History{Workload: "cli startup", Metric: perf.Wall, Kind: experiment.MedianHistory, Changes: changes, Elsewhere: 2, Least: 10, Alpha: 0.05}
	for i := range n {
		v := 0.0020
		if i >= n/2 {
			v = 0.0026
		}
		h.Points = append(h.Points, experiment.Point{
			Run: "20261101T0000" + string(rune('a'+i%26)), Created: time.Date(2026, 11, 1, 0, i, 0, 0, time.UTC),
			Commit: "0123456789abcdef0123", Dirty: i == n-1, Value: v + float64(i%3)*1e-5,
		})
	}
	return h
}

func TestHistoryViews(t *testing.T) {
	for name, h := range map[string]*experiment.History{
		"history":     historyOf(30, experiment.Change{Index: 15, P: 0.002, Before: 0.0020, After: 0.0026}),
		"history-few": historyOf(3),
		"history-ratios": {
			Workload: "cli startup", Metric: perf.Metric{Name: "cpu", Unit: perf.Ratio, Better: perf.Lower}, Kind: experiment.RatioHistory,
			Points: historyOf(10).Points[:10], Changes: []experiment.Change{{Index: 5, P: 0.04, Before: 0.0020, After: 0.0026}}, Least: 10, Alpha: 0.05,
		},
	} {
		golden(t, name, func(w io.Writer, st Style) error { return History(w, h, st) })
	}
}

func TestSparkline(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   string
	}{
		{[]float64{1, 1, 1}, "▁▁▁"},
		{[]float64{1, 2, 3, 4, 5, 6, 7, 8}, "▁▂▃▄▅▆▇█"},
	} {
		if got := sparkline(tc.values); got != tc.want {
			t.Errorf("sparkline(%v) = %s, want %s", tc.values, got, tc.want)
		}
	}
}
