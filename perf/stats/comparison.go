package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Comparison returns what the pairs say of metric m, in the form of the JSON. Better
// is that of the options. The samples of the arms, Workload, Gate, Ref, Order and Seed
// are left to the caller.
func (p *Paired) Comparison(m perf.Metric) perf.Comparison {
	c := perf.Comparison{Metric: m.Name, Unit: m.Unit, Better: p.better, Design: perf.Paired,
		Verdict: p.Verdict(), Alpha: p.alpha, MinEffect: p.minEffect, Pairs: p.Pairs()}
	if p.Pairs() == 0 {
		c.Reason = "there are no pairs"
		return c
	}
	c.Ratio, c.Evidence = new(p.Estimate()), new(p.Evidence())
	// Where the effect changed on the way, the estimate of all pairs can leave the set
	// that was never rejected. An interval that yields to it is wider, so still valid.
	low, high := p.Interval()
	if low > 0 {
		c.Low = new(min(low, *c.Ratio))
	}
	if !math.IsInf(high, 1) {
		c.High = new(max(high, *c.Ratio))
	}
	c.Reason = p.reason(c.Verdict)
	return c
}

// reason is a sentence for the verdicts that need one.
func (p *Paired) reason(v perf.Verdict) string {
	switch v {
	case perf.VerdictUnsure:
		return p.missing()
	case perf.NoChange:
		if p.rejected(&p.above, 0.5) || p.rejected(&p.below, 0.5) {
			return fmt.Sprintf("there is a difference, and it is less than the %s that count", percent(p.minEffect))
		}
	}
	return ""
}

// missing says what keeps the pairs from a verdict.
func (p *Paired) missing() string {
	text := fmt.Sprintf("%s give an evidence of %.3g for a difference, of %.4g needed", plural(p.Pairs(), "pair"), p.Evidence(), 1/p.alpha)
	more, ok := p.Needed()
	if !ok {
		return text + fmt.Sprintf(", and none for less than %s: too noisy to say how many more it takes", percent(p.minEffect))
	}
	verdict := "a difference"
	if p.lacksSame() < p.lacksChange() {
		verdict = "no change"
	}
	return text + fmt.Sprintf(": about %s more for %s if they go on like this", plural(more, "pair"), verdict)
}

// ComparePaired compares two samples whose values belong together one by one: the
// i-th of newer ran next to the i-th of older, in an order that a coin decided. It
// adds the pairs in order to a [Paired] and returns its comparison, with the samples.
// Samples of different lengths, options that make no sense and values without a ratio
// are INVALID, with the reason.
func ComparePaired(older, newer perf.Sample, m perf.Metric, o PairedOptions) perf.Comparison {
	o.Better = m.Better
	c := perf.Comparison{Metric: m.Name, Unit: m.Unit, Better: m.Better, Design: perf.Paired, Verdict: perf.Invalid}
	p, err := NewPaired(o)
	switch {
	case err != nil:
		c.Reason = err.Error()
	case len(older) != len(newer):
		c.Reason = fmt.Sprintf("%s on the old side and %d on the new are no pairs: keep the two values of each pair, or compare them unpaired", plural(len(older), "value"), len(newer))
	default:
		if err = p.addAll(older, newer); err != nil {
			c.Reason = err.Error()
			break
		}
		c = p.Comparison(m)
	}
	c.Old.Samples, c.New.Samples = slices.Clone(older), slices.Clone(newer)
	return c
}

func (p *Paired) addAll(older, newer perf.Sample) error {
	for i := range older {
		if err := p.Add(older[i], newer[i]); err != nil {
			return err
		}
	}
	return nil
}

// ErrNoRatio is in the error of a pair that has no ratio.
var ErrNoRatio = errors.New("a ratio takes finite values above zero, and a run without one has to be repeated")
