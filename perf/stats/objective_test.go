package stats

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// limits are 2 s and 5 s on the median.
var limits = Limits{Quantile: 0.5, Confidence: 0.95, Target: 2, Critical: 5, Better: perf.Lower, Unit: perf.Second}

// both makes bounds with two ends.
func both(low, high float64) Bounds {
	return Bounds{Estimate: (low + high) / 2, Low: low, High: high, HasLow: true, HasHigh: true}
}

func TestJudge(t *testing.T) {
	onlyHigh, onlyLow := both(1, 1.5), both(6, 7)
	onlyHigh.HasLow, onlyHigh.NeededLow = false, 59
	onlyLow.HasHigh, onlyLow.NeededHigh = false, 59
	lowOverTarget := both(3, 4)
	lowOverTarget.HasHigh, lowOverTarget.NeededHigh = false, 59
	highOverTarget := both(1, 4)
	highOverTarget.HasLow, highOverTarget.NeededLow = false, 7
	for _, c := range []struct {
		name   string
		b      Bounds
		want   perf.ObjectiveState
		needed int
		reason string
	}{
		{"under the target", both(1, 1.9), perf.Met, 0, ""},
		{"reaching the target", both(1, 2), perf.Met, 0, ""},
		{"met needs no low", onlyHigh, perf.Met, 0, ""},
		{"over critical", both(5.1, 6), perf.Breached, 0, "the median is 5.10 s, over the critical 5 s"},
		{"breached needs no high", onlyLow, perf.Breached, 0, "over the critical 5 s"},
		{"reaching critical", both(5, 6), perf.Undecided, 0, "either side of the critical 5 s"},
		{"between the limits", both(2.1, 4.9), perf.OverTarget, 0, "the median is over the target 2 s"},
		{"up to critical", both(2.1, 5), perf.OverTarget, 0, "over the target"},
		{"across the target", both(1.9, 2.1), perf.Undecided, 0, "lies between 1.90 s and 2.10 s, on either side of the target 2 s"},
		{"across critical", both(3, 6), perf.Undecided, 0, "either side of the critical 5 s"},
		{"across both", both(1, 6), perf.Undecided, 0, "it may be over the critical 5 s too"},
		{"over the target without high", lowOverTarget, perf.Undecided, 59, "20 values cannot bound the median from above: needs 59"},
		{"no low where it decides", highOverTarget, perf.Undecided, 7, "20 values cannot bound the median from below: needs 7"},
		{"no bounds", Bounds{Estimate: 1, NeededLow: 5, NeededHigh: 6}, perf.Undecided, 6, "20 values cannot bound the median from above: needs 6"},
		{"never any bounds", Bounds{Estimate: 1}, perf.Undecided, 0, "no number of values"},
	} {
		j := Judge(limits, make(perf.Sample, 20), c.b)
		if j.State != c.want || j.Needed != c.needed || !strings.Contains(j.Reason, c.reason) || c.reason == "" && j.Reason != "" {
			t.Errorf("%s: %s, needed %d, %q; want %s, %d, %q", c.name, j.State, j.Needed, j.Reason, c.want, c.needed, c.reason)
		}
		mirrored := Judge(mirror(limits), make(perf.Sample, 20), mirrorBounds(c.b))
		if mirrored.State != c.want || mirrored.Needed != c.needed {
			t.Errorf("%s, where higher is better: %s, needed %d (%q); want %s, %d", c.name, mirrored.State, mirrored.Needed, mirrored.Reason, c.want, c.needed)
		}
	}
}

// mirror turns limits round zero, so that higher is better and all else is equal.
func mirror(l Limits) Limits {
	l.Target, l.Critical, l.Better = -l.Target, -l.Critical, perf.Higher
	return l
}

func mirrorBounds(b Bounds) Bounds {
	return Bounds{Estimate: -b.Estimate, Low: -b.High, High: -b.Low, HasLow: b.HasHigh, HasHigh: b.HasLow,
		NeededLow: b.NeededHigh, NeededHigh: b.NeededLow}
}

func TestJudgeThroughput(t *testing.T) {
	l := Limits{Quantile: 0.5, Confidence: 0.95, Target: 100, Critical: 50, Better: perf.Higher, Unit: perf.PerSecond}
	fast, slow := perf.Sample{120, 125, 118, 122, 121, 119}, perf.Sample{20, 25, 18, 22, 21, 19}
	if j := Judge(l, fast, FixedBounds(fast, 0.5, 0.95)); j.State != perf.Met {
		t.Errorf("120/s against a target of 100/s: %s, %s", j.State, j.Reason)
	}
	j := Judge(l, slow, FixedBounds(slow, 0.5, 0.95))
	if j.State != perf.Breached || !strings.Contains(j.Reason, "under the critical 50/s") {
		t.Errorf("20/s against a critical 50/s: %s, %s", j.State, j.Reason)
	}
}

func TestJudgeRefuses(t *testing.T) {
	s := perf.Sample{1, 1, 1, 1, 1, 1}
	b := FixedBounds(s, 0.5, 0.95)
	reversed, endless := limits, limits
	reversed.Critical = 1
	endless.Critical = math.Inf(1)
	for _, c := range []struct {
		name   string
		l      Limits
		s      perf.Sample
		want   perf.ObjectiveState
		reason string
	}{
		{"nothing", limits, nil, perf.NotMeasured, "no values"},
		{"NaN", limits, perf.Sample{1, 1, math.NaN(), 1, 1, 1}, perf.Undecided, "value 3 of 6 is NaN"},
		{"reversed limits", reversed, s, perf.Undecided, "the target 2 s is worse than the critical 1 s"},
		{"infinite limit", endless, s, perf.Undecided, "finite"},
	} {
		for _, j := range []Judgement{Judge(c.l, c.s, b), first(JudgeOneShot(c.l, c.s)), JudgeMemory(c.l, c.s, c.s)} {
			if j.State != c.want || !strings.Contains(j.Reason, c.reason) {
				t.Errorf("%s: %s, %q; want %s, %q", c.name, j.State, j.Reason, c.want, c.reason)
			}
		}
	}
	few := perf.Sample{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	l := Limits{Quantile: 0.95, Confidence: 0.95, Target: 30, Critical: 50, Unit: perf.Second}
	j := Judge(l, few, FixedBounds(few, 0.95, 0.95))
	if want := "20 values cannot bound the 0.95 quantile from above: needs 59"; j.State != perf.Undecided || j.Reason != want || j.Needed != 59 {
		t.Errorf("%s, needed %d, %q; want %q", j.State, j.Needed, j.Reason, want)
	}
}

func first(j Judgement, _ bool) Judgement { return j }

// TestJudgeEarlyStopping plays a benchmark that stops at its first answer, with the
// truth exactly at a limit, where a wrong answer is most likely: the target is
// truly not met, or the critical limit truly not passed.
func TestJudgeEarlyStopping(t *testing.T) {
	const trials, looks, alpha = 300, 50, 0.05
	for i, src := range sources[:3] {
		for _, better := range []perf.Better{perf.Lower, perf.Higher} {
			truth := src.quantile(0.5)
			// Over the target by less than any draw can show, and at the critical limit.
			bad := Limits{Quantile: 0.5, Confidence: 1 - alpha, Target: math.Nextafter(truth, math.Inf(-1)), Critical: 1e9, Better: better}
			good := Limits{Quantile: 0.5, Confidence: 1 - alpha, Target: 0, Critical: truth, Better: better}
			if better == perf.Higher {
				bad.Target, bad.Critical = math.Nextafter(truth, math.Inf(1)), -1e9
				good.Target = 1e9
			}
			met, breached := 0, 0
			r := seeded(uint64(80 + i))
			for range trials {
				s := draw(r, looks, src.draw)
				met += count(stoppedAt(bad, s) == perf.Met)
				breached += count(stoppedAt(good, s) == perf.Breached)
			}
			if m, b := float64(met)/trials, float64(breached)/trials; !within(m, alpha, trials) || !within(b, alpha, trials) {
				t.Errorf("%s, %s is better: false MET in %.3f, false BREACHED in %.3f, want at most %v", src.name, better, m, b, alpha)
			}
		}
	}
}

// stoppedAt judges after every run and returns the first answer.
func stoppedAt(l Limits, s perf.Sample) perf.ObjectiveState {
	for n := 1; n <= len(s); n++ {
		if j := Judge(l, s[:n], SequentialBounds(s[:n], l.Quantile, l.Confidence)); j.State != perf.Undecided {
			return j.State
		}
	}
	return perf.Undecided
}

// TestJudgeStopsSoon holds what early stopping is for: a clear case needs few runs.
func TestJudgeStopsSoon(t *testing.T) {
	r := seeded(90)
	unit := draw(r, 60, func(r *rand.Rand) float64 { return math.Exp(0.3 * r.NormFloat64()) })
	for _, c := range []struct {
		scale float64
		want  perf.ObjectiveState
		most  int
	}{{0.3, perf.Met, 6}, {15, perf.Breached, 6}, {3, perf.OverTarget, 20}} {
		for n := 1; ; n++ {
			s := make(perf.Sample, n)
			for i := range s {
				s[i] = c.scale * unit[i]
			}
			j := Judge(limits, s, SequentialBounds(s, 0.5, 0.95))
			if j.State == c.want {
				t.Logf("a median of %.2f s is %s after %d runs", c.scale, j.State, n)
				break
			}
			if j.State != perf.Undecided || n == c.most {
				t.Errorf("a median of %.2f s is %s after %d runs (%s), want %s", c.scale, j.State, n, j.Reason, c.want)
				break
			}
		}
	}
}

func TestJudgeOneShot(t *testing.T) {
	for _, c := range []struct {
		s      perf.Sample
		want   perf.ObjectiveState
		again  bool
		reason string
	}{
		{perf.Sample{1}, perf.Met, false, "1 run, no interval"},
		{perf.Sample{2}, perf.Met, false, "1 run, no interval"},
		{perf.Sample{3}, perf.OverTarget, false, "over the target 2 s (1 run, no interval)"},
		{perf.Sample{6}, perf.Undecided, true, "observed once over the critical 5 s"},
		{perf.Sample{6, 7}, perf.Breached, false, "over the critical 5 s twice in a row (2 runs, no interval)"},
		{perf.Sample{6, 1}, perf.Undecided, false, "1 of 2 runs over the critical 5 s, and no two in a row"},
		{perf.Sample{1, 6}, perf.Undecided, false, "1 of 2 runs"},
		{perf.Sample{6, 1, 6}, perf.Undecided, false, "2 of 3 runs"},
		{perf.Sample{1, 6, 6}, perf.Breached, false, "3 runs"},
		{perf.Sample{1, 3}, perf.OverTarget, false, "2 runs, no interval"},
		{perf.Sample{1, 1.5}, perf.Met, false, "2 runs, no interval"},
	} {
		j, again := JudgeOneShot(limits, c.s)
		if j.State != c.want || again != c.again || !strings.Contains(j.Reason, c.reason) || j.HasLow || j.HasHigh || j.N != len(c.s) {
			t.Errorf("%v: %+v, again %v; want %s, %v, %q", c.s, j, again, c.want, c.again, c.reason)
		}
		negative := make(perf.Sample, len(c.s))
		for i, v := range c.s {
			negative[i] = -v
		}
		if j, again := JudgeOneShot(mirror(limits), negative); j.State != c.want || again != c.again {
			t.Errorf("%v, where higher is better: %s, again %v; want %s, %v", negative, j.State, again, c.want, c.again)
		}
	}
}

func TestJudgeMemory(t *testing.T) {
	l := Limits{Quantile: 0.5, Confidence: 0.95, Target: 100e6, Critical: 200e6, Better: perf.Lower, Unit: perf.Byte}
	mb := func(values ...float64) perf.Sample {
		for i := range values {
			values[i] *= 1e6
		}
		return values
	}
	for _, c := range []struct {
		name           string
		reading, bound perf.Sample
		want           perf.ObjectiveState
		reason         string
	}{
		{"under", mb(50, 60), mb(70, 99), perf.Met, ""},
		{"one bound over", mb(50, 60), mb(70, 101), perf.Undecided, "on either side of the target 100 MB"},
		{"readings between", mb(110, 120), mb(130, 200), perf.OverTarget, "every reading is over the target"},
		{"bound over critical", mb(110, 120), mb(130, 201), perf.Undecided, "on either side of the critical 200 MB"},
		{"all over critical", mb(201, 250), mb(260, 300), perf.Breached, "every reading is over the critical 200 MB"},
		{"breached without bound", mb(201), nil, perf.Breached, "201 MB"},
		{"one reading over critical", mb(150, 250), mb(300, 300), perf.Undecided, "either side of the critical"},
		{"no bound", mb(50), nil, perf.Undecided, "no upper bound was measured"},
		{"bound is no number", mb(50), perf.Sample{math.NaN()}, perf.Undecided, "no upper bound was measured"},
		{"no reading", nil, mb(70), perf.NotMeasured, "no values"},
		{"bound below the reading", mb(120, 150), mb(60, 60), perf.OverTarget, ""},
	} {
		j := JudgeMemory(l, c.reading, c.bound)
		if j.State != c.want || !strings.Contains(j.Reason, c.reason) {
			t.Errorf("%s: %s, %q; want %s, %q", c.name, j.State, j.Reason, c.want, c.reason)
		}
		if j.HasHigh && j.Low > j.High {
			t.Errorf("%s: low %v over high %v", c.name, j.Low, j.High)
		}
	}
}

// TestObjectiveResult holds that what was not measured is null and never zero, and
// that the form can be written.
func TestObjectiveResult(t *testing.T) {
	few := Judge(limits, perf.Sample{1, 2}, FixedBounds(perf.Sample{1, 2}, 0.5, 0.95)).ObjectiveResult(limits)
	none := Judge(limits, nil, Bounds{}).ObjectiveResult(limits)
	if few.Estimate == nil || *few.Estimate != 1.5 || few.Low != nil || few.High != nil || few.Needed != 5 || few.N != 2 {
		t.Errorf("two values: %+v", few)
	}
	if none.Estimate != nil || none.Low != nil || none.State != perf.NotMeasured {
		t.Errorf("no values: %+v", none)
	}
	s := perf.Sample{1, 1.1, 1.2, 1.3, 1.4, 1.5}
	full := Judge(limits, s, FixedBounds(s, 0.5, 0.95)).ObjectiveResult(limits)
	if full.Low == nil || *full.Low != 1 || full.High == nil || *full.High != 1.5 || full.Target != 2 || full.Critical != 5 || full.Unit != perf.Second {
		t.Errorf("six values: %+v", full)
	}
	if _, err := json.Marshal([]perf.ObjectiveResult{few, none, full}); err != nil {
		t.Error(err)
	}
}
