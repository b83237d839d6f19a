package report

import (
	"fmt"
	"math"

	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// Phase shows that a workload of a comparison enters a phase. It is a hook of
// [experiment.Comparer].
func (s *Status) Phase(workload, phase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == workload+"\x00"+phase {
		return
	}
	s.phase = workload + "\x00" + phase
	line := shorten(clean(workload), maxName) + ": " + phase
	if !s.terminal {
		if phase != experiment.PhaseWarmup {
			_, _ = fmt.Fprintln(s.w, line)
		}
		return
	}
	s.last = s.now()
	s.over(line)
}

// Pair shows where a comparison stands. It is a hook of [experiment.Comparer]. Where
// no line can be written over, it tells the first pair only: the table tells the rest.
func (s *Status) Pair(st experiment.Standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := s.phase != st.Workload+"\x00"+phasePairs
	s.phase = st.Workload + "\x00" + phasePairs
	if !s.terminal {
		if fresh {
			_, _ = fmt.Fprintf(s.w, "%s: %s by %s, %s\n", shorten(clean(st.Workload), maxName), phasePairs, st.Metric.Name, leftOf(st.Left))
		}
		return
	}
	if now := s.now(); fresh || now.Sub(s.last) >= refresh {
		s.last = now
		s.over(livePair(st))
	}
}

const phasePairs = "pairs"

// minName is how much of the name of a workload stays in the live line.
const minName = 8

// livePair is the line that stands while pairs are made: the interval, the evidence,
// and about how many runs are left.
func livePair(st experiment.Standing) string {
	ratio, low, high := st.Interval()
	rest := fmt.Sprintf(": %s %s", st.Metric.Name, percentOrNone(ratio))
	if low > 0 && !math.IsInf(high, 0) {
		rest += fmt.Sprintf(" (%s to %s)", percent(low), percent(high))
	}
	rest += fmt.Sprintf(", evidence %s of %s", evidenceText(st.Evidence), evidenceText(st.Enough))
	if st.Needed > 0 {
		rest += fmt.Sprintf(", ~%d runs left", 2*st.Needed)
	}
	line := shorten(clean(st.Workload), max(maxLine-columns(rest), minName)) + rest
	return shorten(line, maxLine)
}

func percentOrNone(ratio float64) string {
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		return "-"
	}
	return percent(ratio)
}

// evidenceText prints evidence: how many times its stake a bet has won. Beyond a million
// the digits say no more.
func evidenceText(e float64) string {
	switch {
	case e >= 1e6:
		return "over 1e6"
	case e >= 10:
		return fmt.Sprintf("%.0f", e)
	}
	return fmt.Sprintf("%.2g", e)
}
