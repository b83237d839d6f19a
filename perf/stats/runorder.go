package stats

import (
	"math"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Drift is the Mann-Kendall test for a trend in run order: warm-up, throttling, a
// neighbour that came or went. tau is Kendall's tau-b of value against run number,
// from -1 (falls with every run) to 1 (rises with every run); p is the two-sided
// probability of a tau so far from 0 among independent values of one level. A
// sample that is constant, shorter than 2 or not finite has tau 0 and p 1.
//
// p is exact for up to 20 values without ties and normal with Kendall's correction
// for ties beyond that. Values that hang together without a trend (a noisy
// neighbour that stays for ten runs) make p too small, so that it is grounds for a
// warning and for no more.
func Drift(s perf.Sample) (tau, p float64) {
	sorted, inversions := sortCounting(s)
	if !allFinite(sorted) {
		return 0, 1
	}
	return kendall(sorted, inversions)
}

// exactKendall is the largest sample whose permutations are counted.
const exactKendall = 20

// kendall computes tau-b and its p from the sorted values and the number of pairs
// that stand in falling order. With the run number free of ties,
// S = pairs - ties - 2 * falling (Knight 1966), which saves the n² comparisons.
func kendall(sorted []float64, inversions int) (tau, p float64) {
	n := len(sorted)
	pairs := n * (n - 1) / 2
	tied, tieVariance := 0, 0.0
	for _, t := range tieRuns(sorted) {
		tied += t * (t - 1) / 2
		tieVariance += float64(t) * float64(t-1) * float64(2*t+5)
	}
	if pairs == tied {
		return 0, 1
	}
	score := pairs - tied - 2*inversions
	tau = float64(score) / (math.Sqrt(float64(pairs)) * math.Sqrt(float64(pairs-tied)))
	if n <= exactKendall && tied == 0 {
		return tau, exactKendallP(n, min(inversions, pairs-inversions))
	}
	nf := float64(n)
	variance := (nf*(nf-1)*(2*nf+5) - tieVariance) / 18
	// Less one: S moves in steps of two, and the normal tail begins half a step early.
	z := max(math.Abs(float64(score))-1, 0) / math.Sqrt(variance)
	return tau, math.Erfc(z / math.Sqrt2)
}

// tieRuns returns the sizes of the groups of equal values.
func tieRuns(sorted []float64) []int {
	var runs []int
	start := 0
	for i := 1; i <= len(sorted); i++ {
		if i == len(sorted) || sorted[i] != sorted[start] {
			if i-start > 1 {
				runs = append(runs, i-start)
			}
			start = i
		}
	}
	return runs
}

// exactKendallP is the two-sided probability of at most few inversions in a random
// permutation of n: the Mahonian numbers, divided by the number of permutations at
// every step so that they stay probabilities.
func exactKendallP(n, few int) float64 {
	chance := []float64{1} // chance[k]: exactly k inversions among the first i
	for i := 2; i <= n; i++ {
		next := make([]float64, len(chance)+i-1)
		for k, c := range chance {
			for j := range i { // the i-th element stands before j of the others
				next[k+j] += c / float64(i)
			}
		}
		chance = next
	}
	tail := 0.0
	for _, c := range chance[:few+1] {
		tail += c
	}
	return min(2*tail, 1)
}

// sortCounting returns the values in ascending order and how many pairs of them
// stood in falling order, by merge sort. One pass over the runs thus serves the
// median and the trend alike, after each run of a benchmark.
func sortCounting(s perf.Sample) (sorted []float64, inversions int) {
	from, to := slices.Clone([]float64(s)), make([]float64, len(s))
	for width := 1; width < len(from); width *= 2 {
		for lo := 0; lo < len(from); lo += 2 * width {
			mid, hi := min(lo+width, len(from)), min(lo+2*width, len(from))
			inversions += merge(to[lo:hi], from[lo:mid], from[mid:hi])
		}
		from, to = to, from
	}
	return from, inversions
}

// merge merges two ascending runs into to, and counts the pairs in which the value
// of the second is smaller. NaN goes first, as in slices.Sort, where [allFinite]
// looks for it.
func merge(to, a, b []float64) (inversions int) {
	i, j := 0, 0
	for k := range to {
		if j == len(b) || i < len(a) && (a[i] <= b[j] || math.IsNaN(a[i])) {
			to[k] = a[i]
			i++
		} else {
			to[k] = b[j]
			inversions += len(a) - i
			j++
		}
	}
	return inversions
}
