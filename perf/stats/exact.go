package stats

import (
	"fmt"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// CompareExact compares a metric that is the same in every run, such as allocs/op, by
// its value: any difference is SLOWER or FASTER, however small, and none is NO CHANGE.
// There is no noise, hence no alpha, no least effect and no chance of error, and one
// value on each side is enough. A side whose values differ is not deterministic after
// all, and the comparison is UNDECIDED: it then takes pairs ([ComparePaired]). Values
// that are no finite numbers are INVALID. Ratio, Low and High are one number; they are
// left out where the old value is not above zero or the new one below zero, since then
// there is no ratio.
//
// benchstat has the same under its unit metadata "assume=exact"; it warns about
// values that differ and goes on with one of them.
func CompareExact(older, newer perf.Sample, m perf.Metric) perf.Comparison {
	c := perf.Comparison{Metric: m.Name, Unit: m.Unit, Better: m.Better, Design: perf.Unpaired,
		Old: perf.Arm{Samples: slices.Clone(older)}, New: perf.Arm{Samples: slices.Clone(newer)},
		Verdict: perf.VerdictUnsure}
	// Any alpha passes the check of the values.
	if reason := invalid(older, newer, PairedAlpha, PairedMinEffect); reason != "" {
		c.Verdict, c.Reason = perf.Invalid, reason
		return c
	}
	if len(older) == 0 || len(newer) == 0 {
		c.Reason = nothingToCompare(older, newer)
		return c
	}
	for _, side := range []struct {
		name string
		s    perf.Sample
	}{{"old", older}, {"new", newer}} {
		if least, most := slices.Min(side.s), slices.Max(side.s); least != most {
			c.Reason = fmt.Sprintf("%s is not the same in all runs of the %s side, from %s to %s, so it cannot be compared exactly: compare it by pairs", m.Name, side.name, m.Unit.Format(least), m.Unit.Format(most))
			return c
		}
	}
	decideExact(&c, older[0], newer[0])
	return c
}

func decideExact(c *perf.Comparison, older, newer float64) {
	above, below := perf.Slower, perf.Faster
	if c.Better == perf.Higher {
		above, below = below, above
	}
	switch {
	case newer > older:
		c.Verdict = above
	case newer < older:
		c.Verdict = below
	default:
		c.Verdict = perf.NoChange
	}
	ratio := 1.0
	if older != newer {
		ratio = newer / older
	}
	if older == newer || older > 0 && newer >= 0 && isFinite(ratio) {
		c.Ratio, c.Low, c.High = new(ratio), new(ratio), new(ratio)
	} else {
		c.Reason = fmt.Sprintf("from %s to %s there is no ratio", c.Unit.Format(older), c.Unit.Format(newer))
	}
}
