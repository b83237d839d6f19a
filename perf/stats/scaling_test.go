package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// scalingLevels are those that containers are measured at by default.
var scalingLevels = []int{1, 2, 4, 8, 16, 32, 64, 100}

// simulateLoads draws a session from a law, with a relative noise for each level.
func simulateLoads(r *rand.Rand, lambda, sigma, kappa float64, levels []int, visits int, noise func(n int) float64) []Load {
	var loads []Load
	for _, n := range levels {
		l := Load{Parallel: n}
		for range visits {
			x := lambda * float64(n) / slowing(float64(n), sigma, kappa)
			l.Throughput = append(l.Throughput, x*math.Exp(noise(n)*r.NormFloat64()))
		}
		loads = append(loads, l)
	}
	return loads
}

func silent(int) float64 { return 0 }

// near reports whether two numbers agree to a relative tolerance, or both are tiny.
func near(a, b, tolerance float64) bool {
	return a == b || math.Abs(a-b) <= tolerance*max(math.Abs(a), math.Abs(b)) || math.Abs(a-b) < 1e-7
}

// Without noise the law is found again, whatever its shape.
func TestFitScalingExact(t *testing.T) {
	for name, law := range map[string]struct{ lambda, sigma, kappa, best float64 }{
		"linear":      {3, 0, 0, math.Inf(1)},
		"constant":    {7, 1, 0, math.Inf(1)},
		"saturating":  {5, 0.5, 0, math.Inf(1)},
		"retrograde":  {5, 0.1, 0.002, math.Sqrt(0.9 / 0.002)},
		"steep":       {200, 0.02, 0.3, math.Sqrt(0.98 / 0.3)},
		"falls early": {4, 0.4, 2, 1},
		"coherency":   {1e-3, 0, 0.0004, 50},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := FitScaling(simulateLoads(rand.New(rand.NewPCG(1, 1)), law.lambda, law.sigma, law.kappa, scalingLevels, 3, silent), 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if !near(s.Lambda, law.lambda, 1e-4) || !near(s.Contention.Estimate, law.sigma, 1e-3) || !near(s.Coherency.Estimate, law.kappa, 1e-3) {
				t.Errorf("the law of %+v is fitted as λ %v, σ %v, κ %v", law, s.Lambda, s.Contention, s.Coherency)
			}
			// Without noise a κ of 0 and one of a billionth are the same.
			if !near(s.Best.Estimate, law.best, 1e-3) && !(math.IsInf(law.best, 1) && s.Best.Estimate > 1e3) {
				t.Errorf("best at %v, want %v", s.Best, law.best)
			}
			if s.Misfit > 1e-4 || s.Levels != len(scalingLevels) || s.N != 3*len(scalingLevels) {
				t.Errorf("misfit %v of %d levels, %d values", s.Misfit, s.Levels, s.N)
			}
			if x := s.At(16); !near(x, law.lambda*16/slowing(16, law.sigma, law.kappa), 1e-4) {
				t.Errorf("at 16 in parallel: %v", x)
			}
		})
	}
}

// Over many simulated sessions the intervals hold the truth about as often as they say.
func TestFitScalingCoverage(t *testing.T) {
	alike := func(int) float64 { return 0.05 }
	// The small levels are noisier, as they are on a shared machine.
	uneven := func(n int) float64 { return 0.08 / (1 + 3*math.Log(float64(n))/math.Log(100)) }
	for name, c := range map[string]struct {
		sigma, kappa float64
		levels       []int
		visits       int
		noise        func(int) float64
		bestIs       float64
	}{
		"saturates":      {0.5, 0, scalingLevels, 6, alike, math.Inf(1)},
		"falls":          {0.3, 0.002, scalingLevels, 6, alike, math.Sqrt(0.7 / 0.002)},
		"uneven noise":   {0.3, 0.002, scalingLevels, 6, uneven, math.Sqrt(0.7 / 0.002)},
		"four levels":    {0.2, 0.01, []int{1, 4, 16, 64}, 3, alike, math.Sqrt(0.8 / 0.01)},
		"one visit each": {0.3, 0.002, scalingLevels, 1, alike, math.Sqrt(0.7 / 0.002)},
		"nearly linear":  {0, 0.0001, scalingLevels, 6, alike, 100},
	} {
		t.Run(name, func(t *testing.T) {
			const sessions = 120
			r := rand.New(rand.NewPCG(42, 7))
			var sigma, kappa, best int
			for range sessions {
				s, err := FitScaling(simulateLoads(r, 5, c.sigma, c.kappa, c.levels, c.visits, c.noise), 0.95)
				if err != nil {
					t.Fatal(err)
				}
				sigma += holds(t, s.Contention, c.sigma)
				kappa += holds(t, s.Coherency, c.kappa)
				best += holds(t, s.Best, c.bestIs)
			}
			t.Logf("of %d: contention %d, coherency %d, best %d", sessions, sigma, kappa, best)
			// 107 of 120 is three standard deviations below 95 %. Where the noise of one level
			// is four times that of another, the documentation promises less.
			atLeast := 107
			if name == "uneven noise" {
				atLeast = 100
			}
			for parameter, n := range map[string]int{"contention": sigma, "coherency": kappa, "the best level": best} {
				if n < atLeast {
					t.Errorf("the interval of %s holds the truth in %d of %d sessions", parameter, n, sessions)
				}
			}
		})
	}
}

// holds is 1 where the interval has the truth in it, and fails the test where it makes no
// sense.
func holds(t *testing.T, i Interval, truth float64) int {
	t.Helper()
	if !i.HasBounds || !(i.Low <= i.Estimate && i.Estimate <= i.High) {
		t.Fatalf("the interval %+v makes no sense", i)
	}
	const rounding = 1e-9
	if i.Low-rounding <= truth && truth <= i.High+rounding {
		return 1
	}
	return 0
}

// Intervals that hold the truth could be of any width. They get narrower with more
// visits, by the square root of them.
func TestFitScalingNarrows(t *testing.T) {
	width := func(visits int) float64 {
		r, sum := rand.New(rand.NewPCG(3, 9)), 0.0
		for range 40 {
			s, err := FitScaling(simulateLoads(r, 5, 0.3, 0.002, scalingLevels, visits, func(int) float64 { return 0.05 }), 0.95)
			if err != nil {
				t.Fatal(err)
			}
			sum += s.Contention.High - s.Contention.Low
		}
		return sum / 40
	}
	few, many := width(4), width(36)
	if few > 0.15 || many > few/2 || many < few/6 {
		t.Errorf("the interval of σ = 0.3 is %v wide with 4 visits, and %v with 36", few, many)
	}
}

// What the law gets wrong widens the intervals: a step is no such law.
func TestFitScalingMisfit(t *testing.T) {
	var smooth, step []Load
	r := rand.New(rand.NewPCG(5, 5))
	for _, l := range simulateLoads(r, 5, 0.5, 0, scalingLevels, 6, func(int) float64 { return 0.01 }) {
		smooth = append(smooth, l)
		bent := Load{Parallel: l.Parallel}
		for _, v := range l.Throughput {
			if l.Parallel >= 8 {
				v *= 1.5
			}
			bent.Throughput = append(bent.Throughput, v)
		}
		step = append(step, bent)
	}
	a, err := FitScaling(smooth, 0.95)
	b, err2 := FitScaling(step, 0.95)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if a.Misfit > 0.03 || b.Misfit < 0.05 {
		t.Errorf("misfit %v where the law holds, and %v where it does not", a.Misfit, b.Misfit)
	}
	if wide, narrow := b.Contention.High-b.Contention.Low, a.Contention.High-a.Contention.Low; wide < 3*narrow {
		t.Errorf("the interval is %v wide where the law holds, and %v where it does not", narrow, wide)
	}
}

func TestFitScalingBounds(t *testing.T) {
	three := simulateLoads(rand.New(rand.NewPCG(1, 2)), 5, 0.2, 0.01, []int{1, 8, 64}, 1, func(int) float64 { return 0.1 })
	s, err := FitScaling(three, 0.95)
	if err != nil || s.Contention.HasBounds || s.Coherency.HasBounds || s.Best.HasBounds {
		t.Errorf("three values for three parameters: %+v, %v", s, err)
	}
	flat := []Load{{1, perf.Sample{5, 5.1, 4.9}}, {4, perf.Sample{5, 4.95, 5.05}}, {16, perf.Sample{5.02, 5, 4.97}}, {64, perf.Sample{4.98, 5, 5.03}}}
	s, err = FitScaling(flat, 0.95)
	if err != nil || s.Contention.Low < 0.9 || s.Coherency.Low != 0 || s.Coherency.High > 0.01 {
		t.Errorf("where nothing grows: %+v, %v", s, err)
	}
	// The order of the levels and how their values are spread over loads do not matter.
	mixed := []Load{flat[3], {1, perf.Sample{4.9}}, flat[1], flat[2], {1, perf.Sample{5, 5.1}}}
	again, err := FitScaling(mixed, 0.95)
	if err != nil || !near(again.Contention.Estimate, s.Contention.Estimate, 1e-6) || again.N != s.N {
		t.Errorf("the same values in another order: %+v, %v", again, err)
	}
}

func TestFitScalingRefuses(t *testing.T) {
	ok := perf.Sample{1, 2}
	for name, c := range map[string]struct {
		loads []Load
		is    error
	}{
		"nothing":      {nil, ErrFewLevels},
		"one level":    {[]Load{{4, ok}}, ErrFewLevels},
		"two levels":   {[]Load{{1, ok}, {2, ok}, {1, ok}}, ErrFewLevels},
		"empty levels": {[]Load{{1, ok}, {2, ok}, {4, nil}}, ErrFewLevels},
		"zero":         {[]Load{{1, ok}, {2, perf.Sample{0}}, {4, ok}}, ErrNoLoad},
		"negative":     {[]Load{{1, ok}, {2, perf.Sample{-1}}, {4, ok}}, ErrNoLoad},
		"not a number": {[]Load{{1, perf.Sample{math.NaN()}}, {2, ok}, {4, ok}}, ErrNoLoad},
		"infinite":     {[]Load{{1, perf.Sample{math.Inf(1)}}, {2, ok}, {4, ok}}, ErrNoLoad},
		"level zero":   {[]Load{{0, ok}, {2, ok}, {4, ok}}, ErrNoLoad},
	} {
		if s, err := FitScaling(c.loads, 0.95); !errors.Is(err, c.is) || s != (Scaling{}) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// Student's quantiles as tables have them.
func TestStudentQuantile(t *testing.T) {
	for _, c := range []struct {
		freedom int
		p, want float64
	}{{1, 0.975, 12.7062}, {2, 0.975, 4.30265}, {5, 0.975, 2.57058}, {10, 0.95, 1.81246}, {45, 0.975, 2.01410}, {1000, 0.975, 1.96234}} {
		if got := studentQuantile(c.freedom, c.p); math.Abs(got-c.want) > 1e-4 {
			t.Errorf("%v of %d degrees of freedom: %v, want %v", c.p, c.freedom, got, c.want)
		}
	}
}

func FuzzFitScaling(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, 4.0, uint8(2), uint8(9))
	f.Add(1e-300, 1e300, 5.0, 5.0, uint8(1), uint8(200))
	f.Fuzz(func(t *testing.T, a, b, c, d float64, n, m uint8) {
		s, err := FitScaling([]Load{{1, perf.Sample{a, b}}, {int(n) + 2, perf.Sample{c}}, {int(n) + int(m) + 3, perf.Sample{d}}, {600, perf.Sample{a}}}, 0.95)
		if err != nil {
			return
		}
		if !isFinite(s.Contention.Estimate) || s.Contention.Estimate < 0 || s.Contention.Estimate > 1 || s.Coherency.Estimate < 0 || math.IsNaN(s.Best.Estimate) {
			t.Fatalf("%+v", s)
		}
		holds(t, s.Contention, 0)
		holds(t, s.Coherency, 0)
		holds(t, s.Best, 1)
	})
}

func BenchmarkFitScaling(b *testing.B) {
	loads := simulateLoads(rand.New(rand.NewPCG(1, 1)), 5, 0.3, 0.002, scalingLevels, 6, func(int) float64 { return 0.05 })
	for b.Loop() {
		if _, err := FitScaling(loads, 0.95); err != nil {
			b.Fatal(err)
		}
	}
}
