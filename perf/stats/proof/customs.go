package proof

import (
	"math"

	moremath "github.com/aclements/go-moremath/stats"
)

// What the rules of custom have in common.
const (
	blockRuns   = 30
	customAlpha = 0.05
	reruns      = 5
)

// blockWelch is Welch's test on two blocks.
func blockWelch(s *session) answer {
	older, newer := s.blocks(blockRuns)
	a, b := &moremath.Sample{Xs: older}, &moremath.Sample{Xs: newer}
	res, err := moremath.TwoSampleWelchTTest(a, b, moremath.LocationDiffers)
	if err != nil || res.P >= customAlpha {
		return undecided
	}
	return direction(b.Mean() - a.Mean())
}

// blockMannWhitney is the Mann-Whitney test on two blocks, exact as in benchstat.
func blockMannWhitney(s *session) answer {
	older, newer := s.blocks(blockRuns)
	res, err := moremath.MannWhitneyUTest(older, newer, moremath.LocationDiffers)
	if err != nil || res.P >= customAlpha { // an error says that all values are equal
		return undecided
	}
	return direction(median(newer) - median(older))
}

// rerunMannWhitney runs everything again until there is something to see.
func rerunMannWhitney(s *session) answer {
	for range reruns {
		if a := blockMannWhitney(s); a != undecided {
			return a
		}
	}
	return undecided
}

// blockOnePercent asks for a pooled 95 % interval of the difference, relative to the
// old mean, that lies wholly beyond 1 % on one side.
func blockOnePercent(s *session) answer {
	older, newer := s.blocks(blockRuns)
	a, b := &moremath.Sample{Xs: older}, &moremath.Sample{Xs: newer}
	sd := math.Sqrt((a.Variance() + b.Variance()) / 2)
	const t95 = 2.0017 // of Student's t with 58 degrees of freedom
	half := t95 * sd * math.Sqrt(2.0/blockRuns) / a.Mean()
	change := b.Mean()/a.Mean() - 1
	if math.Abs(change)-half <= 0.01 {
		return undecided
	}
	return direction(change)
}

// peekingWilcoxon tests the pairs at the full level each time that there is a new one.
func peekingWilcoxon(s *session) answer {
	var diffs []float64
	for n := 1; n <= looks[len(looks)-1]/2; n++ {
		older, newer := s.pair()
		diffs = append(diffs, math.Log(newer/older))
		if n < looks[0] {
			continue
		}
		up, down := signedRank(diffs, 0)
		nf := float64(n)
		z := (math.Abs(up-down)/2 - 0.5) / math.Sqrt(nf*(nf+1)*(2*nf+1)/24)
		if math.Erfc(z/math.Sqrt2) < alpha {
			return direction(up - down)
		}
	}
	return undecided
}

func direction(change float64) answer {
	if change > 0 {
		return slower
	}
	return faster
}

func median(values []float64) float64 {
	s := moremath.Sample{Xs: values}
	return s.Quantile(0.5)
}
