package stats

import (
	"fmt"
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
	Warnings    []perf.Warning // outliers and drift, where they are large enough to matter
}

// A warning is due when a trend or an outlier cannot be told from chance at
// driftAlpha, and moves the values by more than worthWarning of the median: a
// counter that went from 1,000,000 to 1,000,003 is nobody's trouble.
const (
	driftAlpha   = 0.01
	worthWarning = 0.05
)

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
		sum.Warnings = sum.warn(s)
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

// warn says what a reader should know about the values, with the remedy.
func (sum *Summary) warn(s perf.Sample) []perf.Warning {
	var out []perf.Warning
	if len(sum.Outliers) > 0 {
		far := sum.Outliers[0]
		for _, i := range sum.Outliers {
			if math.Abs(s[i]-sum.Center) > math.Abs(s[far]-sum.Center) {
				far = i
			}
		}
		if share := relative(s[far]-sum.Center, sum.Center); math.Abs(share) > worthWarning {
			out = append(out, perf.Warning{Kind: perf.WarnOutliers, Text: fmt.Sprintf(
				"%d of %d values lie far from the rest, the farthest (run %d) %s the median; they are kept: if this happens often, look for what else runs on the machine",
				len(sum.Outliers), sum.N, far+1, sidePercent(share))})
		}
	}
	if sum.DriftP < driftAlpha {
		early, late := Median(s[:len(s)/2]), Median(s[len(s)/2:])
		if share := relative(late-early, sum.Center); math.Abs(share) > worthWarning {
			out = append(out, perf.Warning{Kind: perf.WarnDrift, Text: fmt.Sprintf(
				"the later half of the runs lies %s the earlier one (Mann-Kendall tau %.2f, p %.2g): add warm-up runs, or let the machine settle, before trusting the level",
				sidePercent(share), sum.Tau, sum.DriftP)})
		}
	}
	return out
}

// relative is difference as a share of level; around zero there is no such share,
// and nothing to warn of.
func relative(difference, level float64) float64 {
	if level == 0 {
		return 0
	}
	return difference / math.Abs(level)
}

// sidePercent words a share as "12 % above" or "7 % below".
func sidePercent(share float64) string {
	side := "above"
	if share < 0 {
		side = "below"
	}
	return fmt.Sprintf("%.0f %% %s", 100*math.Abs(share), side)
}
