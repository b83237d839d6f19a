package stats

import (
	"math"
	"slices"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestEBH(t *testing.T) {
	for _, c := range []struct {
		evidence  []float64
		rejected  []bool
		threshold float64
	}{
		{nil, []bool{}, 0},
		{[]float64{19}, []bool{false}, 20},
		{[]float64{20}, []bool{true}, 20},
		// Four hypotheses at 5 %: one alone takes 80, two 40, three 26.7, four 20.
		{[]float64{79, 1, 0, 3}, []bool{false, false, false, false}, 80},
		{[]float64{41, 1, 40, 3}, []bool{true, false, true, false}, 40},
		{[]float64{21, 500, 20, 30}, []bool{true, true, true, true}, 20},
		{[]float64{math.NaN(), math.Inf(1), 0, 0}, []bool{false, true, false, false}, 80},
	} {
		evidence := slices.Clone(c.evidence)
		rejected, threshold := EBH(evidence, 0.05)
		if !slices.Equal(rejected, c.rejected) || math.Abs(threshold-c.threshold) > 1e-9 {
			t.Errorf("EBH(%v) = %v at %v, want %v at %v", c.evidence, rejected, threshold, c.rejected, c.threshold)
		}
		for i, e := range evidence {
			if e != c.evidence[i] && !math.IsNaN(e) {
				t.Errorf("EBH changed its argument to %v", evidence)
			}
		}
	}
	for _, q := range []float64{0, 1, math.NaN()} {
		if rejected, _ := EBH([]float64{1e9}, q); rejected[0] {
			t.Errorf("rejected at a rate of %v", q)
		}
	}
}

// TestEBHRate holds the promise on dependent comparisons, all of which share half of
// their noise: of 20, 15 are unchanged.
func TestEBHRate(t *testing.T) {
	const trials, q = 300, 0.1
	r, rate, found := seeded(80), 0.0, 0
	for range trials {
		var all [20]*Paired
		for k := range all {
			all[k], _ = NewPaired(PairedOptions{Alpha: q})
		}
		for range 40 {
			shared := 0.02 * r.NormFloat64()
			for k, p := range all {
				effect := 0.0
				if k < 5 {
					effect = 0.05
				}
				if err := p.Add(1, math.Exp(shared+effect+0.02*r.NormFloat64())); err != nil {
					t.Fatal(err)
				}
			}
		}
		var evidence []float64
		for _, p := range all {
			evidence = append(evidence, p.Evidence())
		}
		rejected, _ := EBH(evidence, q)
		wrong, right := 0, 0
		for k, yes := range rejected {
			if k < 5 {
				right += count(yes)
			} else {
				wrong += count(yes)
			}
		}
		found += right
		rate += float64(wrong) / float64(max(wrong+right, 1)) / trials
	}
	if rate > q {
		t.Errorf("false discovery rate %.3f, want at most %v", rate, q)
	}
	if share := float64(found) / (5 * trials); share < 0.8 {
		t.Errorf("found %.2f of the changes", share)
	}
}

func TestJoinVerdicts(t *testing.T) {
	for _, c := range []struct{ a, b, want perf.Verdict }{
		{perf.NoChange, perf.NoChange, perf.NoChange},
		{perf.NoChange, perf.Slower, perf.Slower},
		{perf.Faster, perf.Slower, perf.Slower},
		{perf.Faster, perf.NoChange, perf.Faster},
		{perf.Faster, perf.VerdictUnsure, perf.VerdictUnsure},
		{perf.VerdictUnsure, perf.Slower, perf.Slower},
		{perf.Slower, perf.Invalid, perf.Invalid},
	} {
		for _, got := range []perf.Verdict{JoinVerdicts(c.a, c.b), JoinVerdicts(c.b, c.a)} {
			if got != c.want {
				t.Errorf("%s and %s: %s, want %s", c.a, c.b, got, c.want)
			}
		}
	}
	if got := JoinVerdicts(); got != perf.VerdictUnsure {
		t.Errorf("no verdicts: %s", got)
	}
}
