package stats

import (
	"fmt"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// JudgeMemory judges the peak memory of a process tree, in bytes. A sampled reading
// can only be too small, and the sum of high-water marks only too large, so the
// truth lies between them and no statistics are needed:
//
//	MET           the greatest bound is not over the target
//	BREACHED      the smallest reading is over the critical limit
//	WARNING       the smallest reading is over the target, the greatest bound not
//	              over the critical limit
//	UNDECIDED     otherwise, and without bounds unless it is BREACHED
//	NOT MEASURED  without readings
//
// Low is the smallest reading and High the greatest bound, or the greatest reading
// where that is larger, since no upper bound lies below what was seen. Estimate is
// the median reading. Quantile, confidence and Better of l play no part: less memory
// is better.
func JudgeMemory(l Limits, reading, bound perf.Sample) Judgement {
	l.Better = perf.Lower
	j := Judgement{State: perf.Undecided, Estimate: Median(reading), N: len(reading)}
	if j.refuse(l, reading) {
		return j
	}
	if len(bound) > 0 && (&Judgement{}).refuse(l, bound) {
		bound = nil // a bound that is no number bounds nothing
	}
	j.Low, j.HasLow = slices.Min(reading), true
	if len(bound) > 0 {
		j.High, j.HasHigh = max(slices.Max(bound), slices.Max(reading)), true
	}
	switch {
	case l.worse(j.Low, l.Critical):
		j.State = perf.Breached
		j.Reason = fmt.Sprintf("every reading is over the critical %s, the smallest %s", l.format(l.Critical), l.format(j.Low))
	case !j.HasHigh:
		j.Reason = "no upper bound was measured on this system, and a reading alone can miss a peak between two samples"
	case !l.worse(j.High, l.Target):
		j.State = perf.Met
	case l.worse(j.Low, l.Target) && !l.worse(j.High, l.Critical):
		j.State = perf.OverTarget
		j.Reason = "every reading is over the target " + l.format(l.Target)
	default:
		j.Reason = l.betweenMemory(j)
	}
	return j
}

// betweenMemory words a reading and a bound with a limit between them.
func (l Limits) betweenMemory(j Judgement) string {
	name, limit := "target", l.Target
	if l.worse(j.Low, l.Target) {
		name, limit = "critical", l.Critical
	}
	scale := perf.NewScale(l.Unit, j.Low, j.High)
	return fmt.Sprintf("the peak lies between the smallest reading %s and the upper bound %s, on either side of the %s %s: measure where a memory cgroup can give the bound, or move the limit",
		scale.Format(j.Low), scale.Format(j.High), name, l.format(limit))
}
