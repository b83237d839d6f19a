package stats

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// TestBetsAreFair checks the property that everything rests on: for any size of the
// difference and any scale, the two signs of it multiply each component by factors
// that are 1 on average, and by more the larger the difference is.
func TestBetsAreFair(t *testing.T) {
	r := seeded(40)
	for range 2000 {
		x := math.Exp(3 * r.NormFloat64())
		by := scale{limit: float64(r.IntN(2)) * math.Exp(3*r.NormFloat64()), middle: float64(r.IntN(2)) * math.Exp(3*r.NormFloat64())}
		up, down, more := newWager(), newWager(), newWager()
		start := up
		up.bet(x, by)
		down.bet(-x, by)
		more.bet(x*1.1, by)
		for k := range start.stake {
			if mean := (up.stake[k] + down.stake[k]) / 2 / start.stake[k]; math.Abs(mean-1) > 1e-12 {
				t.Fatalf("x %v, scale %+v, component %d: mean factor %v, want 1", x, by, k, mean)
			}
			if more.stake[k] < up.stake[k] {
				t.Fatalf("x %v, scale %+v, component %d: a larger difference wins less", x, by, k)
			}
		}
	}
	w := newWager()
	w.bet(0, scale{1, 1})
	if w != newWager() {
		t.Error("a tie moved the stakes")
	}
}

// TestTie: what a tie leaves of the stakes is the mean over the falls of a coin that
// decides it.
func TestTie(t *testing.T) {
	by := scale{limit: 1, middle: 1}
	const ties = 3
	var mean [components]float64
	for falls := range 1 << ties {
		w := newWager()
		w.bet(0.5, by)
		for i := range ties {
			for k := range lambdas {
				if falls>>i&1 == 1 {
					w.stake[k] *= signFactor[k]
				} else {
					w.stake[k] *= signLoss[k]
				}
			}
		}
		w.bet(-0.25, by)
		for k, s := range w.stake {
			mean[k] += s / (1 << ties)
		}
	}
	w := newWager()
	for _, x := range []float64{0.5, 0, 0, 0, -0.25} {
		w.bet(x, by)
	}
	for k, s := range w.stake {
		if math.Abs(mean[k]-s) > 1e-12*s {
			t.Errorf("component %d: %v, want the coins' mean %v", k, s, mean[k])
		}
	}
}

// TestPairedExact plays all 2^14 orders that the coins of 14 pairs can give, so that it
// computes and does not estimate: whatever the sizes of the differences are, the
// evidence is 1 on average, and ever reaches 1/alpha in at most alpha of the orders. A
// limit of the score that knew the sign of its own pair would show here.
func TestPairedExact(t *testing.T) {
	const pairs, a = 14, 0.05
	for name, size := range map[string]func(i int) float64{
		"equal":   func(int) float64 { return 0.01 },
		"growing": func(i int) float64 { return 0.001 * math.Exp(float64(i)/2) },
		"regimes": func(i int) float64 { return []float64{0.001, 0.25}[i/4%2] * (1 + float64(i%3)) },
		"ties":    func(i int) float64 { return 0.01 * float64(i%3) },
	} {
		mean, reached := 0.0, 0
		for order := range 1 << pairs {
			p, err := NewPaired(PairedOptions{Alpha: a})
			if err != nil {
				t.Fatal(err)
			}
			for i := range pairs {
				d := size(i)
				if order>>i&1 == 1 {
					d = -d
				}
				if err := p.Add(1, math.Exp(d)); err != nil {
					t.Fatal(err)
				}
			}
			mean += math.Exp(p.above.log()) / (1 << pairs)
			reached += count(p.rejected(&p.above, 0.5) || p.rejected(&p.below, 0.5))
		}
		if math.Abs(mean-1) > 1e-9 {
			t.Errorf("%s: the evidence is %v on average, want 1", name, mean)
		}
		share := float64(reached) / (1 << pairs)
		t.Logf("%s: %.4f of all orders reach 1/alpha", name, share)
		if share > a || share == 0 && name != "ties" {
			t.Errorf("%s: %.4f of all orders reach 1/alpha, want at most %v and more than none", name, share, a)
		}
	}
}

// TestWagerLongRun holds the evidence against one in arbitrary precision over more
// pairs than a float64 has room for, up and then down again.
func TestWagerLongRun(t *testing.T) {
	w := newWager()
	exact := make([]*big.Float, components)
	for k := range exact {
		exact[k] = big.NewFloat(w.stake[k]).SetPrec(200)
	}
	sum := func() float64 {
		total := new(big.Float).SetPrec(200)
		for _, e := range exact {
			total.Add(total, e)
		}
		mantissa := new(big.Float)
		exp := total.MantExp(mantissa)
		m, _ := mantissa.Float64()
		return math.Log(m) + float64(exp)*math.Ln2
	}
	peak := 0.0
	for i := range 4000 {
		x := 1.0
		if i > 3000 {
			x = -1
		}
		one := newWager()
		before := one.stake
		one.bet(x, scale{})
		for k := range exact {
			exact[k].Mul(exact[k], big.NewFloat(one.stake[k]/before[k]))
		}
		w.bet(x, scale{})
		peak = max(peak, sum())
		if i%100 != 0 {
			continue
		}
		// What is less than 2^-800 of the rest is given up, so that the evidence may be too
		// small once it falls from such a height, and never too large.
		switch got, want := w.log(), sum(); {
		case got > want+1e-6, i <= 3000 && got < want-1e-6:
			t.Fatalf("pair %d: logarithm of the evidence %v, want %v", i, got, want)
		}
	}
	if math.Abs(w.peak()-peak) > 1e-6 {
		t.Errorf("peak %v, want %v", w.peak(), peak)
	}
}

// TestWindow checks the running spread and median against a sort of the last values.
func TestWindow(t *testing.T) {
	r, w := seeded(41), window{}
	var all perf.Sample
	for i := range 500 {
		last := all[max(0, len(all)-windowSize):]
		spread, middle := 0.0, 0.0
		if len(last) > 1 {
			spread = (Quantile(last, 0.9) - Quantile(last, 0.1)) / 2
		}
		if len(last) > 0 {
			middle = Median(last)
		}
		if math.Abs(w.spread()-spread) > 1e-12 || w.middle() != middle {
			t.Fatalf("after %d values: spread %v and median %v, want %v and %v", i, w.spread(), w.middle(), spread, middle)
		}
		v := math.Floor(10 * r.NormFloat64()) // with ties
		all = append(all, v)
		w.add(v)
	}
}

func TestHodgesLehmann(t *testing.T) {
	r := seeded(42)
	for n := 1; n < 60; n++ {
		s := draw(r, n, func(r *rand.Rand) float64 { return math.Floor(20*r.NormFloat64()) / 8 })
		var means perf.Sample
		for i := range s {
			for j := i; j < n; j++ {
				means = append(means, (s[i]+s[j])/2)
			}
		}
		if got, want := hodgesLehmann(s), Median(means); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%v: %v, want %v", s, got, want)
		}
	}
	if !math.IsNaN(hodgesLehmann(nil)) {
		t.Error("no values have an estimate")
	}
}

// pairsOf makes a comparison of n pairs with noise of sd and the effect.
func pairsOf(t *testing.T, seed uint64, n int, sd, effect float64, o PairedOptions) *Paired {
	t.Helper()
	p, err := NewPaired(o)
	if err != nil {
		t.Fatal(err)
	}
	r := seeded(seed)
	for range n {
		if err := p.Add(math.Exp(sd*r.NormFloat64()), (1+effect)*math.Exp(sd*r.NormFloat64())); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestPairedVerdicts(t *testing.T) {
	higher := PairedOptions{Better: perf.Higher}
	for _, c := range []struct {
		name   string
		n      int
		sd     float64
		effect float64
		o      PairedOptions
		want   perf.Verdict
	}{
		{"slower", 30, 0.01, 0.05, PairedOptions{}, perf.Slower},
		{"faster", 30, 0.01, -0.05, PairedOptions{}, perf.Faster},
		{"more throughput", 30, 0.01, 0.05, higher, perf.Faster},
		{"less throughput", 30, 0.01, -0.05, higher, perf.Slower},
		{"no change", 30, 0.01, 0, PairedOptions{}, perf.NoChange},
		{"too few", 5, 0.01, 0.5, PairedOptions{}, perf.VerdictUnsure},
		{"too noisy", 30, 0.5, 0.02, PairedOptions{}, perf.VerdictUnsure},
		{"less than counts", 400, 0.01, 0.01, PairedOptions{}, perf.NoChange},
		{"counts from half a percent", 400, 0.01, 0.01, PairedOptions{MinEffect: 0.005}, perf.Slower},
		{"no pairs", 0, 0, 0, PairedOptions{}, perf.VerdictUnsure},
	} {
		p := pairsOf(t, 50, c.n, c.sd, c.effect, c.o)
		if got := p.Verdict(); got != c.want {
			low, high := p.Interval()
			t.Errorf("%s: %s, want %s (%v, %v to %v, evidence %v)", c.name, got, c.want, p.Estimate(), low, high, p.Evidence())
		}
	}
}

// TestPairedIntervalAgrees holds the interval against the definition: a ratio is
// outside when the evidence against it has reached 2/alpha, and 1 is outside exactly
// where the verdict goes by the evidence.
func TestPairedIntervalAgrees(t *testing.T) {
	for seed := range uint64(60) {
		p := pairsOf(t, seed, 3+int(seed)*2, 0.02, []float64{0, 0.02, -0.02, 0.3}[seed%4], PairedOptions{})
		low, high := p.Interval()
		if excludes := low >= 1 || high <= 1; excludes != (p.rejected(&p.above, 0.5) || p.rejected(&p.below, 0.5)) {
			t.Errorf("seed %d: interval %v to %v and evidence %v disagree", seed, low, high, p.Evidence())
		}
		if est := p.Estimate(); !(low <= est && est <= high) {
			t.Errorf("seed %d: estimate %v outside of %v to %v", seed, est, low, high)
		}
		for _, v := range []float64{low, high} {
			if v == 0 || math.IsInf(v, 1) {
				continue
			}
			for _, step := range []float64{-1e-5, 1e-5} {
				inside := v+step > low && v+step < high
				if got := p.peakAt(math.Log(v + step)); (got < p.enough(0.5)) != inside {
					t.Errorf("seed %d: at %v, beside the end of %v to %v, the evidence is %v", seed, v+step, low, high, math.Exp(got))
				}
			}
		}
	}
}

// peakAt is the peak of the evidence against the ratio exp(theta) in either direction,
// computed as the definition says.
func (p *Paired) peakAt(theta float64) float64 {
	above, below := newWager(), newWager()
	for i, d := range p.diffs {
		above.bet(d-theta, p.scales[i])
		below.bet(theta-d, p.scales[i])
	}
	return max(above.peak(), below.peak())
}

// TestPairedConstant: samples without noise decide by their values, and never by a
// division of nothing by nothing.
func TestPairedConstant(t *testing.T) {
	for _, c := range []struct {
		newer float64
		want  perf.Verdict
	}{{1, perf.NoChange}, {1.001, perf.NoChange}, {1.03, perf.Slower}, {0.5, perf.Faster}, {1e300, perf.Slower}, {1e-300, perf.Faster}} {
		p := pairsOf(t, 1, 0, 0, 0, PairedOptions{})
		for range 15 {
			if err := p.Add(1, c.newer); err != nil {
				t.Fatal(err)
			}
		}
		got := p.Comparison(perf.Wall)
		if got.Verdict != c.want || math.Abs(*got.Ratio-c.newer) > 1e-9*c.newer {
			t.Errorf("1 against %v: %s at %v, want %s", c.newer, got.Verdict, *got.Ratio, c.want)
		}
		if got.Low == nil || got.High == nil || !(*got.Low <= *got.Ratio && *got.Ratio <= *got.High) {
			t.Errorf("1 against %v: ratio %v without an interval around it", c.newer, *got.Ratio)
		}
	}
	p := pairsOf(t, 1, 0, 0, 0, PairedOptions{})
	for range 1000 {
		if err := p.Add(2, 2); err != nil {
			t.Fatal(err)
		}
	}
	if e := p.Evidence(); e > 1 {
		t.Errorf("a thousand ties are evidence of %v for a difference", e)
	}
}

func TestPairedBadInput(t *testing.T) {
	p := pairsOf(t, 3, 4, 0.01, 0, PairedOptions{})
	evidence := p.Evidence()
	for _, bad := range [][2]float64{{0, 1}, {1, 0}, {-1, -1}, {1, math.NaN()}, {math.Inf(1), 1}, {0, 0}} {
		if err := p.Add(bad[0], bad[1]); !errors.Is(err, ErrNoRatio) || !strings.Contains(err.Error(), "pair 5") {
			t.Errorf("Add(%v, %v) = %v, want an error that names pair 5", bad[0], bad[1], err)
		}
	}
	if p.Pairs() != 4 || p.Evidence() != evidence {
		t.Error("a refused pair changed the comparison")
	}
	for _, o := range []PairedOptions{{Alpha: 1}, {Alpha: -1}, {Alpha: math.NaN()}, {MinEffect: 1}, {MinEffect: math.NaN()}, {MinEffect: -0.1}} {
		if _, err := NewPaired(o); err == nil {
			t.Errorf("NewPaired(%+v) took options that make no sense", o)
		}
	}
	for name, c := range map[string]perf.Comparison{
		"different lengths": ComparePaired(perf.Sample{1, 2}, perf.Sample{1}, perf.Wall, PairedOptions{}),
		"not a number":      ComparePaired(perf.Sample{1, 2}, perf.Sample{1, math.NaN()}, perf.Wall, PairedOptions{}),
		"negative":          ComparePaired(perf.Sample{-1}, perf.Sample{1}, perf.Wall, PairedOptions{}),
		"alpha":             ComparePaired(perf.Sample{1}, perf.Sample{1}, perf.Wall, PairedOptions{Alpha: 2}),
	} {
		if c.Verdict != perf.Invalid || c.Reason == "" || c.Ratio != nil {
			t.Errorf("%s: %s, %q", name, c.Verdict, c.Reason)
		}
	}
	if c := ComparePaired(nil, nil, perf.Wall, PairedOptions{}); c.Verdict != perf.VerdictUnsure || c.Reason == "" || c.Ratio != nil {
		t.Errorf("no pairs: %s, %q", c.Verdict, c.Reason)
	}
}

// TestPairedAnytime looks after every one of 300 pairs of a command with itself: the
// verdict, and the interval at the true ratio, may ever be wrong in alpha of all
// sessions. Noise that is heavy and hangs together changes nothing.
func TestPairedAnytime(t *testing.T) {
	const trials, looks, a = 1500, 300, 0.05
	for i, src := range sources[:3] {
		wrong := 0
		r := seeded(uint64(60 + i))
		for range trials {
			p, _ := NewPaired(PairedOptions{Alpha: a})
			level := 1.0
			for range looks {
				level *= math.Exp(0.02 * r.NormFloat64())
				pair := [2]float64{level * (1 + src.draw(r)), level * 1.1 * (1 + src.draw(r))}
				if k := r.IntN(2); pair[k] > 0 && pair[1-k] > 0 {
					_ = p.Add(pair[k], pair[1-k])
				}
			}
			wrong += count(p.rejected(&p.above, 0.5) || p.rejected(&p.below, 0.5))
		}
		share := float64(wrong) / trials
		if !within(share, a, trials) {
			t.Errorf("%s: ever wrong in %.4f, want at most %v", src.name, share, a)
		}
		t.Logf("%s: ever wrong in %.4f of %v allowed", src.name, share, a)
	}
}

func TestPairedNeeded(t *testing.T) {
	p := pairsOf(t, 5, 20, 0.05, 0.05, PairedOptions{})
	more, ok := p.Needed()
	if !ok || more < 1 || more > 400 {
		t.Errorf("after 20 pairs: %d more (%v), want a number that helps", more, ok)
	}
	if n, ok := pairsOf(t, 5, 40, 0.01, 0.05, PairedOptions{}).Needed(); n != 0 || !ok {
		t.Errorf("decided, and %d more (%v)", n, ok)
	}
	if _, ok := pairsOf(t, 5, 0, 0, 0, PairedOptions{}).Needed(); ok {
		t.Error("a number of pairs from no pairs")
	}
	if c := p.Comparison(perf.Wall); !strings.Contains(c.Reason, "more") {
		t.Errorf("reason %q does not say how many more", c.Reason)
	}
}

func TestControl(t *testing.T) {
	fair, err := NewControl(0)
	if err != nil {
		t.Fatal(err)
	}
	biased, _ := NewControl(0)
	r := seeded(70)
	for i := range 60 {
		scale := []float64{0.001, 1, 300}[i%3] // of three workloads
		a, b := scale*math.Exp(0.02*r.NormFloat64()), scale*math.Exp(0.02*r.NormFloat64())
		if err := errors.Join(fair.Add(a, b), biased.Add(a, 1.05*b)); err != nil {
			t.Fatal(err)
		}
	}
	if reason, bad := fair.Biased(); bad {
		t.Errorf("a fair harness: %s", reason)
	}
	c := perf.Comparison{Verdict: perf.NoChange}
	fair.Overrule(&c)
	if c.Verdict != perf.NoChange {
		t.Error("a fair control overruled a verdict")
	}
	biased.Overrule(&c)
	if c.Verdict != perf.Invalid || !strings.Contains(c.Reason, "60 control pairs") {
		t.Errorf("a bias of 5 %%: %s, %q", c.Verdict, c.Reason)
	}
	if _, err := NewControl(2); err == nil {
		t.Error("an alpha of 2")
	}
}
