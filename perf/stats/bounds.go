package stats

import (
	"math"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Bounds are what is known about a quantile: a point estimate and, on each side,
// a bound that holds at the confidence by itself. Values are in the unit of the
// sample. Low <= Estimate <= High where the bounds exist.
type Bounds struct {
	Estimate float64 // type 7, for showing; NaN without finite values
	Low      float64 // valid where HasLow
	High     float64 // valid where HasHigh
	HasLow   bool
	HasHigh  bool
	// LowRank and HighRank are the order statistics behind the bounds, counted
	// from 1 for the smallest value; 0 where there is no bound.
	LowRank, HighRank int
	// NeededLow and NeededHigh are how many values a missing bound takes: the total,
	// not what is still to come. They are 0 where the bound exists, and also where no
	// number of values would give one.
	NeededLow, NeededHigh int
}

// Needed is the number of values from which both bounds exist; 0 where they do.
func (b Bounds) Needed() int { return max(b.NeededLow, b.NeededHigh) }

// FixedBounds bounds the quantile q (0 < q < 1) of what s was drawn from, each side
// by itself at the confidence (0 < confidence < 1), by order statistics whose ranks
// come from the binomial distribution; at 0.95, 59 values bound the quantile 0.95
// above, 299 bound 0.99, and 5 bound the median on both sides. The number of values
// has to be fixed before measuring: [SequentialBounds] is for looking in between.
func FixedBounds(s perf.Sample, q, confidence float64) Bounds {
	return boundsBy(fixedRule, s, q, confidence)
}

// Needed returns the smallest number of values from which [FixedBounds] has both
// bounds. It is 0 where there is no such number: q or confidence not between 0
// and 1.
func Needed(q, confidence float64) int { return neededBy(fixedRule, q, confidence) }

// Narrow reports whether both bounds exist and lie within relative of each other,
// as a share of the estimate: 0.05 means that High-Low is at most 5 % of it. Around
// an estimate of zero only bounds that coincide are narrow.
func Narrow(b Bounds, relative float64) bool {
	return b.HasLow && b.HasHigh && b.High-b.Low <= relative*math.Abs(b.Estimate)
}

func boundsBy(rule tailRule, s perf.Sample, q, confidence float64) Bounds {
	sorted, ok := sortedCopy(s)
	if !ok {
		b := Bounds{Estimate: math.NaN()}
		if len(s) == 0 && askable(q, confidence) {
			b.NeededLow, b.NeededHigh = rule.needed(1-q, 1-confidence), rule.needed(q, 1-confidence)
		}
		return b
	}
	b := Bounds{Estimate: quantileOf(sorted, q)}
	if !askable(q, confidence) {
		return b
	}
	n, alpha := len(sorted), 1-confidence
	// The estimate interpolates and can pass an order statistic when q is close to
	// the end of a small sample. A bound that yields to it is wider, so still valid.
	if c := rule.count(n, q, alpha); c <= n {
		b.HasHigh, b.HighRank, b.High = true, c, max(sorted[c-1], b.Estimate)
	} else {
		b.NeededHigh = rule.needed(q, alpha)
	}
	if c := rule.count(n, 1-q, alpha); c <= n {
		b.HasLow, b.LowRank, b.Low = true, n+1-c, min(sorted[n-c], b.Estimate)
	} else {
		b.NeededLow = rule.needed(1-q, alpha)
	}
	return b
}

func neededBy(rule tailRule, q, confidence float64) int {
	if !askable(q, confidence) {
		return 0
	}
	high, low := rule.needed(q, 1-confidence), rule.needed(1-q, 1-confidence)
	if high == 0 || low == 0 {
		return 0
	}
	return max(high, low)
}

// askable reports whether a quantile can be bounded at a confidence at all. The
// ends are excluded: no number of values bounds a minimum or a maximum, and a q so
// close to 0 that 1-q rounds to 1 is such an end.
func askable(q, confidence float64) bool {
	return q > 0 && 1-q < 1 && 1-q > 0 && confidence > 0 && confidence < 1
}
