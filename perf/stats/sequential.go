package stats

import (
	"math"
	"sort"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// SequentialBounds bounds the quantile q of what s was drawn from, each side by
// itself at the confidence, and stays right when it is called after every run and
// the measuring stops because of what it said: with probability confidence, no
// High that is ever shown lies below the quantile, and likewise for Low.
//
// Method: a mixture of likelihood ratios for the number of values on one side of
// the quantile is a nonnegative supermartingale of mean one at most, and passes
// 1/(1-confidence) ever with probability 1-confidence at most (Ville 1939; Robbins
// 1970). Solved for the count, it picks the order statistics (Howard and Ramdas
// 2022, section 3). It costs little: the median is bounded from 6 values on (fixed:
// 5), the quantile 0.95 above from 61 (59), 0.99 from 301 (299), all at 0.95.
//
// The bounds are those of the values at hand. Intersecting them with the earlier
// ones would be valid as well, and was left out: when the level drifts, the
// intersection becomes empty, while these bounds go on showing what is there.
func SequentialBounds(s perf.Sample, q, confidence float64) Bounds {
	return boundsBy(sequentialRule, s, q, confidence)
}

// NeededSequential is [Needed] for [SequentialBounds].
func NeededSequential(q, confidence float64) int {
	return neededBy(sequentialRule, q, confidence)
}

var sequentialRule = tailRule{sequentialCount, sequentialNeeded}

// The mixture. Its alternatives stand at angles from p on the scale asin(sqrt(p)),
// on which a chance can be told apart equally well everywhere: n values find a
// step of delta once n*delta*delta is about 2, for every p. So one set of steps
// serves every quantile: what n in 10 to 60 can see at all (0.6 to 0.2) gets equal
// weights, smaller steps fall off with their square and keep the bounds shrinking
// up to some 100,000 values. Steps that lead past certainty are put onto it, which
// gives the upper bounds of p95 and p99 nearly all the weight where their evidence
// lies: in no value at all beyond the limit.
//
// The textbook choice, a beta distribution over the chances beyond p (uniform or
// Jeffreys'), gave no tighter rank at 10, 20, 40, 60 or 100 values, and comes much
// later where no value is beyond the limit: uniform, it needs 7, 88 and 449 values
// where these steps take 6, 61 and 301.
const (
	mixtureSize  = 16
	largestStep  = 0.6
	equalDownTo  = 0.2
	stepsPerHalf = 2 // steps until the angle has halved
)

// An alternative is a chance above p that the mixture bets on: its weight, and the
// logarithms of the likelihood ratios of a hit and of a miss.
type alternative struct{ weight, hit, miss float64 }

// mixture is the bets against a chance of at most p. certain is the weight on a
// chance of one, which only an unbroken row of hits keeps alive.
type mixture struct {
	p       float64
	certain float64
	others  []alternative
}

func newMixture(p float64) mixture {
	m := mixture{p: p, others: make([]alternative, 0, mixtureSize)}
	angle, total := math.Asin(math.Sqrt(p)), 0.0
	for k := range mixtureSize {
		step := largestStep * math.Exp2(-float64(k)/stepsPerHalf)
		weight := min(1, (step/equalDownTo)*(step/equalDownTo))
		total += weight
		if angle+step >= math.Pi/2 {
			m.certain += weight
			continue
		}
		// sin²(a+d)/sin²(a) and cos²(a+d)/cos²(a)
		hit := 2 * math.Log(math.Sin(angle+step)/math.Sin(angle))
		miss := 2 * math.Log(math.Cos(angle+step)/math.Cos(angle))
		m.others = append(m.others, alternative{weight, hit, miss})
	}
	m.certain /= total
	for i := range m.others {
		m.others[i].weight /= total
	}
	return m
}

// evidence is the value of the supermartingale after hits of n: how many times
// the stake the bets have won. It rises with hits.
func (m mixture) evidence(hits, n int) float64 {
	e := 0.0
	if hits == n && m.certain > 0 { // the power may be infinite, and 0 times that is NaN
		e = m.certain * math.Pow(m.p, -float64(n))
	}
	for _, a := range m.others {
		e += a.weight * math.Exp(float64(hits)*a.hit+float64(n-hits)*a.miss)
	}
	return e
}

// sequentialCount is the [tailRule] of the mixture.
func sequentialCount(n int, p, alpha float64) int {
	m := newMixture(p)
	return 1 + sort.Search(n, func(c int) bool {
		return m.evidence(c+1, n)*alpha*alphaSlack >= 1
	})
}

// sequentialNeeded returns how many hits in a row are evidence enough. The fixed
// number is a lower limit for it, as no bet beats the one on certainty alone.
func sequentialNeeded(p, alpha float64) int {
	least := binomialNeeded(p, alpha)
	if least == 0 {
		return 0
	}
	m := newMixture(p)
	enough := func(n int) bool { return m.evidence(n, n)*alpha*alphaSlack >= 1 }
	most := least
	for !enough(most) {
		if most *= 2; most > maxNeeded {
			return 0
		}
	}
	return least + sort.Search(most-least, func(i int) bool { return enough(least + i) })
}
