package stats

import (
	"fmt"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// JudgeOneShot judges what is too costly to repeat, a clean build or a long suite,
// on what was observed, and says so in the reason. s holds the runs so far, in run
// order. The quantile and the confidence of l play no part:
//
//	1 run, not over the critical limit    MET or WARNING "1 run, no interval"
//	1 run, over it                        UNDECIDED, and again is true: run once more
//	two runs in a row over it             BREACHED
//	one over it and another not           UNDECIDED
//	several, none over it                 the worst of them decides: MET or WARNING
//
// A single breach is no verdict, because one-shots run once and a busy minute on a
// shared machine would turn a gate red. If the second run cannot be made, the first
// answer stands. Low and High are left out: there is no interval.
func JudgeOneShot(l Limits, s perf.Sample) (j Judgement, again bool) {
	j = Judgement{State: perf.Undecided, Estimate: Median(s), N: len(s)}
	if j.refuse(l, s) {
		return j, false
	}
	breaches, row := l.breaches(s)
	runs := plural(len(s), "run")
	switch {
	case row >= 2:
		j.State = perf.Breached
		j.Reason = fmt.Sprintf("%s the critical %s twice in a row (%s, no interval)", l.beyond(), l.format(l.Critical), runs)
	case breaches > 0 && len(s) == 1:
		j.Reason = fmt.Sprintf("observed once %s the critical %s (1 run, no interval): a second run decides", l.beyond(), l.format(l.Critical))
		return j, true
	case breaches > 0:
		j.Reason = fmt.Sprintf("%d of %s %s the critical %s, and no two in a row: the machine or the subject is unsteady, measure again", breaches, runs, l.beyond(), l.format(l.Critical))
	case l.worse(l.worst(s), l.Target):
		j.State = perf.OverTarget
		j.Reason = fmt.Sprintf("%s the target %s (%s, no interval)", l.beyond(), l.format(l.Target), runs)
	default:
		j.State, j.Reason = perf.Met, runs+", no interval"
	}
	return j, false
}

// breaches counts the values over the critical limit, and the longest row of them.
func (l Limits) breaches(s perf.Sample) (total, row int) {
	current := 0
	for _, v := range s {
		if !l.worse(v, l.Critical) {
			current = 0
			continue
		}
		total++
		current++
		row = max(row, current)
	}
	return total, row
}

// worst returns the value farthest on the bad side. There is at least one.
func (l Limits) worst(s perf.Sample) float64 {
	worst := s[0]
	for _, v := range s[1:] {
		if l.worse(v, worst) {
			worst = v
		}
	}
	return worst
}
