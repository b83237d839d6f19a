package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// A Point is what one run says in the history of a workload.
type Point struct {
	Run     string // its id
	Created time.Time
	Commit  string
	Dirty   bool
	Value   float64 // in the unit of the history
}

// A Change is where the level of a history changed: at the point with this index, from
// the median before it to the median after it, each up to the next change.
type Change struct {
	Index         int
	Before, After float64
	P             float64 // of the test that found it
}

// The kinds of history.
const (
	// MedianHistory is of the medians of a metric, run by run. Its changes may be those
	// of the machine, which was not measured beside it.
	MedianHistory = "median"
	// AnchorHistory is of ratios to one ref, that all runs were compared with.
	AnchorHistory = "ratio to one ref"
	// RatioHistory is of ratios, each to the ref that its run was compared with. Their
	// product would be a level only if each run was compared with the one before it, which
	// branches and their bases are not; and it would wander without any change, as the
	// errors of all ratios add up in it. What one run alone has changed is in its verdict.
	RatioHistory = "ratio to the ref of each run"
)

// A History is one metric of one workload over the runs that were kept.
type History struct {
	Workload string
	Metric   perf.Metric
	Kind     string
	Points   []Point // by the time at which they were made
	Changes  []Change
	// Least is how many points there must be for a change to show, and Alpha the share
	// of histories without a change in which one shows.
	Least int
	Alpha float64
	// Elsewhere is how many runs of other machines were left out, which only ratios
	// could be compared with.
	Elsewhere int
}

// NewHistory makes the history of a workload out of runs in any order: of the paired
// comparisons among them, if there are enough for a change to show, else of the
// medians of the runs that were made on the machine called fingerprint. metric is the
// name of the metric; empty means the one that gates, or wall.
func NewHistory(runs []*perf.Result, workload, metric, fingerprint string) (*History, error) {
	runs = slices.Clone(runs)
	slices.SortFunc(runs, func(a, b *perf.Result) int { return a.Created.Compare(b.Created) })
	h := &History{Workload: workload, Least: 2 * stats.ChangeSide, Alpha: stats.ChangeAlpha}
	few, by := h.ratios(runs, metric)
	if len(h.Points) == 0 {
		h.medians(runs, metric, fingerprint)
	}
	switch {
	case len(h.Points) > 0:
	case few > 0:
		return nil, fmt.Errorf("a history of comparisons takes %d, and of %s those by %s that are kept here are %d: compare more often", h.Least, workload, by, few)
	default:
		if names := h.metrics(runs); len(names) > 0 && !slices.Contains(names, orDefault(metric)) {
			return nil, perf.Usagef("no run that is kept here has measured %s of %s: name one of these by -metric: %s", orDefault(metric), workload, strings.Join(names, ", "))
		}
		return nil, fmt.Errorf("no run that is kept here has measured %s of %s on this machine: measure first (benchmarks)", orDefault(metric), workload)
	}
	changes, err := stats.ChangePoints(h.series(), stats.ChangeOptions{})
	for _, c := range changes {
		h.Changes = append(h.Changes, Change{c.Index, c.Before, c.After, c.P})
	}
	return h, err
}

// metrics are the names of what the runs have measured or compared of the workload.
func (h *History) metrics(runs []*perf.Result) []string {
	var out []string
	add := func(name string) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, r := range runs {
		if w := r.Workload(h.Workload); w != nil {
			for _, m := range w.Metrics {
				add(m.Name)
			}
		}
		for _, c := range r.Comparisons {
			if c.Workload == h.Workload {
				add(c.Metric)
			}
		}
	}
	return out
}

// Columns makes at most n values of the points, each the median of neighbours.
func (h *History) Columns(n int) []float64 {
	s := h.series()
	out := make([]float64, min(len(s), n))
	for i := range out {
		out[i] = stats.Median(s[i*len(s)/len(out) : (i+1)*len(s)/len(out)])
	}
	return out
}

func orDefault(metric string) string {
	if metric == "" {
		return perf.Wall.Name
	}
	return metric
}

func (h *History) series() perf.Sample {
	s := make(perf.Sample, len(h.Points))
	for i, p := range h.Points {
		s[i] = p.Value
	}
	return s
}

func point(r *perf.Result, value float64) Point {
	return Point{Run: r.ID, Created: r.Created, Commit: r.Subject.Commit, Dirty: r.Subject.Dirty, Value: value}
}

// ratios takes the points from paired comparisons, or says how few there are, and by which
// metric. A ratio is free of the machine, so that runs of all machines count. Without the name of a
// metric it is the one by which the newest of them was gated.
func (h *History) ratios(runs []*perf.Result, metric string) (few int, by string) {
	for _, r := range slices.Backward(runs) {
		if metric != "" {
			break
		}
		if c := h.paired(r, func(c perf.Comparison) bool { return c.Gate }); c != nil {
			metric = c.Metric
		}
	}
	var refs []string
	for _, r := range runs {
		c := h.paired(r, func(c perf.Comparison) bool { return c.Metric == metric })
		if c == nil {
			continue
		}
		h.Metric = perf.Metric{Name: c.Metric, Unit: perf.Ratio, Better: c.Better}
		h.Points = append(h.Points, point(r, *c.Ratio))
		if !slices.Contains(refs, c.Old.Ref) {
			refs = append(refs, c.Old.Ref)
		}
	}
	if few := len(h.Points); few < h.Least {
		h.Points = nil
		return few, metric
	}
	if h.Kind = AnchorHistory; len(refs) > 1 {
		h.Kind = RatioHistory
	}
	return 0, metric
}

// paired is the first paired comparison of the workload in a run that has a ratio and is
// wanted; nil if there is none.
func (h *History) paired(r *perf.Result, wanted func(perf.Comparison) bool) *perf.Comparison {
	for i := range r.Comparisons {
		c := &r.Comparisons[i]
		if c.Workload == h.Workload && c.Design == perf.Paired && c.Verdict != perf.Invalid && c.Ratio != nil && *c.Ratio > 0 && wanted(*c) {
			return c
		}
	}
	return nil
}

// medians takes the points from the runs that measured the workload on this machine.
func (h *History) medians(runs []*perf.Result, metric, fingerprint string) {
	h.Kind = MedianHistory
	for _, r := range runs {
		w := r.Workload(h.Workload)
		if w == nil || w.State != perf.StateOK {
			continue
		}
		m, ok := w.Series(orDefault(metric))
		if !ok || len(m.Samples) == 0 || math.IsNaN(stats.Median(m.Samples)) {
			continue
		}
		if r.Machine.Fingerprint != fingerprint {
			h.Elsewhere++
			continue
		}
		h.Metric = m.Metric
		h.Points = append(h.Points, point(r, stats.Median(m.Samples)))
	}
}
