package stats

import (
	"math"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Summary describes a sample to a reader. All values are in the unit of the
// sample; without a finite value to describe they are NaN.
type Summary struct {
	N      int
	Center float64 // median
	// Lo and Hi are a two-sided interval for the median, valid where HasInterval;
	// Confidence is the level that it really has, which is at least the one asked for.
	Lo, Hi, Confidence float64
	HasInterval        bool
	// Needed is how many values an interval takes; 0 where there is one.
	Needed   int
	Min, Max float64
	MAD      float64 // median absolute deviation from the median, unscaled
	Outliers []int   // run numbers from 0, see [Outliers]
	// Tau and DriftP are the trend in run order, see [Drift].
	Tau, DriftP float64
}

// Summarize describes s by its median and the two-sided order-statistic interval
// of it that has at least the confidence asked for (0 < confidence < 1): at 0.95 it
// takes 6 values. The interval holds for a number of values fixed beforehand.
func Summarize(s perf.Sample, confidence float64) Summary {
	sorted, inversions := sortCounting(s)
	sum := Summary{N: len(s)}
	if !allFinite(sorted) {
		nan := math.NaN()
		sum.Center, sum.Min, sum.Max, sum.MAD, sum.DriftP = nan, nan, nan, nan, 1
	} else {
		sum.Center, sum.Min, sum.Max = quantileOf(sorted, 0.5), sorted[0], sorted[len(sorted)-1]
		sum.MAD = medianAbsoluteDeviation(sorted, sum.Center)
		sum.Outliers = outliersOf(s, sum.Center, sum.MAD)
		sum.Tau, sum.DriftP = kendall(sorted, inversions)
		sum.setInterval(sorted, confidence)
	}
	if !sum.HasInterval && confidence > 0 && confidence < 1 {
		sum.Needed = binomialNeeded(0.5, (1-confidence)/2)
	}
	return sum
}

// setInterval takes half of the error on each side, which by symmetry picks the
// same rank from below and from above.
func (sum *Summary) setInterval(sorted []float64, confidence float64) {
	if !(confidence > 0 && confidence < 1) {
		return
	}
	n := len(sorted)
	c := binomialCount(n, 0.5, (1-confidence)/2)
	if c > n {
		return
	}
	sum.Lo, sum.Hi, sum.HasInterval = sorted[n-c], sorted[c-1], true
	sum.Confidence = 1 - 2*binomialTail(n, c, 0.5)
}
