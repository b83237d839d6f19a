package stats

import (
	"fmt"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Control is a negative control: pairs in which both arms are the same program, so
// that any difference comes from the harness. The few of one comparison prove
// nothing, so one Control takes those of a whole session or suite, in the order in
// which they ran.
//
// The hypothesis is that the arms are treated alike. The evidence against it is that
// of [Paired] at a ratio of one, and as little troubled by values of different
// workloads, because signs have no size and the limit of Huber's score only says how
// much a small difference counts. It is wrong with a chance of at most alpha in the
// whole session, however long that is. It cannot see a bias that the control pairs do
// not have, such as a longer path of one of two binaries.
type Control struct{ pairs *Paired }

// ControlAlpha is the error of a [Control]: that a harness without a fault ever makes a
// session INVALID.
const ControlAlpha = 0.01

// NewControl returns a control without pairs. An alpha of 0 is [ControlAlpha].
func NewControl(alpha float64) (*Control, error) {
	if alpha == 0 {
		alpha = ControlAlpha
	}
	pairs, err := NewPaired(PairedOptions{Alpha: alpha})
	if err != nil {
		return nil, fmt.Errorf("a negative control: %w", err)
	}
	return &Control{pairs}, nil
}

// Add takes a control pair: the value in the place of the old arm and that in the
// place of the new one. A pair without a ratio is refused and changes nothing.
func (c *Control) Add(older, newer float64) error { return c.pairs.Add(older, newer) }

// Pairs is how many there are.
func (c *Control) Pairs() int { return c.pairs.Pairs() }

// Evidence is that against equal treatment, as of now; [Control.Biased] goes by the
// most that it has been.
func (c *Control) Evidence() float64 { return c.pairs.Evidence() }

// Biased reports whether the evidence against equal treatment has ever reached
// 1/alpha, and says so.
func (c *Control) Biased() (reason string, biased bool) {
	above, below := c.pairs.rejected(&c.pairs.above, 0.5), c.pairs.rejected(&c.pairs.below, 0.5)
	if !above && !below {
		return "", false
	}
	return fmt.Sprintf("the harness favours one arm: of two runs of the same program, the one in the place of the new took %.4f times as long over %s, which is no accident: look for what the two places do not share",
		c.pairs.Estimate(), plural(c.Pairs(), "control pair")), true
}

// Overrule makes a comparison INVALID where the harness is biased.
func (c *Control) Overrule(cmp *perf.Comparison) {
	if reason, biased := c.Biased(); biased {
		cmp.Verdict, cmp.Reason = perf.Invalid, reason
	}
}
