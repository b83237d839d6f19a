package stats

import (
	"fmt"
	"math"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Customs of a paired comparison, which stand where the options are zero.
const (
	// PairedAlpha is the error of its verdicts: at most one comparison in a hundred of
	// a command with itself is ever called SLOWER or FASTER.
	PairedAlpha = 0.01
	// PairedMinEffect is the change that counts, as a share: NO CHANGE proves less.
	PairedMinEffect = 0.02
)

// PairedOptions are the rules of a paired comparison. They have to be fixed before
// the first pair. The zero value is the custom.
type PairedOptions struct {
	Alpha     float64     // 0 is [PairedAlpha]; half of it where two metrics gate
	MinEffect float64     // 0 is [PairedMinEffect]
	Better    perf.Better // the zero value means [perf.Lower]
}

// A Paired compares two arms by pairs of runs that stood next to each other in time,
// in an order that a coin decided for each pair. It may be looked at after every
// pair, and the measuring may stop because of what it says.
//
// # Hypotheses
//
// With d the logarithm of new/old in a pair, the hypothesis at θ is that the signs of
// d-θ are fair coins, whatever the sizes are and whatever came before. At θ = 0 it
// holds exactly if the labels of the arms do not matter, because a real coin chose
// the order: drift, autocorrelation, regimes and heavy tails change nothing. At other
// θ it says that the new arm takes exp(θ) times as long and everything else is
// symmetric, which the coin makes true for an effect that multiplies.
//
// # Method
//
// Bets on the signs, a test martingale (see wager.go): the average over three scores:
// the sign alone and the size up to a limit (Huber's), each at six stakes λ, and a
// steep one of size for large effects, at one. The limit is the spread of earlier
// pairs, and the unit of the steep score the median of their sizes. They neither know
// the pair that they are applied to nor θ, so each bet stays fair, and the evidence against
// "centred at θ or below" falls when θ rises. The set of θ that was never rejected is
// therefore an interval. Evidence of 1/α is reached by chance with a probability of
// at most α, at any of the looks together (Ville 1939). Half of the stake lies on
// each direction.
//
//	SLOWER     the evidence for the bad direction has reached 1/α
//	FASTER     the evidence for the good direction has
//	NO CHANGE  both "at least 1+MinEffect times" and "at most its inverse" are rejected
//	           at 1/α (two one-sided tests, Schuirmann 1987), whatever the rest says
//	UNDECIDED  otherwise
//
// # How it fails
//
// It cannot if the coin is real and runs do not influence later ones. A run that
// leaves something behind for the next (a cache filled, a file grown) favours no arm,
// but adds noise. An effect on rare runs alone shows late or never, since both scores
// ask for a shift of the middle. Where the effect of a pair varies at random and
// lopsidedly, the interval is about its median and approximate. Pairs must not be
// chosen by their values; leaving out one whose run failed is choosing.
//
// # Cost
//
// A pair takes constant time, some 400 ns with its verdict; four wagers and 24 bytes a
// pair are kept. The interval, which replays all pairs some forty times, and the
// estimate, which sorts them, are computed when they are asked for: 0.3 ms for 200
// pairs.
//
// # Sources
//
// Sign tests by randomisation: Fisher 1935. Exponential martingales of symmetric
// variables: de la Peña 1999; Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform
// Chernoff bounds via nonnegative supermartingales", 2020, and "Time-uniform,
// nonparametric, nonasymptotic confidence sequences", 2021. Score: Huber 1964.
// Estimate: Hodges and Lehmann 1963. Its peers decide on blocks of runs, not on
// pairs, with a p-value that looking twice breaks: see perf/stats/proof.
type Paired struct {
	alpha, minEffect float64
	better           perf.Better

	diffs  []float64 // ln(new/old), in order
	scales []scale   // of the scores, from the pairs before each of them
	last   window    // of the diffs
	sizes  window    // of their absolute values

	above, below         wager // against "not above 0" and "not below 0"
	aboveLeast, belowMax wager // against "not above -m" and "not below +m"
}

// NewPaired returns a comparison without pairs. It refuses options that make no sense.
func NewPaired(o PairedOptions) (*Paired, error) {
	if o.Alpha == 0 {
		o.Alpha = PairedAlpha
	}
	if o.MinEffect == 0 {
		o.MinEffect = PairedMinEffect
	}
	if o.Better == "" {
		o.Better = perf.Lower
	}
	if !(o.Alpha > 0 && o.Alpha < 1) || !(o.MinEffect > 0 && o.MinEffect < 1) {
		return nil, fmt.Errorf("alpha %v and the least effect %v of a paired comparison have to lie between 0 and 1", o.Alpha, o.MinEffect)
	}
	return &Paired{alpha: o.Alpha, minEffect: o.MinEffect, better: o.Better,
		above: newWager(), below: newWager(), aboveLeast: newWager(), belowMax: newWager()}, nil
}

// Add takes the next pair: the value of the old arm and that of the new one, whichever
// ran first. A pair without a ratio is refused and changes nothing.
func (p *Paired) Add(older, newer float64) error {
	if !(older > 0 && newer > 0 && isFinite(older) && isFinite(newer)) {
		return fmt.Errorf("pair %d, old %v and new %v: %w", len(p.diffs)+1, older, newer, ErrNoRatio)
	}
	d, by := math.Log(newer)-math.Log(older), scale{limit: p.last.spread(), middle: p.sizes.middle()}
	if older == newer {
		d = 0
	}
	p.diffs, p.scales = append(p.diffs, d), append(p.scales, by)
	p.above.bet(d, by)
	p.below.bet(-d, by)
	p.aboveLeast.bet(d+p.margin(), by)
	p.belowMax.bet(p.margin()-d, by)
	p.last.add(d)
	p.sizes.add(math.Abs(d))
	return nil
}

// margin is the least effect on the scale of logarithms.
func (p *Paired) margin() float64 { return math.Log1p(p.minEffect) }

// Pairs is how many pairs there are.
func (p *Paired) Pairs() int { return len(p.diffs) }

// Evidence is how many times its stake the better of the two bets against "no
// difference" has won, as of now: an e-value, to be held against 1/alpha, and what
// [EBH] takes. It is around or below 1 where nothing speaks for a difference, and can
// fall again; the verdict goes by the most that it has been.
func (p *Paired) Evidence() float64 {
	return min(math.Exp(max(p.above.log(), p.below.log()))/2, math.MaxFloat64)
}

// rejected reports whether a wager has ever won enough to reject its hypothesis with
// the given share of all errors.
func (p *Paired) rejected(w *wager, share float64) bool {
	return w.peak() >= p.enough(share)
}

// enough is the logarithm of the evidence that a share of the error asks for, less
// what rounding may take.
func (p *Paired) enough(share float64) float64 { return -math.Log(p.alpha*share) - 1e-9 }

// Verdict is what the pairs so far say.
func (p *Paired) Verdict() perf.Verdict {
	rises, falls := perf.Slower, perf.Faster
	if p.better == perf.Higher {
		rises, falls = falls, rises
	}
	switch {
	case p.rejected(&p.aboveLeast, 1) && p.rejected(&p.belowMax, 1):
		return perf.NoChange
	case p.rejected(&p.above, 0.5):
		return rises
	case p.rejected(&p.below, 0.5):
		return falls
	}
	return perf.VerdictUnsure
}

// Estimate is how many times the new arm takes what the old one takes: the
// Hodges-Lehmann estimate of the log ratios. NaN without pairs.
func (p *Paired) Estimate() float64 { return ratioOf(hodgesLehmann(p.diffs)) }

// ratioOf keeps what no float64 can hold within what it can: samples may lie farther
// apart than its whole range.
func ratioOf(log float64) float64 { return min(math.Exp(log), math.MaxFloat64) }

// Interval is the confidence sequence of the ratio new/old: with probability 1-alpha
// it holds the true ratio at every look. low is 0 and high +Inf where the pairs
// cannot bound it yet. It leaves out 1 exactly when the evidence has reached 1/alpha.
//
// NO CHANGE needs no such interval: each of its two bounds may err by alpha, as only
// one of them can be wrong, and here each by half of alpha. The interval can thus
// reach past the least effect a little when NO CHANGE is already proven.
func (p *Paired) Interval() (low, high float64) {
	return p.interval(0.5)
}

// interval bounds the ratio on each side with a share of the error.
func (p *Paired) interval(share float64) (low, high float64) {
	low, high = 0, math.Inf(1)
	if v, ok := p.bound(1, share); ok {
		if p.rejected(&p.above, share) {
			v = max(v, 0) // the search stops a hair before the bound
		}
		low = ratioOf(v)
	}
	if v, ok := p.bound(-1, share); ok {
		if p.rejected(&p.below, share) {
			v = max(v, 0)
		}
		high = ratioOf(-v)
	}
	return low, high
}

// boundPrecision is how close the search comes to a bound, on the scale of logarithms.
const boundPrecision = 1e-6

// bound searches the largest θ that is rejected as being too low for the log ratios
// times sign. It uses that the evidence falls when θ rises.
func (p *Paired) bound(sign, share float64) (theta float64, ok bool) {
	least, most, widest := math.Inf(1), math.Inf(-1), 0.0
	for i, d := range p.diffs {
		least, most = min(least, sign*d), max(most, sign*d)
		widest = max(widest, p.scales[i].limit, p.scales[i].middle)
	}
	near := math.Exp(p.enough(share)) * (1 - 1e-6)
	rejects := func(theta float64) bool {
		w := newWager()
		for i, d := range p.diffs {
			w.bet(sign*d-theta, p.scales[i])
			if w.best >= near && p.rejected(&w, share) {
				return true // once is enough, whatever the other pairs say
			}
		}
		return p.rejected(&w, share)
	}
	// Below all values by more than every limit, each bet wins all that it can.
	least -= widest + boundPrecision
	if len(p.diffs) == 0 || !rejects(least) {
		return 0, false
	}
	for most-least > boundPrecision {
		middle := least + (most-least)/2
		if middle <= least || middle >= most {
			break // as close as a float64 comes
		}
		if rejects(middle) {
			least = middle
		} else {
			most = middle
		}
	}
	return least, true
}

// Needed is about how many more pairs it takes to decide, if they go on as they have
// so far: what is missing of the evidence, over its growth. The verdict that is
// nearer counts. After 10 or 20 pairs on the machines of perf/stats/proof it is mostly
// right within a factor of three. It is 0 where there is a verdict, and ok is false
// where the evidence grows for none.
func (p *Paired) Needed() (pairs int, ok bool) {
	if p.Verdict() != perf.VerdictUnsure {
		return 0, true
	}
	n := math.Ceil(min(p.lacksChange(), p.lacksSame()))
	if !(n <= maxNeeded) {
		return 0, false
	}
	return max(int(n), 1), true
}

// lacksChange is how many pairs a difference is away, lacksSame how many NO CHANGE is.
func (p *Paired) lacksChange() float64 { return min(p.lacks(&p.above, 0.5), p.lacks(&p.below, 0.5)) }
func (p *Paired) lacksSame() float64 {
	return max(p.lacks(&p.aboveLeast, 1), p.lacks(&p.belowMax, 1))
}

// lacks is how many pairs a wager is from rejecting, +Inf where it does not grow.
func (p *Paired) lacks(w *wager, share float64) float64 {
	if len(p.diffs) == 0 {
		return math.Inf(1)
	}
	if p.rejected(w, share) {
		return 0
	}
	growth := w.growth(len(p.diffs))
	if !(growth > 0) {
		return math.Inf(1)
	}
	return (p.enough(share) - w.log()) / growth
}
