package experiment

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// workload is the match as a workload of the result. Its samples are in the comparisons.
func (m *match) workload() perf.WorkloadResult {
	w := perf.WorkloadResult{Name: m.Workload, Command: m.Command, State: perf.StateOK, Warnings: m.warnings, Cores: len(m.cpus)}
	switch {
	case m.failed != "":
		w.State, w.Reason = perf.StateFailed, m.failed
	case m.unclean != "":
		w.State, w.Reason = perf.StateFailed, m.unclean
	case m.pairs == 0:
		w.State, w.Reason = perf.StateNotMeasured, cmp.Or(m.why, "it was interrupted before the first pair")
	}
	w.Contention, _ = m.shared.worst()
	if text := m.shared.paired(); text != "" {
		w.Warnings = append(slices.Clone(w.Warnings), perf.Warning{Kind: perf.WarnContention, Text: text})
	}
	if text := m.voidWarning(); text != "" {
		w.Warnings = append(slices.Clone(w.Warnings), perf.Warning{Kind: perf.WarnSubject, Text: text})
	}
	return w
}

// voidWarning tells of pairs that do not count.
func (m *match) voidWarning() string {
	if len(m.voids) == 0 || m.failed != "" {
		return ""
	}
	return fmt.Sprintf("%d of %d pairs are void, because a run of theirs failed, and do not count: %s", len(m.voids), m.begun, m.voids[0].Reason)
}

// comparisons are all metrics of the match, those that gate first.
func (m *match) comparisons() []perf.Comparison {
	var gates, others []perf.Comparison
	if m.failed == "" {
		for _, metric := range m.rule.metrics {
			m.metric(metric) // one without a pair is listed, too
		}
	}
	for _, p := range m.series {
		c := m.comparison(p)
		if c.Gate {
			gates = append(gates, c)
		} else {
			others = append(others, c)
		}
	}
	return append(gates, others...)
}

// comparison is one metric of the match as it stands.
func (m *match) comparison(p *pairSeries) perf.Comparison {
	c := perf.Comparison{
		Workload: m.Workload, Metric: p.metric.Name, Unit: p.metric.Unit, Better: p.metric.Better, Design: perf.Paired,
		Old:   perf.Arm{Ref: m.Old.Ref, Samples: slices.Clone(p.old), Center: center(p.old)},
		New:   perf.Arm{Ref: m.New.Ref, Samples: slices.Clone(p.new), Center: center(p.new)},
		Order: m.order.String(), Seed: m.Seed, Alpha: m.Alpha, MinEffect: m.MinEffect, Verdict: perf.VerdictUnsure,
		Pairs: len(p.old), Voids: m.voids, Builds: m.Builds,
	}
	if m.pinned {
		c.CPUs = m.cpus
	}
	if len(p.controlOld) > 0 {
		c.Control = &perf.Control{Old: slices.Clone(p.controlOld), New: slices.Clone(p.controlNew), Evidence: new(m.pool.Evidence())}
	}
	if c.Gate = m.rule.has(p.metric); c.Gate {
		c.GateReason = m.rule.reason
		c.Alpha /= float64(len(m.rule.metrics))
	}
	switch {
	case m.failed != "" && c.Gate:
		return invalid(c, m.failed)
	case m.exact(p):
		c.Gate = slices.Contains(allocations, p.metric.Unit)
		exactly(&c)
	default:
		m.decide(&c, p)
	}
	return c
}

// decide fills in what the pairs say of a metric.
func (m *match) decide(c *perf.Comparison, p *pairSeries) {
	res := p.paired.Comparison(p.metric)
	c.Verdict, c.Reason, c.Ratio, c.Low, c.High, c.Evidence = res.Verdict, res.Reason, res.Ratio, res.Low, res.High, res.Evidence
	if m.pairs == 0 && c.Gate {
		c.Reason = notMeasured + "no pair came to its end"
	} else if p.noRatio != nil {
		c.Reason = fmt.Sprintf("%d of %d pairs have no ratio: %v", len(p.old)-p.paired.Pairs(), len(p.old), p.noRatio)
	}
	switch {
	case c.Verdict == perf.NoChange && m.rule.cannotCertify(p.metric):
		c.Verdict, c.Reason = perf.VerdictUnsure, "the command mostly waits, and CPU time cannot see whether it waits longer"
	case c.Verdict == perf.NoChange && c.Gate && p.metric == perf.CPU && m.wallIsSlower():
		c.Reason = "wall time, which does not decide here, is SLOWER by its own pairs: what computes as much may wait for longer (-metric=wall)"
	case c.Verdict == perf.VerdictUnsure && c.Gate:
		c.Needed, _ = p.paired.Needed()
		if m.why != "" {
			c.Reason = m.why + ": " + c.Reason
		}
	}
}

// wallIsSlower reports whether wall time is SLOWER by itself, where it does not gate. It
// changes no verdict, as those go by what was fixed before the first pair.
func (m *match) wallIsSlower() bool {
	if m.rule.has(perf.Wall) {
		return false
	}
	for _, p := range m.series {
		if p.metric == perf.Wall {
			return p.paired.Verdict() == perf.Slower
		}
	}
	return false
}

// notMeasured begins the reason of a comparison without a new value.
const notMeasured = "NOT MEASURED: "

// Missing is the comparison of a workload or benchmark that only the old side has: what
// it measures may have become slower, and nothing can tell.
func Missing(workload, older, newer string) perf.Comparison {
	c := blank(workload, perf.Wall)
	c.Design, c.Gate = perf.Paired, true
	c.Old.Ref, c.New.Ref = older, newer
	c.Reason = notMeasured + newer + " has no " + workload
	return c
}

// exact reports whether a metric takes one value in every run of an arm. Times never
// are: that two clocks agree is chance.
func (m *match) exact(p *pairSeries) bool {
	constant := func(s perf.Sample) bool {
		return !slices.ContainsFunc(s, func(v float64) bool { return v != s[0] })
	}
	return m.Benchmark && !timed(p.metric) && len(p.old) > 1 && constant(p.old) && constant(p.new) && constant(append(slices.Clone(p.controlOld), p.controlNew...))
}

// exactly compares two constants.
func exactly(c *perf.Comparison) {
	res := stats.CompareExact(c.Old.Samples, c.New.Samples, perf.Metric{Name: c.Metric, Unit: c.Unit, Better: c.Better})
	c.Exact, c.Alpha, c.MinEffect = true, 0, 0
	c.Verdict, c.Reason, c.Ratio, c.Low, c.High = res.Verdict, res.Reason, res.Ratio, res.Low, res.High
	if older, newer := c.Old.Samples[0], c.New.Samples[0]; older != newer && c.Reason == "" {
		c.Reason = fmt.Sprintf("it is %s in every old run and %s in every new one", c.Unit.Format(older), c.Unit.Format(newer))
	}
}

// discoveries applies the e-BH procedure of perf/stats to the comparisons that gate: of
// those that are called SLOWER or FASTER together, a share of at most alpha is so by
// chance (Wang and Ramdas 2022). Each workload has the same weight, which its metrics
// share: this is the error that [match.enough] stops at, for which the number of metrics
// of the workloads that are still to come is not known.
func discoveries(list []perf.Comparison, alpha float64) {
	var at []int
	metrics := map[string]int{} // of each workload
	for i, c := range list {
		if c.Gate && !c.Exact && c.Evidence != nil {
			at = append(at, i)
			metrics[c.Workload]++
		}
	}
	evidence, weights := make([]float64, len(at)), make([]float64, len(at))
	for k, i := range at {
		// One on average, as the procedure wants them.
		weights[k] = float64(len(at)) / float64(len(metrics)*metrics[list[i].Workload])
		evidence[k] = weights[k] * *list[i].Evidence
	}
	found, threshold := stats.EBH(evidence, alpha)
	for k, i := range at {
		c := &list[i]
		if changed := c.Verdict == perf.Slower || c.Verdict == perf.Faster; changed && !found[k] {
			c.Verdict = perf.VerdictUnsure
			c.Reason = fmt.Sprintf("evidence of %.3g would do for one comparison, and among those of %d workloads it takes %.3g: more pairs (-budget)", *c.Evidence, len(metrics), threshold/weights[k])
		}
	}
}
