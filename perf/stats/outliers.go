package stats

import (
	"math"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Constants of Iglewicz and Hoaglin. The scales make the median and the mean
// absolute deviation estimate the standard deviation of a normal distribution.
const (
	outlierScore = 3.5
	medianScale  = 1.482602218505602  // 1 / Φ⁻¹(3/4)
	meanScale    = 1.2533141373155003 // sqrt(π/2)
)

// Outliers returns the run numbers, from 0 and in run order, of the values whose
// modified z-score is over 3.5: their distance from the median in units of the
// scaled median absolute deviation. Where that is zero, because more than half of
// the values are equal, the mean absolute deviation takes its place, so that few
// odd values among equal ones still show. Outliers are for the reader: nothing in
// this module drops a value.
func Outliers(s perf.Sample) []int {
	sorted, ok := sortedCopy(s)
	if !ok {
		return nil
	}
	center := quantileOf(sorted, 0.5)
	return outliersOf(s, center, medianAbsoluteDeviation(sorted, center))
}

// outliersOf is [Outliers] for a median and a deviation that are known already.
func outliersOf(s perf.Sample, center, mad float64) []int {
	scale := medianScale * mad
	if mad == 0 {
		mean := 0.0
		for _, v := range s {
			mean += math.Abs(v-center) / float64(len(s))
		}
		scale = meanScale * mean
	}
	if scale == 0 {
		return nil // constant
	}
	var out []int
	for i, v := range s {
		if math.Abs(v-center) > outlierScore*scale {
			out = append(out, i)
		}
	}
	return out
}
