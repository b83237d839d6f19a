package profiler

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

// TestPeriods samples many runs on paper: each moment of them weighs the same, but for the
// first ones, which nothing meets.
func TestPeriods(t *testing.T) {
	const runs, life, parts = 200_000, 6_000_000, 24 // nanoseconds; of a quarter of a millisecond
	p := newPeriods(1000, math.MaxInt, 7)
	var met [parts]float64
	samples := 0
	for range runs {
		period := p.next()
		for k := uint64(1); k*period < life; k++ {
			met[k*period*parts/life] += float64(p.weight(k, period)) / runs
			samples++
		}
	}
	want := float64(life / parts)
	for i, got := range met {
		whole := want
		if i == 0 {
			whole -= p.least
		}
		if math.Abs(got/whole-1) > 0.03 {
			t.Errorf("part %d weighs %.0f ns, and takes %.0f", i, got, whole)
		}
	}
	if each := float64(samples) / runs; each < 6 || each > 18 {
		t.Errorf("%.1f samples a run; at the usual period there are 6", each)
	}
	if a, b := newPeriods(1000, math.MaxInt, 7).next(), newPeriods(1000, math.MaxInt, 7).next(); a != b {
		t.Errorf("one seed gives %d and %d", a, b)
	}
	if p := newPeriods(1000, 5000, 7); p.least < 200_000 {
		t.Errorf("periods from %.0f ns, where the kernel allows 5,000 samples a second", p.least)
	}
}

// TestHarmonic holds the short way against the sum.
func TestHarmonic(t *testing.T) {
	sum := 0.0
	for n := 1.0; n < 200; n++ {
		sum += 1 / n
		if got := harmonic(n); math.Abs(got-sum) > 1e-7 {
			t.Fatalf("1 + … + 1/%v = %v, want %v", n, got, sum)
		}
	}
	if harmonic(0) != 0 {
		t.Error("the sum of nothing is not 0")
	}
}

// TestShortRuns records threads of little more than a millisecond in many runs. They spend as
// long in one function as in the next, but one period for all meets the second alone, each
// time at the same moment.
func TestShortRuns(t *testing.T) {
	needsEvents(t)
	o := options(t)
	o.Repeat, o.Seed, o.Via = 150, 7, ViaEvents
	const phase = 600 // microseconds
	r, err := CPU(t.Context(), Command{Args: []string{burn(t), "phases", strconv.Itoa(phase)}}, o)
	if err != nil {
		t.Fatal(err)
	}
	wantWhole(t, r)
	first, second := cum(r.Profile, "first"), cum(r.Profile, "second")
	// The begin of the first is in no sample; and where the thread has to leave its CPU, it begins
	// again on the next one.
	if share := first / (first + second); !(share > 0.34 && share < 0.64) {
		t.Errorf("the first of two equal phases has %.2f of both", share)
	}
	if !strings.Contains(strings.Join(r.Notes, "\n"), "150 runs was sampled at a period of its own, from 100µs to 2ms (seed 7)") {
		t.Errorf("the notes say nothing of it: %q", r.Notes)
	}
}
