package stats

import "math"

// exactRankSum is the largest product of the two sample sizes for which the
// distribution is counted; beyond it, the normal one is at most a few ranks of
// thousands wider, and more only beside a handful of values. Counting 80 against
// 80 takes some 20 ms, once in a comparison.
const exactRankSum = 6400

// rankSumRank returns which of the n1*n2 pairwise ratios, sorted and counted from
// 1, bounds the shift between two samples below, and counted from the top above, at
// a two-sided error of at most alpha: the largest k with 2 P(U < k) <= alpha, where
// U is the statistic of Mann and Whitney between samples that do not differ. It is
// 0 where even the extremes of all ratios are less certain than that.
func rankSumRank(n1, n2 int, alpha float64) int {
	if n1*n2 > exactRankSum {
		return normalRankSumRank(n1, n2, alpha)
	}
	tail := 0.0
	for u, p := range rankSumChances(n1, n2) {
		tail += p
		if 2*tail > alpha*alphaSlack {
			return u
		}
	}
	return n1 * n2 / 2
}

// rankSumChances returns P(U = u) for u up to the middle, n1*n2/2, where the
// symmetric distribution turns. It adds over which sample holds the largest value:
// one of the first sample beats all n2 of the other, one of the second beats none.
// Every step is a mean of chances, so nothing overflows or cancels, as the counts
// of Mann and Whitney's own recurrence do.
func rankSumChances(n1, n2 int) []float64 {
	size := n1*n2/2 + 1
	chances := make([][]float64, n2+1) // by how many of the second sample are in
	for j := range chances {
		chances[j] = make([]float64, size)
		chances[j][0] = 1
	}
	for i := 1; i <= n1; i++ {
		for j := 1; j <= n2; j++ {
			first := float64(i) / float64(i+j)
			row, fewer := chances[j], chances[j-1]
			// Downwards, because row[u-j] must still be that of i-1.
			for u := min(i*j, size-1); u >= 0; u-- {
				p := (1 - first) * fewer[u]
				if u >= j {
					p += first * row[u-j]
				}
				row[u] = p
			}
		}
	}
	return chances[n2]
}

// normalRankSumRank is [rankSumRank] by the normal distribution with a continuity
// correction. The true tails are thinner, so that it errs towards wide intervals.
func normalRankSumRank(n1, n2 int, alpha float64) int {
	n, m := float64(n1), float64(n2)
	z := math.Sqrt2 * math.Erfcinv(alpha)
	k := math.Floor(n*m/2 + 0.5 - z*math.Sqrt(n*m*(n+m+1)/12))
	return max(int(k), 0)
}

// rankSumNeeded returns the smallest size of a sample that gives an interval at
// error alpha beside one of n values: the two extreme arrangements of all
// (size+n choose n) must be rare enough. It is 0 where no reasonable size is, as
// beside a single value when alpha is tiny.
func rankSumNeeded(n int, alpha float64) int {
	const reasonable = 1_000_000
	arrangements := 1.0
	for size := 1; n > 0 && size <= reasonable; size++ {
		arrangements *= float64(size+n) / float64(size)
		if 2 <= alpha*alphaSlack*arrangements {
			return size
		}
	}
	return 0
}

// rankSumNeededEach is the smallest size that is enough on both sides. As the
// arrangements grow fourfold with each value, there is one for every alpha.
func rankSumNeededEach(alpha float64) int {
	size, arrangements := 1, 2.0
	for 2 > alpha*alphaSlack*arrangements {
		size++
		arrangements *= float64(4*size-2) / float64(size)
	}
	return size
}
