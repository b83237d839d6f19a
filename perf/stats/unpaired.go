package stats

import (
	"fmt"
	"math"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Customs of a comparison between two sessions.
const (
	// UnpairedAlpha is the two-sided error of its interval.
	UnpairedAlpha = 0.01
	// UnpairedMinEffect is the change that counts, as a share. Two sessions differ by
	// more than the noise inside each of them: another load, another layout of the
	// same binary in memory, another temperature. No interval made of the values of
	// the two sessions knows about that, since it is the same for all values of one. A
	// change of a few percent between sessions is thus no evidence about the subject,
	// however many runs agree, and only an interleaved comparison can find it.
	// Sessions of one binary, a minute apart on a shared virtual machine, were seen to
	// differ by 17 % with tight intervals on both sides.
	UnpairedMinEffect = 0.20
)

// CompareUnpaired compares two samples of metric m that were taken in two sessions.
// Ratio is new/old, the Hodges-Lehmann estimate on the scale of logarithms (the
// median of all pairwise ratios), and Low to High its distribution-free interval
// from the Mann-Whitney statistic, two-sided at alpha, exact for small samples. The
// verdict holds that interval against 1-minEffect to 1+minEffect:
//
//	SLOWER     wholly on the bad side; worse, also for metrics of which more is better
//	FASTER     wholly on the good side
//	NO CHANGE  wholly inside
//	UNDECIDED  otherwise, and where there are too few values for an interval
//	INVALID    a value, alpha or minEffect that makes no sense
//
// Ratios take values above zero. Without them, two samples that are one and the same
// constant have the ratio 1, and everything else is UNDECIDED with the medians in
// the reason. The level of the interval is exact when the two sides differ by a
// factor; when the shape of the distribution changes as well, it is approximate.
//
// Workload, Gate and the Ref of the arms are left to the caller, and so are Order,
// Seed, Evidence and Pairs, which an unpaired comparison does not have.
func CompareUnpaired(older, newer perf.Sample, m perf.Metric, alpha, minEffect float64) perf.Comparison {
	c := perf.Comparison{Metric: m.Name, Unit: m.Unit, Better: m.Better, Design: perf.Unpaired,
		Old: perf.Arm{Samples: slices.Clone(older)}, New: perf.Arm{Samples: slices.Clone(newer)},
		Verdict: perf.VerdictUnsure, Alpha: alpha, MinEffect: minEffect}
	if reason := invalid(older, newer, alpha, minEffect); reason != "" {
		c.Verdict, c.Reason = perf.Invalid, reason
		return c
	}
	if len(older) == 0 || len(newer) == 0 {
		c.Reason = nothingToCompare(older, newer)
		return c
	}
	a, _ := sortedCopy(older)
	b, _ := sortedCopy(newer)
	ratio, ok := newRatios(a, b)
	if !ok {
		c.Reason = fmt.Sprintf("values at or below zero have no ratio: the median went from %s to %s", m.Unit.Format(quantileOf(a, 0.5)), m.Unit.Format(quantileOf(b, 0.5)))
		return c
	}
	if !ratio.representable() {
		c.Reason = "the values lie so far apart that their ratio is no number: look at the samples"
		return c
	}
	c.Ratio = new(ratio.median())
	k := rankSumRank(len(a), len(b), alpha)
	if k == 0 {
		c.Reason = tooFewToCompare(len(a), len(b), alpha)
		return c
	}
	c.Low, c.High = new(kth(ratio, k)), new(kth(ratio, len(a)*len(b)+1-k))
	decideUnpaired(&c)
	return c
}

func nothingToCompare(older, newer perf.Sample) string {
	return fmt.Sprintf("%s on the old side and %s on the new: there is nothing to compare", plural(len(older), "value"), plural(len(newer), "value"))
}

// decideUnpaired sets the verdict by the interval.
func decideUnpaired(c *perf.Comparison) {
	above, below := perf.Slower, perf.Faster
	if c.Better == perf.Higher {
		above, below = below, above
	}
	least, most := 1-c.MinEffect, 1+c.MinEffect
	switch low, high := *c.Low, *c.High; {
	case low > most:
		c.Verdict = above
	case high < least:
		c.Verdict = below
	case low >= least && high <= most:
		c.Verdict = perf.NoChange
		if low > 1 || high < 1 {
			c.Reason = fmt.Sprintf("there is a difference, of less than the %s that count between two sessions: an interleaved comparison tells whether the subject changed", percent(c.MinEffect))
		}
	default:
		c.Reason = fmt.Sprintf("the interval %.3f to %.3f reaches across a limit of ±%s: more runs on both sides narrow it, an interleaved comparison of both in one session does better", low, high, percent(c.MinEffect))
	}
}

// invalid returns what makes a comparison impossible, or nothing.
func invalid(older, newer perf.Sample, alpha, minEffect float64) string {
	if !(alpha > 0 && alpha < 1) || !(minEffect >= 0 && minEffect < 1) {
		return fmt.Sprintf("alpha %v has to lie between 0 and 1, and the least effect %v from 0 to below 1", alpha, minEffect)
	}
	for _, side := range []struct {
		name string
		s    perf.Sample
	}{{"old", older}, {"new", newer}} {
		for i, v := range side.s {
			if !isFinite(v) {
				return fmt.Sprintf("value %d of %d on the %s side is %v, which is no measurement", i+1, len(side.s), side.name, v)
			}
		}
	}
	return ""
}

// tooFewToCompare says which side needs how many values. Where both are short, the
// balanced design is the cheapest way to an interval.
func tooFewToCompare(older, newer int, alpha float64) string {
	level := percent(1 - alpha)
	each := rankSumNeededEach(alpha)
	switch {
	case older < each && newer < each:
		return fmt.Sprintf("%s on the old side and %d on the new cannot give a %s interval: needs %d on each", plural(older, "value"), newer, level, each)
	case older < newer:
		return fmt.Sprintf("%s on the old side cannot give a %s interval beside %d on the new: needs %d", plural(older, "value"), level, newer, rankSumNeeded(newer, alpha))
	}
	return fmt.Sprintf("%s on the new side cannot give a %s interval beside %d on the old: needs %d", plural(newer, "value"), level, older, rankSumNeeded(older, alpha))
}

// percent words a share: 0.1 is "10 %", 0.995 is "99.5 %".
func percent(share float64) string { return fmt.Sprintf("%.4g %%", 100*share) }

// ratios are all quotients of a value of newer and one of older, in order, without
// ever being laid out: a thousand runs on each side have a million of them.
type ratios struct{ older, newer []float64 }

// newRatios takes sorted values that are not empty. It refuses values that are not
// above zero, unless all of them are the same: no change at all has the ratio 1.
func newRatios(older, newer []float64) (ratios, bool) {
	if older[0] > 0 && newer[0] > 0 {
		return ratios{older, newer}, true
	}
	for _, v := range slices.Concat(older, newer) {
		if v != older[0] {
			return ratios{}, false
		}
	}
	ones := func(n int) []float64 { return slices.Repeat([]float64{1}, n) }
	return ratios{ones(len(older)), ones(len(newer))}, true
}

// representable reports whether the extreme ratios, and so all of them, are numbers
// above zero.
func (r ratios) representable() bool {
	least, most := r.extremes()
	return least > 0 && isFinite(most)
}

// median is the Hodges-Lehmann estimate. Of an even number it takes the geometric
// mean of the middle two, as the logarithms would.
func (r ratios) median() float64 {
	n := len(r.older) * len(r.newer)
	if n%2 == 1 {
		return kth(r, (n+1)/2)
	}
	low, high := kthAndNext(r, n/2)
	if low == high {
		return low
	}
	return math.Sqrt(low) * math.Sqrt(high)
}

// extremes are those of all ratios, none of which is negative.
func (r ratios) extremes() (least, most float64) {
	return r.newer[0] / r.older[len(r.older)-1], r.newer[len(r.newer)-1] / r.older[0]
}

// countUpTo counts the ratios that are at most v. The larger the new value, the
// fewer old ones are large enough for it: one finger on each side. Rounding keeps the
// quotients in order, hence the count may be done on rounded ones.
func (r ratios) countUpTo(v float64) int {
	count, i := 0, 0
	for _, b := range r.newer {
		for i < len(r.older) && b/r.older[i] > v {
			i++
		}
		count += len(r.older) - i
	}
	return count
}

// within walks along the old values of each new one, from the first ratio that is at
// most high.
func (r ratios) within(to []float64, low, high float64) []float64 {
	start := 0
	for _, b := range r.newer {
		for start < len(r.older) && b/r.older[start] > high {
			start++
		}
		for i := start; i < len(r.older) && b/r.older[i] > low; i++ {
			to = append(to, b/r.older[i])
		}
	}
	return to
}
