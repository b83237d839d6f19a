package experiment

import (
	"cmp"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
	"github.com/seanchatmangpt/clnrm-perf/perf/benchio"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// gateMetrics are the metrics by which two sessions are gated: what a user of the
// subject feels. The others are shown.
var gateMetrics = map[string]bool{perf.Wall.Name: true, perf.PeakMemory.Name: true}

// CompareUnpaired compares the run now with the baseline old, called name, which may
// be of another day. Every metric of a workload that both have is compared; one that gates and that one
// of them lacks is in the list too, with the reason. Where the machines differ,
// nothing that is a time gates.
func CompareUnpaired(name string, old, now *perf.Result) []perf.Comparison {
	foreign := old.Machine.Fingerprint != now.Machine.Fingerprint
	base := byName(old)
	type series struct {
		w *perf.WorkloadResult
		m perf.Series
	}
	var all []series
	for i := range now.Workloads {
		for _, m := range now.Workloads[i].Metrics {
			all = append(all, series{&now.Workloads[i], m})
		}
	}
	out := make([]perf.Comparison, len(all))
	inParallel(len(all), func(i int) {
		c := compareSeries(base[all[i].w.Name], all[i].w, all[i].m)
		c.Old.Ref, c.New.Ref = name, now.ID
		c.Gate = gates(now, all[i].m.Metric, foreign)
		out[i] = c
	})
	out = slices.DeleteFunc(out, func(c perf.Comparison) bool { return !c.Gate && len(c.Old.Samples) == 0 })
	out = append(out, missing(name, old, now, foreign)...)
	inParallel(len(out), func(i int) {
		out[i].Old.Center, out[i].New.Center = center(out[i].Old.Samples), center(out[i].New.Samples)
	})
	return out
}

// byName are the workloads of a result by their names, which are unique.
func byName(r *perf.Result) map[string]*perf.WorkloadResult {
	all := make(map[string]*perf.WorkloadResult, len(r.Workloads))
	for i := range r.Workloads {
		all[r.Workloads[i].Name] = &r.Workloads[i]
	}
	return all
}

// inParallel does n things that do not depend on each other, on all CPUs.
func inParallel(n int, do func(i int)) {
	var taken atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(taken.Add(1)) - 1; i < n; i = int(taken.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}

func center(s perf.Sample) *float64 {
	if len(s) == 0 {
		return nil
	}
	m := stats.Median(s)
	return &m
}

// gates reports whether a metric of the run now gates between two sessions. foreign says that they
// were on different machines.
func gates(now *perf.Result, m perf.Metric, foreign bool) bool {
	if benchio.IsEstimate(m.Name) || foreign && isTime(m) {
		return false
	}
	return gateMetrics[m.Name] || m.Unit == perOperation.Unit || importGates(now, m)
}

// importGates reports whether a metric of files of other tools gates: whatever they
// measured is what their user cares for. The times that hyperfine has beside its own are
// one value each, of which nothing can be decided.
func importGates(now *perf.Result, m perf.Metric) bool {
	return now.Imported() && m != perf.User && m != perf.System
}

func isTime(m perf.Metric) bool { return m.Unit.IsTime() || m.Unit.IsRate() }

// compareSeries compares one series with that of the same name of the workload base of
// the baseline, which is nil where it has none.
func compareSeries(base, w *perf.WorkloadResult, m perf.Series) perf.Comparison {
	c := blank(w.Name, m.Metric)
	c.New.Samples = m.Samples
	if base == nil {
		return invalid(c, "the baseline has no workload "+w.Name+": save a new one")
	}
	series, ok := base.Series(m.Name)
	if !ok || len(series.Samples) == 0 {
		return invalid(c, fmt.Sprintf("the baseline has no %s for %s: save a new one", m.Name, w.Name))
	}
	if series.Unit != m.Unit || series.Better != m.Better {
		return invalid(c, fmt.Sprintf("the baseline has %s in %s (%s is better) and the run in %s (%s is better)", m.Name, series.Unit, series.Better, m.Unit, m.Better))
	}
	c.Old.Samples = series.Samples
	if reason := unfit(base, w); reason != "" {
		return invalid(c, reason)
	}
	verdict(&c, m.Metric, max(base.Contention, w.Contention))
	return c
}

// unfit says why the samples of a workload that did not end well decide nothing: they
// are the runs that happened to succeed. It is empty for two that did.
func unfit(base, w *perf.WorkloadResult) string {
	switch {
	case w.State != perf.StateOK:
		return fmt.Sprintf("%s is %s in this run: %s", w.Name, w.State, w.Reason)
	case base.State != perf.StateOK:
		return fmt.Sprintf("%s is %s in the baseline: save a new one", w.Name, base.State)
	}
	return ""
}

func blank(workload string, m perf.Metric) perf.Comparison {
	return perf.Comparison{Workload: workload, Metric: m.Name, Unit: m.Unit, Better: m.Better, Design: perf.Unpaired, Verdict: perf.VerdictUnsure}
}

func invalid(c perf.Comparison, reason string) perf.Comparison {
	c.Verdict, c.Reason = perf.Invalid, reason
	return c
}

// missing lists what the baseline gates by and the run did not measure.
func missing(name string, old, now *perf.Result, foreign bool) []perf.Comparison {
	var out []perf.Comparison
	measured := byName(now)
	for _, base := range old.Workloads {
		w := measured[base.Name]
		for _, m := range base.Metrics {
			if !gates(now, m.Metric, foreign) {
				continue
			}
			if w != nil {
				if _, ok := w.Series(m.Name); ok {
					continue
				}
			}
			c := blank(base.Name, m.Metric)
			c.Gate = true
			c.Old, c.New.Ref = perf.Arm{Ref: name, Samples: m.Samples}, now.ID
			c.Reason = fmt.Sprintf("NOT MEASURED: the run has no %s for %s", m.Name, base.Name)
			if len(now.Only) > 0 && !slices.Contains(now.Only, base.Name) {
				c.Reason += ", because it was restricted by -only"
			}
			if w != nil && w.Reason != "" {
				c.Reason += fmt.Sprintf(", which is %s: %s", w.State, w.Reason)
			}
			out = append(out, c)
		}
	}
	return out
}

// verdict fills in what perf/stats says of the two samples. contention is the share of
// the time that other work had in the worse of the two sessions: a change of a time
// which is not larger than that on top of what counts anyway may be that work's.
func verdict(c *perf.Comparison, m perf.Metric, contention float64) {
	compare := func(effect float64) perf.Comparison {
		return stats.CompareUnpaired(c.Old.Samples, c.New.Samples, m, stats.UnpairedAlpha, effect)
	}
	res := compare(stats.UnpairedMinEffect)
	c.Verdict, c.Reason, c.Alpha, c.MinEffect = res.Verdict, res.Reason, res.Alpha, res.MinEffect
	c.Ratio, c.Low, c.High = res.Ratio, res.Low, res.High
	if changed := c.Verdict == perf.Slower || c.Verdict == perf.Faster; !changed || contention == 0 || !isTime(m) {
		return
	}
	// More than 90 % slower is more than any share can explain; compare takes no more.
	if effect := min(stats.UnpairedMinEffect+contention, 0.9); compare(effect).Verdict != c.Verdict {
		c.Verdict = perf.VerdictUnsure
		c.Reason = fmt.Sprintf("other work on the machine had %.0f %% of the time in one of the two sessions, which explains as much: measure that one again when the machine is quiet", 100*contention)
	}
}

// ComparisonStatus is the exit status that comparisons deserve. Nothing compared is
// 1, gate or not. Under the policy's gate a metric that gates and is SLOWER is 3, an
// INVALID one 1, one that the run did not measure 4, and with Strict an UNDECIDED
// one too.
func (p Policy) ComparisonStatus(list []perf.Comparison) int {
	compared, statuses := 0, []int{}
	for _, c := range list {
		if len(c.Old.Samples) > 0 && len(c.New.Samples) > 0 && c.Verdict != perf.Invalid && (c.Gate || !p.Gate) {
			compared++
		}
		if p.Gate && c.Gate {
			statuses = append(statuses, p.comparison(c))
		}
	}
	if compared == 0 {
		statuses = append(statuses, perf.ExitFailure)
	}
	return perf.WorstExit(statuses...)
}

// PairedStatus is the exit status that a run deserves which compared pairs: as
// ComparisonStatus, and 1 for a workload that failed or a run that was cut short.
func (p Policy) PairedStatus(r *perf.Result) int {
	return perf.WorstExit(workloadStatus(r), p.ComparisonStatus(r.Comparisons))
}

func (p Policy) comparison(c perf.Comparison) int {
	switch {
	case c.Verdict == perf.Slower:
		return perf.ExitGate
	case c.Verdict == perf.Invalid:
		return perf.ExitFailure
	case len(c.New.Samples) == 0 && slices.Contains(p.AllowUnmeasured, c.Workload):
		return perf.ExitOK
	case len(c.New.Samples) == 0, c.Verdict == perf.VerdictUnsure && p.Strict:
		return perf.ExitUnjudged
	}
	return perf.ExitOK
}

// CompareWarnings says what else differs between the baseline called name and the
// run: its age, the machine, the versions of the tools.
func CompareWarnings(name string, old, now *perf.Result, when time.Time) []perf.Warning {
	var out []perf.Warning
	if w, stale := baseline.Age(name, old.Created, when); stale {
		out = append(out, w)
	}
	if old.Machine.Fingerprint != now.Machine.Fingerprint {
		out = append(out, perf.Warning{Kind: perf.WarnEnvironment, Text: fmt.Sprintf("the baseline is of another machine (%s, %s), so no time gates", old.Machine.CPU, old.Machine.Fingerprint)})
	}
	for _, tool := range slices.Sorted(maps.Keys(old.Machine.Toolchain)) {
		then, v := old.Machine.Toolchain[tool], now.Machine.Toolchain[tool]
		if v == then {
			continue
		}
		out = append(out, perf.Warning{Kind: perf.WarnEnvironment, Text: fmt.Sprintf("%s was %s for the baseline and is %s now", tool, then, cmp.Or(v, "of no known version"))})
	}
	if old.Mode != now.Mode {
		out = append(out, perf.Warning{Kind: perf.WarnEnvironment, Text: fmt.Sprintf("the baseline was measured in %s mode and the run in %s mode", old.Mode, now.Mode)})
	}
	return out
}
