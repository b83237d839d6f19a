package stats

import "math"

// alphaSlack forgives the rounding of 1-confidence: one of ten values over the
// median at 90 % must not be lost because 1-0.9 is 0.09999999999999998.
const alphaSlack = 1 + 1e-9

// A tailRule says how much of a tail is too much: the smallest count c of n values
// that a chance of at most p each cannot explain at error level alpha. It is n+1
// where no count does, because there are too few values. It never falls when n
// rises.
//
// Both kinds of bounds are such a rule and nothing else. Let Q be the true
// quantile q. Each value lies below Q with a chance of at most q, so as soon as c
// values lie below some x, x can hardly be below Q: the c-th smallest value is an
// upper bound. Each value lies above Q with a chance of at most 1-q, so the c-th
// largest is a lower bound. Ties only make these chances smaller.
type tailRule struct {
	count  func(n int, p, alpha float64) int
	needed func(p, alpha float64) int
}

// fixedRule is the exact binomial tail, for a number of values chosen beforehand.
var fixedRule = tailRule{binomialCount, binomialNeeded}

// binomialCount returns the smallest c with P(Binomial(n, p) >= c) <= alpha, or
// n+1. It sums the tail from its thin end, in logarithms, because 0.5 to the power
// of 2000 is no float64.
func binomialCount(n int, p, alpha float64) int {
	logOdds := math.Log1p(-p) - math.Log(p)
	logTerm := float64(n) * math.Log(p) // of the count n
	tail := 0.0
	for c := n; c >= 1; c-- {
		tail += math.Exp(logTerm)
		if tail > alpha*alphaSlack {
			return c + 1
		}
		logTerm += math.Log(float64(c)/float64(n-c+1)) + logOdds
	}
	return 1
}

// binomialTail returns P(Binomial(n, p) >= c).
func binomialTail(n, c int, p float64) float64 {
	logOdds := math.Log1p(-p) - math.Log(p)
	logTerm, tail := float64(n)*math.Log(p), 0.0
	for k := n; k >= c; k-- {
		tail += math.Exp(logTerm)
		logTerm += math.Log(float64(k)/float64(n-k+1)) + logOdds
	}
	return min(tail, 1)
}

// binomialNeeded returns the smallest n for which n values of n are too many: p to
// the power of n is at most alpha. It is 0 where no number of values is enough.
func binomialNeeded(p, alpha float64) int {
	n := math.Ceil(math.Log(alpha*alphaSlack) / math.Log(p))
	if !(n <= maxNeeded) {
		return 0
	}
	return max(int(n), 1)
}

// maxNeeded is where a number of values stops being advice.
const maxNeeded = 1 << 30
