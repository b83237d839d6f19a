package benchio

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// median is the middle value, or the mean of the middle two. It is no decision of this
// package's: a format with one number for many values has no place for more.
func median(s perf.Sample) float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// bounds are those of the interval of a series, where there is one.
func bounds(m perf.Series) (low, high float64, ok bool) {
	if m.Summary == nil || m.Summary.Low == nil || m.Summary.High == nil {
		return 0, 0, false
	}
	return *m.Summary.Low, *m.Summary.High, true
}

// filled yields the series of the workloads that have a value.
func filled(workloads []perf.WorkloadResult, yield func(w *perf.WorkloadResult, m perf.Series)) {
	for i := range workloads {
		for _, m := range workloads[i].Metrics {
			if len(m.Samples) > 0 {
				yield(&workloads[i], m)
			}
		}
	}
}

// measuredBy are the workloads of a result with what it measured. One that compared pairs
// holds its samples in the comparisons; then they are those of its new side.
func measuredBy(r *perf.Result) []perf.WorkloadResult {
	if measured := slices.ContainsFunc(r.Workloads, func(w perf.WorkloadResult) bool { return len(w.Metrics) > 0 }); measured {
		return r.Workloads
	}
	return side(r, func(c perf.Comparison) perf.Arm { return c.New })
}

// side makes workloads of one arm of the comparisons.
func side(r *perf.Result, arm func(perf.Comparison) perf.Arm) []perf.WorkloadResult {
	var out []perf.WorkloadResult
	for _, c := range r.Comparisons {
		i := slices.IndexFunc(out, func(w perf.WorkloadResult) bool { return w.Name == c.Workload })
		if i < 0 {
			i = len(out)
			out = append(out, perf.WorkloadResult{Name: c.Workload, State: perf.StateOK})
		}
		m := perf.Series{Metric: perf.Metric{Name: c.Metric, Unit: c.Unit, Better: c.Better}, Samples: arm(c).Samples}
		out[i].Metrics = append(out[i].Metrics, m)
	}
	return out
}

// writeJSON writes a value indented. Names stay as they are: nothing puts this into a
// script.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// customValue is one value of github-action-benchmark.
type customValue struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	Range string  `json:"range,omitempty"`
	Extra string  `json:"extra,omitempty"`
}

// WriteCustom writes the medians of the metrics of one direction as
// github-action-benchmark takes them: customSmallerIsBetter for [perf.Lower],
// customBiggerIsBetter for [perf.Higher]. That tool has one direction for a whole file.
func WriteCustom(w io.Writer, r *perf.Result, better perf.Better) error {
	list := []customValue{}
	filled(measuredBy(r), func(wl *perf.WorkloadResult, m perf.Series) {
		if m.Better != better {
			return
		}
		v := customValue{Name: wl.Name, Unit: cmp.Or(string(m.Unit), "count"), Value: median(m.Samples)}
		if m.Name != v.Unit {
			v.Name += " " + m.Name
		}
		if low, high, ok := bounds(m); ok {
			v.Range = fmt.Sprintf("± %v", max(high-v.Value, v.Value-low))
		}
		if n := len(m.Samples); n > 1 {
			v.Extra = fmt.Sprintf("median of %d", n)
		}
		list = append(list, v)
	})
	return writeJSON(w, list)
}

// bmfValue is a measure of Bencher.
type bmfValue struct {
	Value float64  `json:"value"`
	Lower *float64 `json:"lower_value,omitempty"`
	Upper *float64 `json:"upper_value,omitempty"`
}

// WriteBencher writes the medians with their intervals in the Bencher Metric Format.
// The time of a benchmark is Bencher's measure "latency", in nanoseconds; what is no
// built-in measure gets one of its own name, in base units.
func WriteBencher(w io.Writer, r *perf.Result) error {
	out := map[string]map[string]bmfValue{}
	filled(measuredBy(r), func(wl *perf.WorkloadResult, m perf.Series) {
		slug, factor := measureOf(m.Metric)
		v := bmfValue{Value: median(m.Samples) * factor}
		if low, high, ok := bounds(m); ok {
			low, high = low*factor, high*factor
			v.Lower, v.Upper = &low, &high
		}
		if out[wl.Name] == nil {
			out[wl.Name] = map[string]bmfValue{}
		}
		out[wl.Name][slug] = v
	})
	return writeJSON(w, out)
}

// measureOf is the measure of Bencher for a metric, and what makes its unit of ours.
func measureOf(m perf.Metric) (slug string, factor float64) {
	if k, known := measures[m.Name]; known {
		one, unit := tidy(1, k.unit)
		if unit == m.Unit {
			return m.Name, 1 / one
		}
	}
	switch {
	case m.Unit.IsTime() && (m.Name == perf.Wall.Name || m.Name == string(m.Unit)):
		return "latency", 1e9
	case m.Name == string(m.Unit), m.Name == "":
		return cmp.Or(string(m.Unit), "value"), 1
	}
	return strings.ReplaceAll(m.Name, " ", "-"), 1
}

// hyperfineResult is one command of hyperfine's JSON.
type hyperfineResult struct {
	Command   string    `json:"command"`
	Mean      float64   `json:"mean"`
	Stddev    *float64  `json:"stddev"`
	Median    float64   `json:"median"`
	User      float64   `json:"user"`
	System    float64   `json:"system"`
	Min       float64   `json:"min"`
	Max       float64   `json:"max"`
	Times     []float64 `json:"times"`
	Memory    []float64 `json:"memory_usage_byte,omitempty"`
	ExitCodes []*int    `json:"exit_codes"`
}

// WriteHyperfine writes the workloads that have a wall time as hyperfine --export-json
// does. What hyperfine has no place for is left out.
func WriteHyperfine(w io.Writer, r *perf.Result) error {
	results := []hyperfineResult{}
	workloads := measuredBy(r)
	for i := range workloads {
		wl := &workloads[i]
		wall, ok := wl.Series(perf.Wall.Name)
		if !ok || len(wall.Samples) == 0 {
			continue
		}
		res := hyperfineResult{
			Command: wl.Name, Mean: mean(wall.Samples), Median: median(wall.Samples), Times: wall.Samples,
			Min: slices.Min(wall.Samples), Max: slices.Max(wall.Samples), ExitCodes: make([]*int, len(wall.Samples)),
		}
		for i := range res.ExitCodes {
			res.ExitCodes[i] = new(int) // runs that fail are none: their workload has no samples
		}
		if sd, ok := stddev(wall.Samples); ok {
			res.Stddev = &sd
		}
		res.User, res.System = meanOf(wl, perf.User), meanOf(wl, perf.System)
		if memory, ok := wl.Series(perf.PeakMemoryRSS.Name); ok && len(memory.Samples) == len(wall.Samples) {
			res.Memory = memory.Samples
		}
		results = append(results, res)
	}
	return writeJSON(w, map[string]any{"results": results})
}

func meanOf(w *perf.WorkloadResult, m perf.Metric) float64 {
	s, _ := w.Series(m.Name)
	return mean(s.Samples)
}

// mean is 0 of no value.
func mean(s perf.Sample) float64 {
	sum := 0.0
	for _, v := range s {
		sum += v
	}
	return sum / float64(max(len(s), 1))
}

// stddev is that of a sample, which takes two values.
func stddev(s perf.Sample) (float64, bool) {
	if len(s) < 2 {
		return 0, false
	}
	m, sum := mean(s), 0.0
	for _, v := range s {
		sum += (v - m) * (v - m)
	}
	return math.Sqrt(sum / float64(len(s)-1)), true
}
