package report

import (
	"fmt"
	"io"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// Noise prints how far runs differ on this machine, which slowdown can be found in the
// time, and what would make that smaller.
func Noise(w io.Writer, m perf.Machine, n experiment.Noise, conditions []measure.Condition, took time.Duration, st Style) error {
	out := &writer{w: w}
	out.printf("%s\n\n%s\n", st.faint(machineLine(m)), st.bold("Noise"))
	t := &table{
		head:  []string{"", "a run", "spread of runs", "spread of pairs", "far from the rest", "detectable in " + span(n.Within)},
		align: []align{left, right, right, right, right, right},
	}
	for _, c := range n.Metrics {
		detectable := "none up to 50 %"
		if c.Detectable > 0 {
			detectable = shareText(c.Detectable)
		}
		t.add(c.Metric.Name, c.Metric.Unit.Format(c.Median), shareText(c.Spread), shareText(c.PairSpread), fmt.Sprintf("%.0f %%", 100*c.Far), detectable)
	}
	if len(t.rows) == 0 {
		out.printf("nothing could be measured: the clocks of this system are too coarse for runs of this length\n")
	} else {
		out.table(t, st)
	}
	out.printf("\n%s\n", st.faint(fmt.Sprintf("%d pairs of runs of one command that computes on one thread, interleaved, in %s. Spread: a relative standard\n"+
		"deviation, from the quartiles. Detectable: the smallest slowdown that comparing this command in pairs finds in 95\n"+
		"of 100 cases. A longer command makes fewer pairs in the time.", n.Pairs, span(took.Round(time.Second)))))
	out.printf("\n%s\n", st.bold("What would improve it"))
	for _, advice := range n.Advice() {
		out.printf("  - %s\n", clean(advice))
	}
	for _, c := range conditions {
		if c.Effect == "" {
			continue
		}
		out.printf("  - %s is %s: %s\n", clean(c.Name), clean(c.Value), clean(c.Effect))
		if c.Remedy != "" {
			out.printf("    %s\n", clean(c.Remedy))
		}
	}
	return out.err
}

// shareText prints a share in percent with two digits that mean something.
func shareText(v float64) string { return fmt.Sprintf("%.2g %%", 100*v) }
