package stats

import (
	"math"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Quantile estimates the quantile q of what the sample was drawn from, in the
// unit of the sample, by linear interpolation between order statistics: type 7 of
// Hyndman and Fan, "Sample quantiles in statistical packages", 1996, which is also
// the default of R and NumPy. It is NaN for an empty sample, for one with a value
// that is not finite, and for a q outside of 0 to 1.
func Quantile(s perf.Sample, q float64) float64 {
	sorted, ok := sortedCopy(s)
	if !ok {
		return math.NaN()
	}
	return quantileOf(sorted, q)
}

// Median is the quantile 0.5.
func Median(s perf.Sample) float64 { return Quantile(s, 0.5) }

// sortedCopy returns the values in ascending order, and whether there are any and
// all of them are finite. The caller's slice stays as it is, because its order is
// the run order.
func sortedCopy(s perf.Sample) ([]float64, bool) {
	sorted := slices.Clone([]float64(s))
	slices.Sort(sorted)
	return sorted, allFinite(sorted)
}

// allFinite reports whether sorted holds values, and finite ones only. NaN sorts
// to the front and the infinities to the ends, so that two looks are enough.
func allFinite(sorted []float64) bool {
	n := len(sorted)
	return n > 0 && isFinite(sorted[0]) && isFinite(sorted[n-1])
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// quantileOf is [Quantile] for values that are sorted already.
func quantileOf(sorted []float64, q float64) float64 {
	if len(sorted) == 0 || !(q >= 0 && q <= 1) {
		return math.NaN()
	}
	h := q * float64(len(sorted)-1)
	i := int(h)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	lo, hi, part := sorted[i], sorted[i+1], h-float64(i)
	if part == 0 {
		return lo // also where hi has overflowed to infinity
	}
	// A weighted sum, since hi-lo overflows for values at both ends of the range;
	// held between its ends, since rounding can push it an ulp outside.
	return min(max(lo*(1-part)+hi*part, lo), hi)
}

// medianAbsoluteDeviation returns the median distance from center, unscaled. The
// distances of sorted values fall towards the center and rise behind it, so two
// fingers walking inwards from both ends meet them in descending order, and no
// second sort is needed.
func medianAbsoluteDeviation(sorted []float64, center float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	distances := make([]float64, n)
	for i, j, k := 0, n-1, n-1; k >= 0; k-- {
		if low, high := center-sorted[i], sorted[j]-center; low > high {
			distances[k] = low
			i++
		} else {
			distances[k] = high
			j--
		}
	}
	return quantileOf(distances, 0.5)
}
