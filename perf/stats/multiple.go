package stats

import (
	"cmp"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// JoinVerdicts is the verdict of several metrics that gate together, each with its
// part of alpha (half of it for two), so that all of them together are wrong in at
// most alpha of all comparisons:
//
//	INVALID    one is
//	SLOWER     one is, whatever the others say: a regression in any of them is one
//	UNDECIDED  one is, or there are none
//	FASTER     one is, and the others are that or NO CHANGE
//	NO CHANGE  all are
func JoinVerdicts(verdicts ...perf.Verdict) perf.Verdict {
	for _, v := range []perf.Verdict{perf.Invalid, perf.Slower, perf.VerdictUnsure, perf.Faster, perf.NoChange} {
		if slices.Contains(verdicts, v) {
			return v
		}
	}
	return perf.VerdictUnsure
}

// EBH says which of several hypotheses of no difference are rejected at the false
// discovery rate q: on average at most that share of the rejected ones is true. It is
// the procedure of Benjamini and Hochberg for e-values (Wang and Ramdas, "False
// discovery rate control with e-values", 2022): with K of them, the k largest are
// rejected for the largest k at which each is at least K/(qk).
//
// Each evidence is an e-value, such as [Paired.Evidence] at the pair at which the
// measuring stopped: mean one at most where there is no difference. They may depend
// on each other in any way, as those of workloads on one machine do, and each may have
// stopped when it liked. It fails if the stopping of one was decided by its largest
// evidence so far and not the evidence at that time. An evidence of NaN counts as 0.
//
// threshold is what an evidence had to reach: K/(qk), and K/q, which one alone takes,
// where none is rejected; so a suite that wants certainty for a lonely regression
// measures until K/q. It is 0 without hypotheses. Cost: one sort.
func EBH(evidence []float64, q float64) (rejected []bool, threshold float64) {
	rejected = make([]bool, len(evidence))
	if len(evidence) == 0 || !(q > 0 && q < 1) {
		return rejected, 0
	}
	sorted := slices.Clone(evidence)
	slices.SortFunc(sorted, func(a, b float64) int { return cmp.Compare(b, a) }) // NaN last
	least := func(k int) float64 { return float64(len(evidence)) / (q * float64(k)) }
	threshold = least(1)
	for k := len(sorted); k >= 1; k-- {
		if sorted[k-1]*alphaSlack >= least(k) {
			threshold = least(k)
			break
		}
	}
	for i, e := range evidence {
		rejected[i] = e*alphaSlack >= threshold
	}
	return rejected, threshold
}
