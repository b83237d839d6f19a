package stats

import (
	"math"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// TestSequentialCrossing computes, not simulates, how likely the sequential bounds
// are ever wrong when somebody looks after each of 1000 runs: a walk over the
// number of hits whose paths are absorbed where the rule calls them too many.
func TestSequentialCrossing(t *testing.T) {
	for _, alpha := range []float64{0.05, 0.01} {
		for _, p := range []float64{0.01, 0.05, 0.5, 0.95, 0.99} {
			wrong := crossing(sequentialRule, 1000, p, alpha)
			if wrong > alpha {
				t.Errorf("p %v: wrong with probability %.4f, want at most %v", p, wrong, alpha)
			}
			if wrong < alpha/4 {
				t.Errorf("p %v: wrong with probability %.4f of %v allowed, the bounds are needlessly wide", p, wrong, alpha)
			}
			t.Logf("p %v, alpha %v: crossing within 1000 looks %.4f", p, alpha, wrong)
		}
	}
	// The same walk shows what looking does to bounds that are not made for it.
	if wrong := crossing(fixedRule, 300, 0.5, 0.05); wrong < 0.2 {
		t.Errorf("fixed bounds looked at 300 times are wrong with probability %.3f: this walk measures nothing", wrong)
	}
}

// crossing returns the probability that the count of hits, each of chance p, ever
// reaches what the rule calls too many.
func crossing(rule tailRule, looks int, p, alpha float64) float64 {
	alive, wrong := make([]float64, looks+2), 0.0
	alive[0] = 1
	for n := 1; n <= looks; n++ {
		for c := n; c >= 1; c-- {
			alive[c] = alive[c]*(1-p) + alive[c-1]*p
		}
		alive[0] *= 1 - p
		for c := rule.count(n, p, alpha); c <= n; c++ {
			wrong += alive[c]
			alive[c] = 0
		}
	}
	return wrong
}

// TestSequentialAnytime draws values and looks after every one of 300 of them, on
// shapes with and without ties. It follows the counts that the bounds turn into, so
// that the looks are cheap enough for many trials.
func TestSequentialAnytime(t *testing.T) {
	const looks, trials, alpha = 300, 3000, 0.05
	for i, src := range sources {
		for _, q := range []float64{0.5, 0.95} {
			var highCount, lowCount [looks + 1]int
			for n := 1; n <= looks; n++ {
				highCount[n], lowCount[n] = sequentialCount(n, q, alpha), sequentialCount(n, 1-q, alpha)
			}
			r, truth := seeded(uint64(20+i)), src.quantile(q)
			low, high := 0, 0
			for range trials {
				below, above, missedLow, missedHigh := 0, 0, false, false
				for n := 1; n <= looks; n++ {
					switch v := src.draw(r); {
					case v < truth:
						below++
					case v > truth:
						above++
					}
					missedHigh = missedHigh || below >= highCount[n]
					missedLow = missedLow || above >= lowCount[n]
				}
				low, high = low+count(missedLow), high+count(missedHigh)
			}
			if l, h := float64(low)/trials, float64(high)/trials; !within(l, alpha, trials) || !within(h, alpha, trials) {
				t.Errorf("%s, q %v: ever wrong in %.3f below and %.3f above, want at most %v each", src.name, q, l, h, alpha)
			}
		}
	}
}

// TestSequentialBoundsAnytime is the same through the exported function, and ties
// the counts of the other tests to the bounds that callers see.
func TestSequentialBoundsAnytime(t *testing.T) {
	const looks, trials, alpha = 80, 300, 0.05
	for i, src := range sources {
		r, truth := seeded(uint64(30+i)), src.quantile(0.5)
		low, high := 0, 0
		for range trials {
			var s perf.Sample
			missedLow, missedHigh := false, false
			for range looks {
				s = append(s, src.draw(r))
				b := SequentialBounds(s, 0.5, 1-alpha)
				missedLow = missedLow || b.HasLow && b.Low > truth
				missedHigh = missedHigh || b.HasHigh && b.High < truth
			}
			low, high = low+count(missedLow), high+count(missedHigh)
		}
		if l, h := float64(low)/trials, float64(high)/trials; !within(l, alpha, trials) || !within(h, alpha, trials) {
			t.Errorf("%s: ever wrong in %.3f below and %.3f above, want at most %v each", src.name, l, h, alpha)
		}
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// TestMixtureIsAFairBet checks the property that everything rests on: the expected
// evidence after any number of values is one, or less where the chance is smaller.
func TestMixtureIsAFairBet(t *testing.T) {
	for _, p := range []float64{1e-9, 0.01, 0.05, 0.5, 0.95, 0.99, 1 - 1e-9} {
		m := newMixture(p)
		for _, truth := range []float64{p, p * 0.9} {
			mean := truth*m.evidence(1, 1) + (1-truth)*m.evidence(0, 1)
			if mean > 1+1e-9 || truth == p && mean < 1-1e-9 {
				t.Errorf("chance %v, bets against %v: expected evidence %v after one value", truth, p, mean)
			}
		}
		for _, n := range []int{10, 1000, 100000} {
			if e := m.evidence(n/2, n); math.IsNaN(e) {
				t.Errorf("p %v: evidence of %d hits of %d is NaN", p, n/2, n)
			}
		}
	}
}

// TestRulesRise holds what the searches and the doc of tailRule rely on.
func TestRulesRise(t *testing.T) {
	for _, rule := range []tailRule{fixedRule, sequentialRule} {
		for _, p := range []float64{0.05, 0.5, 0.95} {
			for n, last := 1, 0; n <= 200; n++ {
				c := rule.count(n, p, 0.05)
				if c < last || c < 1 || c > n+1 {
					t.Fatalf("p %v: count %d at n %d after %d", p, c, n, last)
				}
				last = c
			}
		}
	}
}
