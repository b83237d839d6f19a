package stats

import "math"

// The bets. Each component of a wager stakes its share of 1 and is multiplied, for a
// pair with the score g between -1 and 1, by
//
//	exp(λg) / cosh(λg) = 2 / (1 + exp(-2λg))
//
// which is at most 2, rises with g, and is 1 on average over the sign of g where that
// is a fair coin. λ says how much is risked: a small one finds a small imbalance
// among many pairs, a large one wins fast where all pairs agree. λ doubles from one
// component to the next, since a wager within a factor of √2 of the best one grows at
// nearly its rate, and it makes the powers of exp(-2λg) squares of each other.
const (
	smallestLambda = 0.05
	lambdas        = 6           // 0.05 to 1.6
	large          = 2 * lambdas // the component of the steep score
	largeLambda    = 1.6
	components     = large + 1
)

// largeShare is what lies on the steep score: the size beside the median one of earlier
// pairs, cubed. It is for large effects under bursts, where nearly all pairs agree and
// the few that do not are small: one of 20 % leaves -7 % where a burst of 25 % hits the
// old arm alone. A signed-rank test sees how small that is. A sign sees one pair in six
// speak against five, and Huber's score, whose unit is the spread, 25 % here, can win
// all of 18 % only with a λ that loses too much of 7 %: without the steep score they
// take 39 runs where the rival of perf/stats/proof takes 32. Other shares brought that
// to 36, and one fifth onto the sessions without an effect. For the steep score 18 % is
// the unit, so that it wins nearly all and loses next to nothing: 31 runs.
//
// A square took one run more there. A λ of 3.2 with a share of 0.2 decides after 9
// pairs instead of 10, wherever all of them agree, and was no good: such an answer
// comes from the steep score alone, which knows no more than that the effect is above
// none, so the interval has no upper end.
const largeShare = 0.1

// How the rest of the stake is spread over the λ of the other two scores. Any way is
// exact; these take the fewest runs in the scenarios of perf/stats/proof. Each halving of
// a share costs ln 2 of the ln 100 that decide, so what seldom wins gets little: the two
// smallest λ grow only beyond some hundred pairs, which is where hardly a session goes.
// Equal shares for λ from 0.08 to 2.56 and both scores took 5 to 8 % more runs, and 14 %
// more than a group-sequential test where the noise is normal.
var shares = [lambdas]float64{0.02, 0.04, 0.16, 0.21, 0.26, 0.31}

// signShare is the part of each share that goes to the sign score, and the rest to
// Huber's, which is the better one for noise that is nearly normal.
const signShare = 0.35

// signFactor[k] is what the sign score multiplies component k by when it wins, and
// signLoss[k] when it loses. A tie is decided by a coin, and the stakes are what both falls
// of that coin leave on average, which is what they were: the evidence is as exact as with
// a coin that is tossed, and takes no more pairs, and samples that are the same never
// differ by its luck.
var signFactor, signLoss = signFactors()

func signFactors() (win, loss [lambdas]float64) {
	for k := range lambdas {
		u := math.Exp(-2 * smallestLambda * math.Exp2(float64(k)))
		win[k], loss[k] = 2/(1+u), 2*u/(1+u)
	}
	return win, loss
}

// A wager is a nonnegative martingale of mean one at most against the hypothesis that
// the log ratios of pairs are not centred above θ: bets on their signs, averaged over
// three scores and several λ. Its value is the evidence against the hypothesis.
type wager struct {
	stake [components]float64 // sign scores first, then Huber's, then the steep one
	// shift is the power of two taken out of stake, since 2 to the power of the pairs
	// is no float64 after some thousand of them.
	shift float64
	// best is the largest sum of the stakes under this shift, and bestLog the largest
	// logarithm of the evidence under earlier ones.
	best, bestLog float64
}

func newWager() wager {
	w := wager{best: 1}
	for k, share := range shares {
		share *= 1 - largeShare
		w.stake[k], w.stake[lambdas+k] = share*signShare, share*(1-signShare)
	}
	w.stake[large] = largeShare
	return w
}

// A scale is where the scores of size saturate: Huber's at the limit, the steep one at
// the middle. It must come from earlier pairs alone, and be the same for all θ.
type scale struct{ limit, middle float64 }

// bet takes one pair whose log ratio lies x above θ. As the scale knows neither x nor θ,
// each factor rises with x and falls with θ, and its mean is 1 where x is symmetric.
// Constant time.
func (w *wager) bet(x float64, by scale) {
	switch {
	case x == 0:
		return // see signFactor; the scores of size are 0
	case x > 0:
		for k := range lambdas {
			w.stake[k] *= signFactor[k]
		}
	default:
		for k := range lambdas {
			w.stake[k] *= signLoss[k]
		}
	}
	u := math.Exp(-2 * smallestLambda * huber(x, by.limit))
	for k := lambdas; k < large; k++ {
		w.stake[k] *= 2 / (1 + u)
		u *= u
	}
	w.stake[large] *= 2 / (1 + math.Exp(-2*largeLambda*steep(x, by.middle)))
	w.settle()
}

// huber is the score of x: proportional up to the limit and never beyond -1 or 1, so
// that one stray value counts as much as any other large one. Without a limit it is
// the sign.
func huber(x, limit float64) float64 {
	if math.Abs(x) < limit {
		return x / limit
	}
	return math.Copysign(1, x)
}

// steep is the score for large effects: a small part of one where |x| is well below the
// middle, and the sign from there on.
func steep(x, middle float64) float64 {
	u := huber(x, middle)
	return u * u * u
}

// settle notes the peak and keeps the stakes within what a float64 holds.
func (w *wager) settle() {
	sum := w.sum()
	if sum > w.best {
		w.best = sum // its logarithm takes as long as all bets together: only when asked
	}
	if sum > 1/smallest || sum < smallest && sum > 0 {
		w.rescale(sum)
	}
}

// smallest bounds the sum of the stakes and its inverse.
const smallest = 0x1p-400

func (w *wager) rescale(sum float64) {
	w.bestLog, w.best = w.peak(), 0
	_, exp := math.Frexp(sum)
	for k := range w.stake {
		// What is so much less than the rest is given up, which is on the safe side:
		// float64s without a leading one compute slowly.
		if w.stake[k] = math.Ldexp(w.stake[k], -exp); w.stake[k] < smallest*smallest {
			w.stake[k] = 0
		}
	}
	w.shift += float64(exp)
}

// peak is the largest logarithm of the evidence so far. By Ville's inequality it
// reaches ln(1/α) with a chance of at most α, however many pairs there are.
func (w *wager) peak() float64 {
	return max(w.bestLog, math.Log(w.best)+w.shift*math.Ln2)
}

func (w *wager) sum() float64 {
	sum := 0.0
	for _, s := range w.stake {
		sum += s
	}
	return sum
}

// log is the logarithm of the evidence, -Inf where all is lost.
func (w *wager) log() float64 { return math.Log(w.sum()) + w.shift*math.Ln2 }

// growth is how fast the logarithm of the evidence grew in each of n pairs with the λ
// and score that did best, which is the rate that the whole approaches.
func (w *wager) growth(n int) float64 {
	best, first := 0.0, newWager()
	for k, s := range w.stake {
		best = max(best, s/first.stake[k])
	}
	return (math.Log(best) + w.shift*math.Ln2) / float64(n)
}
