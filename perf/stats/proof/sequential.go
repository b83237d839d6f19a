package proof

import (
	"math"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// What the sequential rules have in common.
const (
	alpha     = stats.PairedAlpha
	minEffect = stats.PairedMinEffect
	maxPairs  = 200 // 400 runs
)

// engine is what this project ships.
func engine(s *session) answer {
	p, err := stats.NewPaired(stats.PairedOptions{})
	if err != nil {
		return undecided
	}
	for p.Pairs() < maxPairs {
		if err := p.Add(s.pair()); err != nil {
			return undecided
		}
		switch p.Verdict() {
		case perf.Slower:
			return slower
		case perf.Faster:
			return faster
		case perf.NoChange:
			return same
		}
	}
	return undecided
}

// everAlarms looks for a difference after each of all pairs, and goes on after an
// answer that would have stopped others.
func everAlarms(s *session) answer {
	p, err := stats.NewPaired(stats.PairedOptions{})
	if err != nil {
		return undecided
	}
	found := undecided
	for p.Pairs() < maxPairs {
		if err := p.Add(s.pair()); err != nil {
			return undecided
		}
		if found == undecided && p.Evidence() >= 1/alpha {
			found = direction(p.Estimate() - 1)
		}
	}
	return found
}

// looks are the numbers of pairs after which the group-sequential test looks: ten, each
// about √2 times as many as before.
var looks = []int{10, 14, 20, 28, 40, 57, 80, 113, 160, maxPairs}

// groupSequential is the strongest rival: Wilcoxon's signed-rank test on the same
// randomised pairs, looked at ten times with Pocock's constant nominal level (Lan and
// DeMets 1983; Jennison and Turnbull, "Group sequential methods", 2000), and two
// one-sided ones for "no change".
func groupSequential(s *session) answer {
	var diffs []float64
	margin := math.Log1p(minEffect)
	for i, n := range looks {
		for len(diffs) < n {
			older, newer := s.pair()
			diffs = append(diffs, math.Log(newer/older))
		}
		c := critical[i]
		up, down := signedRank(diffs, 0)
		switch {
		case first(signedRank(diffs, -margin)) >= c.one && second(signedRank(diffs, margin)) >= c.one:
			return same
		case up >= c.two:
			return slower
		case down >= c.two:
			return faster
		}
	}
	return undecided
}

func first(a, _ float64) float64  { return a }
func second(_, b float64) float64 { return b }

// signedRank returns the sums of the ranks of |d-θ| over the positive and over the
// negative differences. Ties share their ranks.
func signedRank(diffs []float64, theta float64) (up, down float64) {
	x := make([]float64, len(diffs))
	for i, d := range diffs {
		x[i] = d - theta
	}
	slices.SortFunc(x, func(a, b float64) int {
		if math.Abs(a) < math.Abs(b) {
			return -1
		} else if math.Abs(a) > math.Abs(b) {
			return 1
		}
		return 0
	})
	for i := 0; i < len(x); {
		j := i
		for j < len(x) && math.Abs(x[j]) == math.Abs(x[i]) {
			j++
		}
		rank := float64(i+1+j) / 2
		for ; i < j; i++ {
			switch {
			case x[i] > 0:
				up += rank
			case x[i] < 0:
				down += rank
			}
		}
	}
	return up, down
}

// Nominal levels with which ten looks together err in alpha of iid pairs: at the first
// look the least that ten pairs can give, two-sided and one-sided alike, and at the
// others a constant. TestNominalLevels computes what they come to.
const (
	nominalFirst = 0.00196
	nominal      = 0.0013
)

// A boundary is the least rank sum that rejects.
type boundary struct{ two, one float64 }

var critical = boundaries()

func boundaries() []boundary {
	var all []boundary
	for i, n := range looks {
		level := nominal
		if i == 0 {
			level = nominalFirst
		}
		all = append(all, boundary{two: rankSumAt(n, level/2), one: rankSumAt(n, level)})
	}
	return all
}

// rankSumAt returns the least sum of signed ranks whose chance, or that of a larger
// one, is at most p: exact, by counting subsets of the ranks.
func rankSumAt(n int, p float64) float64 {
	chance := signedRankChances(n)
	tail := 0.0
	for v := len(chance) - 1; v >= 0; v-- {
		if tail += chance[v]; tail > p {
			return float64(v + 1)
		}
	}
	return 0
}

func signedRankChances(n int) []float64 {
	chance := make([]float64, n*(n+1)/2+1)
	chance[0] = 1
	for rank := 1; rank <= n; rank++ {
		for v := len(chance) - 1; v >= 0; v-- {
			chance[v] /= 2
			if v >= rank {
				chance[v] += chance[v-rank] / 2
			}
		}
	}
	return chance
}
