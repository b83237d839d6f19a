package stats

import (
	"fmt"
	"math"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Limits are what an objective asks of a quantile of a metric, in its base unit.
// The zero Better means [perf.Lower].
type Limits struct {
	Quantile   float64 // 0.5 for the median
	Confidence float64 // of each bound by itself, 0.95 by custom
	Target     float64 // to be kept
	Critical   float64 // never to be passed; equal to Target or on its bad side
	Better     perf.Better
	Unit       perf.Unit // for the wording of reasons
}

// A Judgement is how a sample stands against [Limits].
type Judgement struct {
	State    perf.ObjectiveState
	Estimate float64 // NaN where nothing was measured
	Low      float64 // valid where HasLow
	High     float64 // valid where HasHigh
	HasLow   bool
	HasHigh  bool
	N        int
	// Needed is how many values it takes to judge at all, where there are too few; 0
	// elsewhere, also when the bounds straddle a limit.
	Needed int
	// Reason is a sentence for every state but a plain MET.
	Reason string
}

// Judge holds the bounds of s, made by [FixedBounds] or [SequentialBounds] for the
// quantile and the confidence of l, against the limits. For a metric of which lower
// is better, and the other way round for its mirror image:
//
//	MET        High is not over the target
//	BREACHED   Low is over the critical limit
//	WARNING    Low is over the target and High not over the critical limit
//	UNDECIDED  the bounds straddle a limit, or one that is needed is missing
//
// A bound on the side that does not matter may be missing: MET asks for High alone.
// Each wrong answer is possible on one side only, so that its probability is at
// most 1 - confidence, with [SequentialBounds] also for who stops at the first
// answer. Without values the state is NOT MEASURED.
func Judge(l Limits, s perf.Sample, b Bounds) Judgement {
	j := Judgement{State: perf.Undecided, Estimate: b.Estimate, N: len(s),
		Low: b.Low, High: b.High, HasLow: b.HasLow, HasHigh: b.HasHigh}
	if j.refuse(l, s) {
		return j
	}
	worst, best := bound{b.High, b.HasHigh, b.NeededHigh, "above"}, bound{b.Low, b.HasLow, b.NeededLow, "below"}
	if l.Better == perf.Higher {
		worst, best = best, worst
	}
	switch {
	case worst.has && !l.worse(worst.value, l.Target):
		j.State = perf.Met
	case best.has && l.worse(best.value, l.Critical):
		j.State = perf.Breached
		j.Reason = fmt.Sprintf("the %s is %s, %s the critical %s", l.quantile(), l.format(best.value), l.beyond(), l.format(l.Critical))
	case !worst.has:
		j.tooFew(l, worst)
	case !best.has:
		j.tooFew(l, best)
	case l.worse(best.value, l.Target) && !l.worse(worst.value, l.Critical):
		j.State = perf.OverTarget
		j.Reason = fmt.Sprintf("the %s is %s the target %s", l.quantile(), l.beyond(), l.format(l.Target))
	default:
		j.Reason = l.straddle(best.value, worst.value, b)
	}
	return j
}

// bound is one side of [Bounds].
type bound struct {
	value  float64
	has    bool
	needed int
	side   string
}

// refuse finishes the judgement where there is nothing that can be judged.
func (j *Judgement) refuse(l Limits, s perf.Sample) bool {
	if reason := l.check(); reason != "" {
		j.Reason = reason
		return true
	}
	if len(s) == 0 {
		j.State, j.Reason, j.Estimate = perf.NotMeasured, "there are no values", math.NaN()
		return true
	}
	for i, v := range s {
		if !isFinite(v) {
			j.Reason = fmt.Sprintf("value %d of %d is %v, which is no measurement; the run that gave it has to be repeated", i+1, len(s), v)
			return true
		}
	}
	return false
}

// tooFew finishes the judgement where the bound b is missing.
func (j *Judgement) tooFew(l Limits, b bound) {
	if b.needed == 0 {
		j.Reason = fmt.Sprintf("no number of values bounds the %s from %s at a confidence of %v: choose a quantile and a confidence between 0 and 1", l.quantile(), b.side, l.Confidence)
		return
	}
	j.Needed = b.needed
	j.Reason = fmt.Sprintf("%s cannot bound the %s from %s: needs %d", plural(j.N, "value"), l.quantile(), b.side, b.needed)
}

// straddle words bounds with a limit between them. The target comes first: who is
// over the target and perhaps over the critical limit wants to know about that.
func (l Limits) straddle(best, worst float64, b Bounds) string {
	name, limit := "target", l.Target
	if l.worse(best, l.Target) {
		name, limit = "critical", l.Critical
	}
	scale := perf.NewScale(l.Unit, b.Low, b.High)
	text := fmt.Sprintf("the %s lies between %s and %s, on either side of the %s %s: more runs narrow it",
		l.quantile(), scale.Format(b.Low), scale.Format(b.High), name, l.format(limit))
	if name == "target" && l.worse(worst, l.Critical) {
		text += "; it may be " + l.beyond() + " the critical " + l.format(l.Critical) + " too"
	}
	return text
}

// check returns what is wrong with the limits, or nothing.
func (l Limits) check() string {
	if !isFinite(l.Target) || !isFinite(l.Critical) {
		return fmt.Sprintf("the target %v and the critical limit %v have to be finite numbers", l.Target, l.Critical)
	}
	if l.worse(l.Target, l.Critical) {
		return fmt.Sprintf("the target %s is worse than the critical %s: set them the other way round", l.format(l.Target), l.format(l.Critical))
	}
	return ""
}

// worse reports whether a is strictly on the bad side of b. Equal is never worse: a
// limit may be reached.
func (l Limits) worse(a, b float64) bool {
	if l.Better == perf.Higher {
		return a < b
	}
	return a > b
}

// beyond is the word for the bad side.
func (l Limits) beyond() string {
	if l.Better == perf.Higher {
		return "under"
	}
	return "over"
}

func (l Limits) format(v float64) string { return l.Unit.Format(v) }

func (l Limits) quantile() string {
	if l.Quantile == 0.5 {
		return "median"
	}
	return fmt.Sprintf("%v quantile", l.Quantile)
}

// ObjectiveResult returns the judgement in the form of the JSON, with null for what
// was not measured. The caller adds what only it knows: Name, Workload and Metric.
func (j Judgement) ObjectiveResult(l Limits) perf.ObjectiveResult {
	o := perf.ObjectiveResult{Unit: l.Unit, Quantile: l.Quantile, Confidence: l.Confidence,
		N: j.N, Target: l.Target, Critical: l.Critical, State: j.State, Needed: j.Needed, Reason: j.Reason}
	if isFinite(j.Estimate) {
		o.Estimate = new(j.Estimate)
	}
	if j.HasLow {
		o.Low = new(j.Low)
	}
	if j.HasHigh {
		o.High = new(j.High)
	}
	return o
}

// plural is "1 value", "2 values".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
