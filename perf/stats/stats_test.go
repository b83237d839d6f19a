package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// source is a distribution to draw from, with its true quantile function. below and
// upTo are the chances of a value below v, and of one at most v; with ties they
// differ, and both matter.
type source struct {
	name     string
	draw     func(r *rand.Rand) float64
	quantile func(q float64) float64
}

// sources are the shapes that run times take: symmetric, spiky, tied.
var sources = []source{
	{"normal", func(r *rand.Rand) float64 { return 10 + r.NormFloat64() },
		func(q float64) float64 { return 10 + math.Sqrt2*math.Erfinv(2*q-1) }},
	{"pareto", func(r *rand.Rand) float64 { return math.Pow(1-r.Float64(), -1/1.1) },
		func(q float64) float64 { return math.Pow(1-q, -1/1.1) }},
	{"coarse clock", func(r *rand.Rand) float64 { return math.Floor(5 * r.ExpFloat64()) },
		func(q float64) float64 { return math.Floor(-5 * math.Log1p(-q)) }},
	{"two values", func(r *rand.Rand) float64 { return float64(r.IntN(10) / 7) },
		func(q float64) float64 {
			if q <= 0.7 {
				return 0
			}
			return 1
		}},
}

func draw(r *rand.Rand, n int, one func(*rand.Rand) float64) perf.Sample {
	s := make(perf.Sample, n)
	for i := range s {
		s[i] = one(r)
	}
	return s
}

// seeded gives every test its own fixed stream.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5eed)) }

// within reports whether a share seen in trials can be one of at most limit: three
// standard errors of leeway, which a correct rule passes about once in a thousand
// seeds, and the seeds are fixed.
func within(share, limit float64, trials int) bool {
	return share <= limit+3*math.Sqrt(limit*(1-limit)/float64(trials))
}

func TestQuantile(t *testing.T) {
	s := perf.Sample{4, 1, 3, 2}
	// R: quantile(c(4, 1, 3, 2), c(0, .1, .25, .5, .95, 1), type = 7)
	for q, want := range map[float64]float64{0: 1, 0.1: 1.3, 0.25: 1.75, 0.5: 2.5, 0.95: 3.85, 1: 4} {
		if got := Quantile(s, q); math.Abs(got-want) > 1e-12 {
			t.Errorf("Quantile(%v, %v) = %v, want %v", s, q, got, want)
		}
	}
	if got := Median(perf.Sample{7}); got != 7 {
		t.Errorf("median of one value = %v, want 7", got)
	}
	for _, bad := range []perf.Sample{nil, {1, math.NaN()}, {1, math.Inf(1)}} {
		if got := Median(bad); !math.IsNaN(got) {
			t.Errorf("Median(%v) = %v, want NaN", bad, got)
		}
	}
	for _, q := range []float64{-0.1, 1.1, math.NaN()} {
		if got := Quantile(s, q); !math.IsNaN(got) {
			t.Errorf("Quantile at %v = %v, want NaN", q, got)
		}
	}
	huge := perf.Sample{-math.MaxFloat64, math.MaxFloat64}
	if got := Median(huge); got != 0 {
		t.Errorf("Median(%v) = %v, want 0", huge, got)
	}
}

func TestMedianAbsoluteDeviation(t *testing.T) {
	r := seeded(1)
	for n := 1; n < 40; n++ {
		s := draw(r, n, func(r *rand.Rand) float64 { return float64(r.IntN(20)) })
		sorted, _ := sortedCopy(s)
		center := Median(s)
		distances := make(perf.Sample, n)
		for i, v := range s {
			distances[i] = math.Abs(v - center)
		}
		if got, want := medianAbsoluteDeviation(sorted, center), Median(distances); got != want {
			t.Fatalf("MAD of %v = %v, want %v", s, got, want)
		}
	}
}

// callAll calls everything that takes samples, for the properties that all of it
// shares.
func callAll(s, other perf.Sample, q, confidence float64) {
	Quantile(s, q)
	Summarize(s, confidence)
	Outliers(s)
	Drift(s)
	for _, better := range []perf.Better{perf.Lower, perf.Higher} {
		l := Limits{Quantile: q, Confidence: confidence, Target: 1, Critical: 1, Better: better, Unit: perf.Second}
		Judge(l, s, FixedBounds(s, q, confidence))
		Judge(l, s, SequentialBounds(s, q, confidence))
		JudgeOneShot(l, s)
		JudgeMemory(l, s, other)
		m := perf.Metric{Name: "m", Unit: perf.Second, Better: better}
		CompareUnpaired(s, other, m, 1-confidence, 0.1)
		CompareExact(s, other, m)
		ComparePaired(s, other, m, PairedOptions{Alpha: 1 - confidence, MinEffect: q})
	}
	EBH(s, 1-confidence)
}

func TestCallersSliceUntouched(t *testing.T) {
	r := seeded(2)
	for range 50 {
		s := draw(r, r.IntN(40), sources[0].draw)
		other := draw(r, r.IntN(40), sources[2].draw)
		wantS, wantOther := slices.Clone(s), slices.Clone(other)
		callAll(s, other, 0.5, 0.95)
		if !slices.Equal(s, wantS) || !slices.Equal(other, wantOther) {
			t.Fatalf("a function changed its argument: %v, was %v; %v, was %v", s, wantS, other, wantOther)
		}
	}
	s := perf.Sample{2, 1}
	c := CompareUnpaired(s, s, perf.Wall, 0.01, 0.1)
	c.Old.Samples[0] = 9
	if s[0] != 2 {
		t.Error("a comparison shares its samples with the caller")
	}
}

// FuzzNoPanic looks for a panic, and holds what must be true of any answer.
func FuzzNoPanic(f *testing.F) {
	f.Add([]byte{}, []byte{}, 0.5, 0.95)
	f.Add([]byte{1}, []byte{1, 1}, 0.95, 0.95)
	f.Add([]byte{0, 0, 0, 0, 0, 0}, []byte{5, 4, 3, 2, 1, 0, 9, 9}, 0.99, 0.5)
	f.Add([]byte{250, 251, 252, 253, 254, 255}, []byte{250, 251}, 1e-17, 1e-300)
	f.Add([]byte{3, 1, 4, 1, 5, 9, 2, 6}, []byte{254, 7}, 0.9999999999999999, 0.9999999999999999)
	f.Fuzz(func(t *testing.T, a, b []byte, q, confidence float64) {
		s, other := decodeFuzz(a), decodeFuzz(b)
		callAll(s, other, q, confidence)
		for _, bounds := range []Bounds{FixedBounds(s, q, confidence), SequentialBounds(s, q, confidence)} {
			if bounds.HasLow && !(bounds.Low <= bounds.Estimate) || bounds.HasHigh && !(bounds.Estimate <= bounds.High) {
				t.Errorf("estimate %v outside its bounds %+v for %v at %v", bounds.Estimate, bounds, s, q)
			}
			l := Limits{Quantile: q, Confidence: confidence, Target: 1, Critical: 2, Unit: perf.Second}
			if j := Judge(l, s, bounds); j.State != perf.Met && j.Reason == "" {
				t.Errorf("%s without a reason for %v", j.State, s)
			}
		}
		shorter := min(len(s), len(other))
		for _, c := range []perf.Comparison{
			CompareUnpaired(s, other, perf.Wall, 0.01, 0.1),
			CompareExact(s, other, perf.Wall),
			ComparePaired(s, other, perf.Wall, PairedOptions{}),
			ComparePaired(s[:shorter], other[:shorter], perf.Wall, PairedOptions{}),
			ComparePaired(s[:shorter], other[:shorter], perf.Wall, PairedOptions{Alpha: 0.5}),
		} {
			checkComparison(t, c)
		}
	})
}

// checkComparison holds what is true of every comparison, whatever it compares.
func checkComparison(t *testing.T, c perf.Comparison) {
	t.Helper()
	for name, v := range map[string]*float64{"ratio": c.Ratio, "low": c.Low, "high": c.High, "evidence": c.Evidence} {
		if v != nil && (!isFinite(*v) || *v < 0) {
			t.Errorf("%s is %v for %v and %v", name, *v, c.Old.Samples, c.New.Samples)
		}
	}
	if c.Low != nil && !(*c.Low <= *c.Ratio) || c.High != nil && !(*c.Ratio <= *c.High) {
		t.Errorf("ratio %v outside of its interval for %v and %v", *c.Ratio, c.Old.Samples, c.New.Samples)
	}
	if (c.Verdict == perf.VerdictUnsure || c.Verdict == perf.Invalid) && c.Reason == "" {
		t.Errorf("%s without a reason", c.Verdict)
	}
}

// decodeFuzz makes small numbers with many ties, and the extremes, out of bytes.
func decodeFuzz(data []byte) perf.Sample {
	extremes := []float64{math.Inf(1), math.NaN(), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, -1}
	data = data[:min(len(data), 40)] // long samples take time and find nothing more
	s := make(perf.Sample, len(data))
	for i, b := range data {
		if k := 255 - int(b); k < len(extremes) {
			s[i] = extremes[k]
		} else {
			s[i] = float64(b) / 16
		}
	}
	return s
}
