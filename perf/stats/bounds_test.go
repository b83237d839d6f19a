package stats

import (
	"math"
	"math/big"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestNeeded(t *testing.T) {
	for _, c := range []struct{ q, fixed, sequential float64 }{
		{0.5, 5, 6}, {0.95, 59, 61}, {0.05, 59, 61}, {0.99, 299, 301}, {0.9, 29, 31},
	} {
		if got := Needed(c.q, 0.95); got != int(c.fixed) {
			t.Errorf("Needed(%v, 0.95) = %d, want %v", c.q, got, c.fixed)
		}
		if got := NeededSequential(c.q, 0.95); got != int(c.sequential) {
			t.Errorf("NeededSequential(%v, 0.95) = %d, want %v", c.q, got, c.sequential)
		}
	}
	for _, c := range [][2]float64{{0, 0.95}, {1, 0.95}, {0.5, 0}, {0.5, 1}, {math.NaN(), 0.95}, {0.5, math.NaN()}, {1e-17, 0.95}} {
		if a, b := Needed(c[0], c[1]), NeededSequential(c[0], c[1]); a != 0 || b != 0 {
			t.Errorf("Needed and NeededSequential of quantile %v at %v = %d, %d, want 0: no number is enough", c[0], c[1], a, b)
		}
	}
}

// TestNeededAgrees holds the promise of the number: one value less has no bound.
func TestNeededAgrees(t *testing.T) {
	for _, rule := range []tailRule{fixedRule, sequentialRule} {
		for _, q := range []float64{0.01, 0.05, 0.3, 0.5, 0.9, 0.95, 0.99} {
			for _, confidence := range []float64{0.5, 0.9, 0.95, 0.99, 0.999} {
				n := neededBy(rule, q, confidence)
				sample := func(n int) perf.Sample { return draw(seeded(1), n, sources[0].draw) }
				enough := boundsBy(rule, sample(n), q, confidence)
				if !enough.HasLow || !enough.HasHigh || enough.Needed() != 0 {
					t.Errorf("q %v at %v: %d values should be enough: %+v", q, confidence, n, enough)
				}
				if n == 1 {
					continue
				}
				short := boundsBy(rule, sample(n-1), q, confidence)
				if short.HasLow && short.HasHigh || short.Needed() != n {
					t.Errorf("q %v at %v: %d values should lack one: %+v", q, confidence, n-1, short)
				}
			}
		}
	}
}

// TestBinomialCount checks the tails against exact rational arithmetic.
func TestBinomialCount(t *testing.T) {
	alpha := new(big.Rat).SetFrac64(5, 100)
	for _, q := range []int64{1, 5, 50, 90, 95, 99} {
		p := big.NewRat(q, 100)
		for n := 1; n <= 110; n += 9 {
			want := n + 1
			tail := new(big.Rat)
			for c := n; c >= 1; c-- {
				if tail.Add(tail, exactBinomial(n, c, p)); tail.Cmp(alpha) > 0 {
					break
				}
				want = c
			}
			if got := binomialCount(n, float64(q)/100, 1-0.95); got != want {
				t.Errorf("binomialCount(%d, 0.%02d, 0.05) = %d, want %d", n, q, got, want)
			}
		}
	}
	if got := binomialCount(100000, 0.5, 0.05); math.Abs(float64(got)-(50000+1.645*158.1)) > 2 {
		t.Errorf("binomialCount(100000, 0.5, 0.05) = %d, want about 50260", got)
	}
}

func exactBinomial(n, c int, p *big.Rat) *big.Rat {
	term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(c)))
	miss := new(big.Rat).Sub(big.NewRat(1, 1), p)
	for range c {
		term.Mul(term, p)
	}
	for range n - c {
		term.Mul(term, miss)
	}
	return term
}

// TestRanks pins the order statistics, and with them the price of being allowed to
// look after every run.
func TestRanks(t *testing.T) {
	type ranks struct{ low, high int }
	for _, c := range []struct {
		q                 float64
		n                 int
		fixed, sequential ranks
	}{
		{0.5, 10, ranks{2, 9}, ranks{2, 9}},
		{0.5, 20, ranks{6, 15}, ranks{5, 16}},
		{0.5, 40, ranks{15, 26}, ranks{12, 29}},
		{0.5, 60, ranks{24, 37}, ranks{20, 41}},
		{0.5, 100, ranks{42, 59}, ranks{36, 65}},
		{0.95, 10, ranks{8, 0}, ranks{7, 0}},
		{0.95, 20, ranks{17, 0}, ranks{16, 0}},
		{0.95, 40, ranks{36, 0}, ranks{34, 0}},
		{0.95, 60, ranks{54, 60}, ranks{52, 0}},
		{0.95, 100, ranks{91, 99}, ranks{88, 100}},
	} {
		s := draw(seeded(3), c.n, sources[0].draw)
		f, q := FixedBounds(s, c.q, 0.95), SequentialBounds(s, c.q, 0.95)
		if got := (ranks{f.LowRank, f.HighRank}); got != c.fixed {
			t.Errorf("q %v, n %d: fixed ranks %v, want %v", c.q, c.n, got, c.fixed)
		}
		if got := (ranks{q.LowRank, q.HighRank}); got != c.sequential {
			t.Errorf("q %v, n %d: sequential ranks %v, want %v", c.q, c.n, got, c.sequential)
		}
	}
}

// TestFixedCoverage counts how often a bound misses the true quantile: never more
// often than alpha, and for continuous values nearly as often as the rank allows.
func TestFixedCoverage(t *testing.T) {
	const trials = 4000
	for i, src := range sources {
		r := seeded(uint64(10 + i))
		for _, c := range []struct {
			q float64
			n int
		}{{0.5, 25}, {0.95, 100}, {0.05, 60}} {
			truth := src.quantile(c.q)
			var low, high int
			for range trials {
				b := FixedBounds(draw(r, c.n, src.draw), c.q, 0.95)
				if b.HasLow && b.Low > truth {
					low++
				}
				if b.HasHigh && b.High < truth {
					high++
				}
			}
			lowShare, highShare := float64(low)/trials, float64(high)/trials
			if !within(lowShare, 0.05, trials) || !within(highShare, 0.05, trials) {
				t.Errorf("%s, q %v, n %d: misses %.3f below, %.3f above, want at most 0.05", src.name, c.q, c.n, lowShare, highShare)
			}
			if i < 2 && lowShare+highShare < 0.03 {
				t.Errorf("%s, q %v, n %d: misses %.3f and %.3f, the bounds are needlessly wide", src.name, c.q, c.n, lowShare, highShare)
			}
		}
	}
}

func TestBoundsBeyondReason(t *testing.T) {
	s := draw(seeded(4), 100, sources[0].draw)
	for _, c := range [][2]float64{{0, 0.95}, {1, 0.95}, {0.5, 0}, {0.5, 1}, {0.5, 2}, {math.NaN(), 0.95}} {
		if b := SequentialBounds(s, c[0], c[1]); b.HasLow || b.HasHigh || b.Needed() != 0 {
			t.Errorf("quantile %v at %v has bounds: %+v", c[0], c[1], b)
		}
	}
	if b := FixedBounds(nil, 0.95, 0.95); b.HasLow || b.HasHigh || b.Needed() != 59 || !math.IsNaN(b.Estimate) {
		t.Errorf("bounds of nothing: %+v", b)
	}
	if b := FixedBounds(append(perf.Sample{math.NaN()}, s...), 0.5, 0.95); b.HasLow || b.HasHigh {
		t.Errorf("a NaN has bounds: %+v", b)
	}
	// Interpolation passes the second-smallest of two values at q = 0.01.
	if b := FixedBounds(perf.Sample{0, 100}, 0.01, 0.95); !b.HasHigh || b.High < b.Estimate {
		t.Errorf("high bound below the estimate: %+v", b)
	}
}

func TestNarrow(t *testing.T) {
	b := Bounds{Estimate: 100, Low: 98, High: 103, HasLow: true, HasHigh: true}
	if !Narrow(b, 0.05) || Narrow(b, 0.049) {
		t.Errorf("5 of 100: Narrow at 0.05 is %v, at 0.049 %v", Narrow(b, 0.05), Narrow(b, 0.049))
	}
	b.HasHigh = false
	if Narrow(b, 10) {
		t.Error("an interval with one end is narrow")
	}
	if zero := (Bounds{HasLow: true, HasHigh: true}); !Narrow(zero, 0.05) {
		t.Error("an interval of no width is not narrow")
	}
	below := Bounds{Estimate: -100, Low: -103, High: -98, HasLow: true, HasHigh: true}
	if !Narrow(below, 0.05) {
		t.Error("a negative estimate turns the ratio round")
	}
}
