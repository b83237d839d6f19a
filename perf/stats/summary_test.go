package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestSummarize(t *testing.T) {
	// Six values give [min, max] at 1 - 2/64, the first interval there is at 0.95.
	six := Summarize(perf.Sample{6, 1, 5, 2, 4, 3}, 0.95)
	if !six.HasInterval || six.Lo != 1 || six.Hi != 6 || math.Abs(six.Confidence-0.96875) > 1e-12 || six.Needed != 0 {
		t.Errorf("six values: %+v, want 1 to 6 at 0.96875", six)
	}
	if six.N != 6 || six.Center != 3.5 || six.Min != 1 || six.Max != 6 || six.MAD != 1.5 {
		t.Errorf("six values: %+v", six)
	}
	// Ten give [x2, x9] at 1 - 2*11/1024.
	ten := Summarize(perf.Sample{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0.95)
	if ten.Lo != 2 || ten.Hi != 9 || math.Abs(ten.Confidence-(1-22.0/1024)) > 1e-12 {
		t.Errorf("ten values: %v to %v at %v, want 2 to 9 at 0.9785", ten.Lo, ten.Hi, ten.Confidence)
	}
	for n := range 6 {
		if few := Summarize(make(perf.Sample, n), 0.95); few.HasInterval || few.Needed != 6 || few.Confidence != 0 {
			t.Errorf("%d values: %+v, want no interval, and 6 needed", n, few)
		}
	}
	if none := Summarize(nil, 0.95); !math.IsNaN(none.Center) || none.N != 0 {
		t.Errorf("no values: %+v, want a center of NaN", none)
	}
}

func TestSummarizeCoverage(t *testing.T) {
	const trials = 4000
	for i, src := range sources {
		for _, n := range []int{6, 20, 59} {
			r, truth, missed := seeded(uint64(40+i)), src.quantile(0.5), 0
			level := 0.0
			for range trials {
				s := Summarize(draw(r, n, src.draw), 0.95)
				missed += count(truth < s.Lo || truth > s.Hi)
				level = s.Confidence
			}
			share := float64(missed) / trials
			if !within(share, 1-level, trials) {
				t.Errorf("%s, n %d: misses %.4f at a confidence of %.4f", src.name, n, share, level)
			}
			if i < 2 && !within(1-level, share+0.002, trials) {
				t.Errorf("%s, n %d: misses %.4f, less than the %.4f it claims", src.name, n, share, 1-level)
			}
		}
	}
}

func TestOutliers(t *testing.T) {
	for _, c := range []struct {
		s    perf.Sample
		want []int
	}{
		{nil, nil},
		{perf.Sample{5}, nil},
		{perf.Sample{5, 5, 5, 5}, nil},
		{perf.Sample{9.9, 10, 10.1, 30, 10, 10.2, 9.8, 1}, []int{3, 7}},
		// More than half are equal, so that the MAD is zero.
		{perf.Sample{2, 2, 2, 2, 2, 2, 9, 2, 2, 2}, []int{6}},
		{perf.Sample{2, 3, 2, 3, 2, 2, 3}, nil},
		{perf.Sample{1, math.NaN(), 900, 1, 1}, nil},
	} {
		if got := Outliers(c.s); !slices.Equal(got, c.want) {
			t.Errorf("Outliers(%v) = %v, want %v", c.s, got, c.want)
		}
	}
}

// TestDriftExact compares with all permutations of up to seven values.
func TestDriftExact(t *testing.T) {
	for n := 2; n <= 7; n++ {
		var scores []int
		permute(n, func(order []float64) { scores = append(scores, slowScore(order)) })
		permute(n, func(order []float64) {
			score, extreme := slowScore(order), 0
			for _, other := range scores {
				if max(other, -other) >= max(score, -score) {
					extreme++
				}
			}
			wantTau := float64(score) / float64(n*(n-1)/2)
			wantP := float64(extreme) / float64(len(scores))
			if tau, p := Drift(order); math.Abs(tau-wantTau) > 1e-12 || math.Abs(p-wantP) > 1e-9 {
				t.Fatalf("Drift(%v) = %v, %v, want %v, %v", order, tau, p, wantTau, wantP)
			}
		})
	}
}

// slowScore is rising pairs less falling ones.
func slowScore(s []float64) int {
	score := 0
	for i := range s {
		for j := range i {
			score += count(s[j] < s[i]) - count(s[j] > s[i])
		}
	}
	return score
}

// permute calls f with every order of 0 to n-1.
func permute(n int, f func([]float64)) {
	order := make([]float64, n)
	var place func(i int)
	place = func(i int) {
		if i == n {
			f(order)
			return
		}
		for pos := range n {
			if order[pos] == 0 {
				order[pos] = float64(i + 1)
				place(i + 1)
				order[pos] = 0
			}
		}
	}
	place(0)
}

func TestDrift(t *testing.T) {
	r := seeded(50)
	// tau-b with ties, against the definition.
	for range 100 {
		s := draw(r, 1+r.IntN(60), func(r *rand.Rand) float64 { return float64(r.IntN(8)) })
		ties := 0
		for i := range s {
			for j := range i {
				ties += count(s[i] == s[j])
			}
		}
		pairs := len(s) * (len(s) - 1) / 2
		want := 0.0
		if pairs > ties {
			want = float64(slowScore(s)) / math.Sqrt(float64(pairs)*float64(pairs-ties))
		}
		if tau, _ := Drift(s); math.Abs(tau-want) > 1e-12 {
			t.Fatalf("tau of %v = %v, want %v", s, tau, want)
		}
	}
	for _, constant := range []perf.Sample{nil, {1}, {1, 1, 1, 1}, {math.NaN(), 1}} {
		if tau, p := Drift(constant); tau != 0 || p != 1 {
			t.Errorf("Drift(%v) = %v, %v, want 0, 1", constant, tau, p)
		}
	}
}

// TestDriftLevel counts false alarms among samples without a trend, ties or not.
func TestDriftLevel(t *testing.T) {
	const trials = 3000
	for i, src := range sources[:3] {
		for _, n := range []int{8, 30, 100} {
			r, alarms := seeded(uint64(60+i)), 0
			for range trials {
				_, p := Drift(draw(r, n, src.draw))
				alarms += count(p < 0.05)
			}
			if share := float64(alarms) / trials; !within(share, 0.05, trials) || share < 0.02 {
				t.Errorf("%s, n %d: p below 0.05 in %.3f of samples without a trend", src.name, n, share)
			}
		}
	}
}
