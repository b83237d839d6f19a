package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// TestRankSumChances compares with the count over all ways to mix two samples.
func TestRankSumChances(t *testing.T) {
	for n1 := 1; n1 <= 6; n1++ {
		for n2 := 1; n2 <= 6; n2++ {
			counts, total := bruteRankSum(n1, n2)
			chances := rankSumChances(n1, n2)
			if len(chances) != n1*n2/2+1 {
				t.Fatalf("%d and %d: %d chances", n1, n2, len(chances))
			}
			for u, p := range chances {
				if want := float64(counts[u]) / float64(total); math.Abs(p-want) > 1e-14 {
					t.Errorf("%d and %d: P(U = %d) = %v, want %v", n1, n2, u, p, want)
				}
			}
			for _, alpha := range []float64{0.01, 0.05, 0.1, 0.5} {
				want, tail := 0, 0
				for u := 0; u <= n1*n2/2 && float64(2*(tail+counts[u])) <= alpha*float64(total); u++ {
					tail += counts[u]
					want = u + 1
				}
				if got := rankSumRank(n1, n2, alpha); got != min(want, n1*n2/2) {
					t.Errorf("rankSumRank(%d, %d, %v) = %d, want %d", n1, n2, alpha, got, want)
				}
			}
		}
	}
}

// bruteRankSum counts, over all choices of n1 places among n1+n2, how many pairs
// have the first sample's value above.
func bruteRankSum(n1, n2 int) (counts []int, total int) {
	counts = make([]int, n1*n2+1)
	for set := range 1 << (n1 + n2) {
		size, u := 0, 0
		for place := range n1 + n2 {
			if set>>place&1 == 1 {
				u += place - size
				size++
			}
		}
		if size == n1 {
			counts[u]++
			total++
		}
	}
	return counts, total
}

// TestRankSumNormal holds the switch to the normal distribution: near the limit it
// gives the exact rank, or a smaller one, which is the safe side.
func TestRankSumNormal(t *testing.T) {
	for _, n := range [][2]int{{80, 80}, {40, 160}, {10, 640}, {5, 1280}, {3, 2000}} {
		for _, alpha := range []float64{0.01, 0.05} {
			chances, tail, exact := rankSumChances(n[0], n[1]), 0.0, 0
			for u, p := range chances {
				if tail += p; 2*tail > alpha {
					exact = u
					break
				}
			}
			approx := normalRankSumRank(n[0], n[1], alpha)
			t.Logf("%d and %d at %v: normal rank %d, exact %d", n[0], n[1], alpha, approx, exact)
			// Beside very few values the normal rank is far too careful, but such
			// comparisons are counted, not approximated, up to 3 against 2133.
			if approx > exact || n[0] > 3 && approx < exact-n[0]*n[1]/50 {
				t.Errorf("%d and %d at %v: normal rank %d, exact %d", n[0], n[1], alpha, approx, exact)
			}
		}
	}
}

func TestRankSumNeeded(t *testing.T) {
	if got := rankSumNeededEach(0.01); got != 5 {
		t.Errorf("each side needs %d at 0.01, want 5: 2 of 252", got)
	}
	if got := rankSumNeeded(1, 0.01); got != 199 {
		t.Errorf("beside 1 value the other side needs %d, want 199: 2 of 200", got)
	}
	for n := 1; n <= 8; n++ {
		for _, alpha := range []float64{0.01, 0.05} {
			size := rankSumNeeded(n, alpha)
			if rankSumRank(size, n, alpha) == 0 || size > 1 && rankSumRank(size-1, n, alpha) != 0 {
				t.Errorf("beside %d values %d are said to be needed at %v", n, size, alpha)
			}
		}
	}
}

// TestRatios compares the selection with all ratios laid out and sorted.
func TestRatios(t *testing.T) {
	r := seeded(100)
	for range 200 {
		one := func(r *rand.Rand) float64 { return math.Ceil(4 * r.ExpFloat64()) }
		if r.IntN(2) == 0 {
			one = func(r *rand.Rand) float64 { return math.Exp(20 * r.NormFloat64()) }
		}
		older, newer := draw(r, 1+r.IntN(30), one), draw(r, 1+r.IntN(30), one)
		var all []float64
		for _, a := range older {
			for _, b := range newer {
				all = append(all, b/a)
			}
		}
		slices.Sort(all)
		slices.Sort(older)
		slices.Sort(newer)
		ratio := ratios{older, newer}
		for k, want := range all {
			if got := kth(ratio, k+1); got != want {
				t.Fatalf("ratio %d of %v to %v = %v, want %v", k+1, newer, older, got, want)
			}
			if k+1 == len(all) {
				continue
			}
			if got, next := kthAndNext(ratio, k+1); got != want || next != all[k+1] {
				t.Fatalf("ratios %d and %d of %v to %v = %v and %v, want %v and %v", k+1, k+2, newer, older, got, next, want, all[k+1])
			}
		}
		n := len(all)
		if got, want := ratio.median(), math.Sqrt(all[(n-1)/2])*math.Sqrt(all[n/2]); math.Abs(got/want-1) > 1e-12 {
			t.Fatalf("median ratio %v, want %v", got, want)
		}
	}
}

// TestUnpairedCoverage counts how often the interval misses the true factor.
func TestUnpairedCoverage(t *testing.T) {
	const trials = 1500
	for i, src := range sources[:2] {
		for _, n := range [][2]int{{5, 5}, {8, 20}, {20, 20}} {
			for _, alpha := range []float64{0.01, 0.1} {
				r, missed := seeded(uint64(110+i)), 0
				for range trials {
					older, newer := draw(r, n[0], src.draw), draw(r, n[1], src.draw)
					for k := range newer {
						newer[k] *= 1.3
					}
					c := CompareUnpaired(older, newer, perf.Wall, alpha, 0.1)
					missed += count(1.3 < *c.Low || 1.3 > *c.High)
				}
				share := float64(missed) / trials
				if !within(share, alpha, trials) || alpha == 0.1 && share < alpha/2 {
					t.Errorf("%s, %d and %d: misses %.4f, want at most %v and not much less", src.name, n[0], n[1], share, alpha)
				}
			}
		}
	}
	// Ties make the interval wider, never too narrow.
	r, missed := seeded(112), 0
	one := func(r *rand.Rand) float64 { return float64(8 + r.IntN(4)) }
	for range trials {
		c := CompareUnpaired(draw(r, 12, one), draw(r, 15, one), perf.Wall, 0.1, 0.1)
		missed += count(1 < *c.Low || 1 > *c.High)
	}
	if share := float64(missed) / trials; !within(share, 0.1, trials) {
		t.Errorf("ties: misses %.4f, want at most 0.1", share)
	}
}

func TestCompareUnpairedVerdicts(t *testing.T) {
	r := seeded(120)
	around := func(level float64, n int) perf.Sample {
		return draw(r, n, func(r *rand.Rand) float64 { return level * (1 + 0.01*r.NormFloat64()) })
	}
	constant := func(v float64, n int) perf.Sample { return slices.Repeat(perf.Sample{v}, n) }
	higher := perf.Throughput
	for _, c := range []struct {
		name         string
		older, newer perf.Sample
		m            perf.Metric
		want         perf.Verdict
		reason       string
	}{
		{"slower", around(1, 20), around(1.3, 20), perf.Wall, perf.Slower, ""},
		{"faster", around(1, 20), around(0.7, 20), perf.Wall, perf.Faster, ""},
		{"more is better, and it fell", around(1, 20), around(0.7, 20), higher, perf.Slower, ""},
		{"more is better, and it rose", around(1, 20), around(1.3, 20), higher, perf.Faster, ""},
		{"the same", around(1, 20), around(1, 20), perf.Wall, perf.NoChange, ""},
		{"a little slower", around(1, 20), around(1.05, 20), perf.Wall, perf.NoChange, "there is a difference, of less than the 10 %"},
		{"at the limit", around(1, 20), around(1.1, 20), perf.Wall, perf.VerdictUnsure, "reaches across a limit of ±10 %"},
		{"three on a side", around(1, 3), around(1, 3), perf.Wall, perf.VerdictUnsure, "3 values on the old side and 3 on the new cannot give a 99 % interval: needs 5 on each"},
		{"two on the old side", around(1, 2), around(1, 12), perf.Wall, perf.VerdictUnsure, "2 values on the old side cannot give a 99 % interval beside 12 on the new: needs 3"},
		{"one on the new side", around(1, 12), around(1, 1), perf.Wall, perf.VerdictUnsure, "1 value on the new side cannot give a 99 % interval beside 12 on the old: needs 3"},
		{"one on each", around(1, 1), around(2, 1), perf.Wall, perf.VerdictUnsure, "1 value on the old side and 1 on the new cannot"},
		{"nothing old", nil, around(1, 5), perf.Wall, perf.VerdictUnsure, "0 values on the old side and 5 values on the new: there is nothing to compare"},
		{"constant", constant(3, 6), constant(3, 6), perf.Wall, perf.NoChange, ""},
		{"all zero", constant(0, 6), constant(0, 6), perf.BytesRead, perf.NoChange, ""},
		{"few zeroes", constant(0, 2), constant(0, 2), perf.BytesRead, perf.VerdictUnsure, "needs 5 on each"},
		{"from zero", constant(0, 6), constant(4096, 6), perf.BytesRead, perf.VerdictUnsure, "the median went from 0 B to 4.10 kB"},
		{"negative", constant(-1, 6), constant(-1.5, 6), perf.Wall, perf.VerdictUnsure, "no ratio"},
		{"beyond floats", constant(1e-300, 6), constant(1e300, 6), perf.Wall, perf.VerdictUnsure, "ratio is no number"},
		{"NaN", perf.Sample{1, math.NaN()}, around(1, 6), perf.Wall, perf.Invalid, "value 2 of 2 on the old side is NaN"},
		{"infinite", around(1, 6), perf.Sample{math.Inf(1)}, perf.Wall, perf.Invalid, "value 1 of 1 on the new side is +Inf"},
	} {
		got := CompareUnpaired(c.older, c.newer, c.m, UnpairedAlpha, 0.10)
		if got.Verdict != c.want || !strings.Contains(got.Reason, c.reason) || c.reason == "" && got.Reason != "" {
			t.Errorf("%s: %s, %q (%v to %v); want %s, %q", c.name, got.Verdict, got.Reason, deref(got.Low), deref(got.High), c.want, c.reason)
		}
		if got.Design != perf.Unpaired || got.Alpha != UnpairedAlpha || got.Metric != c.m.Name || got.Better != c.m.Better {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	one := CompareUnpaired(perf.Sample{2}, perf.Sample{3}, perf.Wall, UnpairedAlpha, UnpairedMinEffect)
	if one.Ratio == nil || *one.Ratio != 1.5 || one.Low != nil || one.High != nil {
		t.Errorf("one value each: %+v, want a ratio of 1.5 without interval", one)
	}
	same := CompareUnpaired(constant(0.3, 9), constant(0.3, 7), perf.Wall, UnpairedAlpha, UnpairedMinEffect)
	if *same.Ratio != 1 || *same.Low != 1 || *same.High != 1 {
		t.Errorf("identical constants: ratio %v, %v to %v, want exactly 1", *same.Ratio, *same.Low, *same.High)
	}
	for _, bad := range [][2]float64{{0, 0.1}, {1, 0.1}, {0.01, -1}, {0.01, 1}, {math.NaN(), 0.1}, {0.01, math.NaN()}} {
		if c := CompareUnpaired(around(1, 9), around(1, 9), perf.Wall, bad[0], bad[1]); c.Verdict != perf.Invalid {
			t.Errorf("alpha %v and effect %v: %s, want INVALID", bad[0], bad[1], c.Verdict)
		}
	}
}

func deref(p *float64) float64 {
	if p == nil {
		return math.NaN()
	}
	return *p
}

// TestUnpairedFalseVerdicts draws both sides from one source, of a spread far above
// the least effect, and at the edge of the least effect, where NO CHANGE is wrong.
func TestUnpairedFalseVerdicts(t *testing.T) {
	const trials = 1000
	r := seeded(130)
	one := func(r *rand.Rand) float64 { return math.Exp(0.3 * r.NormFloat64()) }
	changed, unchanged := 0, 0
	for range trials {
		older, newer := draw(r, 30, one), draw(r, 30, one)
		switch CompareUnpaired(older, newer, perf.Wall, 0.05, 0.1).Verdict {
		case perf.Slower, perf.Faster:
			changed++
		}
		for i := range newer {
			older[i], newer[i] = math.Pow(older[i], 0.2), 1.1001*math.Pow(newer[i], 0.2)
		}
		unchanged += count(CompareUnpaired(older, newer, perf.Wall, 0.05, 0.1).Verdict == perf.NoChange)
	}
	if a, b := float64(changed)/trials, float64(unchanged)/trials; !within(a, 0.05, trials) || !within(b, 0.05, trials) {
		t.Errorf("false change in %.3f, false NO CHANGE in %.3f, want at most 0.05", a, b)
	}
}
