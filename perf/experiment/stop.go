package experiment

import (
	"math"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// confidence at which stopping judges the width of an interval.
const confidence = 0.95

// overBudget is how far the fewest runs that can bound a median may exceed the
// budget of a workload before it counts as too costly to repeat.
const overBudget = 2

// fixed reports whether the number of runs was set beforehand. Then order
// statistics for that number bound the quantiles; a number that depends on what was
// seen needs bounds that hold at every look.
func (rec *recording) fixed() bool { return rec.minimum == rec.maximum }

// size fixes the number of runs by what a run of the warm-up took: as many as the
// tails of their times need where wall is short, and else what fits into the budget,
// of which took is what one costs with all around it.
func (rec *recording) size(wall, took time.Duration) {
	n := rec.step.Max
	if wall >= suite.FirmReload {
		n = min(max(int(rec.step.Budget/max(took, 1)), 1), n)
	}
	rec.minimum, rec.maximum = n, n
}

func (rec *recording) bounds(s perf.Sample, q, conf float64) stats.Bounds {
	if rec.fixed() {
		return stats.FixedBounds(s, q, conf)
	}
	return stats.SequentialBounds(s, q, conf)
}

// settle looks at the first run, and only at how long it took. A workload of which
// even the fewest runs that can bound a median do not fit becomes a one-shot; one
// of which the usual number does not fit gets fewer. A number that the workload
// states itself is left as it is.
func (rec *recording) settle() {
	if rec.oneShot || !rec.adaptable() {
		return
	}
	if rec.tooCostly(rec.spent) {
		rec.oneShot = true
		return
	}
	least := stats.NeededSequential(0.5, confidence)
	fits := int(rec.step.Budget / max(rec.spent, 1))
	rec.minimum = min(rec.step.Min, max(fits, least))
}

// adaptable reports whether the number of runs may follow from what a run takes.
func (rec *recording) adaptable() bool {
	return !rec.fixed() && !rec.step.Firm && !rec.step.ByCost && rec.step.Budget > 0
}

// tooCostly reports whether even the fewest runs that can bound a median do not fit,
// when one takes d.
func (rec *recording) tooCostly(d time.Duration) bool {
	least := stats.NeededSequential(0.5, confidence)
	return rec.adaptable() && time.Duration(least)*d > overBudget*rec.step.Budget
}

// atMost is how many runs there will be at the most, for the status line.
func (rec *recording) atMost() int {
	if rec.oneShot {
		return 1
	}
	n := len(rec.wall())
	if n == 0 || rec.fixed() || rec.step.Budget <= 0 {
		return rec.maximum
	}
	mean := rec.spent / time.Duration(n)
	left := int((rec.step.Budget - rec.spent) / max(mean, 1))
	return min(rec.maximum, max(rec.minimum, n+left, n+1))
}

// again reports whether a one-shot must run a second time: it has run once and was
// seen to breach an objective.
func (rec *recording) again() bool {
	if !rec.oneShot || len(rec.wall()) != 1 {
		return false
	}
	for _, o := range rec.step.Objectives {
		if _, again := stats.JudgeOneShot(limits(o), rec.samples(o.Metric.Name)); again {
			return true
		}
	}
	return false
}

// enough reports whether another run would tell nothing that matters, or the limits
// on runs and time are reached.
func (rec *recording) enough() bool {
	n := len(rec.wall())
	switch {
	case n == 0, rec.again():
		return false
	case rec.oneShot, n >= rec.maximum:
		return true
	case n < rec.minimum:
		return false
	case rec.step.Budget > 0 && rec.spent >= rec.step.Budget:
		return true
	case rec.fixed():
		return false
	}
	return rec.decided() && stats.Narrow(rec.bounds(rec.wall(), 0.5, confidence), rec.step.Narrow)
}

// decided reports whether every objective on a timed metric has its answer.
func (rec *recording) decided() bool {
	for _, o := range rec.step.Objectives {
		if o.Metric == perf.PeakMemory {
			continue // memory has runs of its own
		}
		s := rec.samples(o.Metric.Name)
		if stats.Judge(limits(o), s, rec.bounds(s, o.Quantile, o.Confidence)).State == perf.Undecided {
			return false
		}
	}
	return true
}

func limits(o suite.Objective) stats.Limits {
	return stats.Limits{Quantile: o.Quantile, Confidence: o.Confidence, Target: o.Target, Critical: o.Critical, Better: o.Metric.Better, Unit: o.Metric.Unit}
}

// judge says how the workload stands against an objective. A workload that failed
// is judged by nothing, however many runs went well before: they would be the ones
// that happened to succeed.
func (rec *recording) judge(o suite.Objective) perf.ObjectiveResult {
	var j stats.Judgement
	switch {
	case rec.result.State != perf.StateOK:
		j = stats.Judgement{State: perf.NotMeasured, Reason: rec.result.Reason, Estimate: math.NaN()}
		if rec.result.State == perf.StateFailed {
			j.Reason = rec.step.Name + " failed: " + rec.result.Reason
		}
	case len(rec.samples(o.Metric.Name)) == 0:
		j = stats.Judgement{State: perf.NotMeasured, Reason: rec.whyNothing(o), Estimate: math.NaN()}
	default:
		j = rec.judgement(o)
	}
	res := j.ObjectiveResult(limits(o))
	res.Name, res.Workload, res.Metric, res.Source = o.Name, o.Workload, o.Metric.Name, o.Source
	return res
}

// whyNothing says why there is no value for an objective of a workload that went well.
func (rec *recording) whyNothing(o suite.Objective) string {
	for _, w := range rec.result.Warnings {
		if w.Kind == perf.WarnNotMeasured {
			return w.Text
		}
	}
	return "no run gave a value for " + o.Metric.Name
}

func (rec *recording) judgement(o suite.Objective) stats.Judgement {
	s := rec.samples(o.Metric.Name)
	switch {
	case o.Metric == perf.PeakMemory:
		return stats.JudgeMemory(limits(o), s, rec.samples(perf.PeakMemoryBound.Name))
	case rec.oneShot:
		j, _ := stats.JudgeOneShot(limits(o), s)
		return j
	}
	return stats.Judge(limits(o), s, rec.bounds(s, o.Quantile, o.Confidence))
}
