package experiment

import (
	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// SummariseImported fills in the summaries of values that were not measured here: how
// many there are was nobody's decision while they came in, as far as anybody knows. What
// a file states about a single value stays.
func SummariseImported(r *perf.Result) {
	for i := range r.Workloads {
		for j := range r.Workloads[i].Metrics {
			if m := &r.Workloads[i].Metrics[j]; m.Summary == nil && len(m.Samples) > 0 {
				m.Summary = fixedSummary(m.Samples)
			}
		}
	}
}

// fixedSummary is the summary of a sample whose size was set beforehand.
func fixedSummary(s perf.Sample) *perf.Summary {
	sum := stats.Summarize(s, confidence)
	out := &perf.Summary{N: sum.N, Center: sum.Center, Min: sum.Min, Max: sum.Max}
	if sum.HasInterval {
		out.Low, out.High, out.Confidence = &sum.Lo, &sum.Hi, sum.Confidence
	}
	return out
}
