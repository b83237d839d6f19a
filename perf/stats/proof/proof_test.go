package proof

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// small are the floors for 100 trials, of which a right engine keeps each with all but
// certainty: 7 alarms where one is expected at the very most, 92 found where it is more
// than 99 in truth, and a mean that is good to a few percent; and the seed is fixed.
var small = floors{alarm: 0.07, power: 0.92, rivals: 1.1}

func TestProof(t *testing.T) {
	table, err := Run(t.Context(), Options{Trials: 100, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range table.broken(small) {
		t.Error(fault)
	}
	t.Logf("\n%s", table)
	if len(table.Rows) != len(simulated)+2*len(traceNames) {
		t.Errorf("%d rows", len(table.Rows))
	}
	// A bed in which nothing goes wrong would prove nothing: blocks on a machine that
	// wanders must mislead, and so must looking at every pair.
	worst := make([]float64, len(customs))
	for _, r := range table.Rows {
		for c, tallies := range r.Customs {
			worst[c] = max(worst[c], tallies[0].alarms())
		}
	}
	for c, share := range worst {
		if share < 0.04 {
			t.Errorf("%s alarms in %.1f %% at worst: the test bed is too kind", customs[c].name, 100*share)
		}
	}
}

// TestFloors holds that each floor can break.
func TestFloors(t *testing.T) {
	good := Row{Scenario: "x", Ever: Tally{Sessions: 100},
		Engine: [4]Tally{{Sessions: 100, Same: 100, Runs: 20}, {Sessions: 100, Slower: 100, Runs: 20}, {Runs: 20}, {Runs: 20}},
		Rival:  [4]Tally{{Runs: 20}, {Runs: 20}, {Runs: 20}, {Runs: 20}}}
	if broken := (&Table{Rows: []Row{good}}).Broken(); len(broken) > 0 {
		t.Errorf("a perfect table breaks %q", broken)
	}
	for want, spoil := range map[string]func(r *Row){
		"A/A alarms in":           func(r *Row) { r.Engine[0].Faster = 2 },
		"A/A alarms at some time": func(r *Row) { r.Ever.Slower = 2 },
		"no change at +2":         func(r *Row) { r.Engine[1].Same = 2 },
		"runs at +0":              func(r *Row) { r.Engine[0].Runs = 23 },
		"runs at +2":              func(r *Row) { r.Engine[1].Runs = 23 },
		"runs at +5":              func(r *Row) { r.Engine[2].Runs = 23 },
		"runs at +20":             func(r *Row) { r.Engine[3].Runs = 23 },
		"A/A ends in":             func(r *Row) { r.Engine[0].Same = 94 },
		"found +2":                func(r *Row) { r.Engine[1].Slower = 94 },
	} {
		row := good
		spoil(&row)
		if broken := (&Table{Rows: []Row{row}}).Broken(); len(broken) != 1 || !strings.Contains(broken[0], want) {
			t.Errorf("%s: broken are %q", want, broken)
		}
	}
	good.Weak, good.Engine[1].Slower = true, 10
	if broken := (&Table{Rows: []Row{good}}).Broken(); len(broken) > 0 {
		t.Errorf("a weak scenario breaks %q", broken)
	}
}

func TestRunOptions(t *testing.T) {
	if _, err := Run(t.Context(), Options{Trials: -1}); err == nil {
		t.Error("a negative number of trials")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted proof: %v", err)
	}
	once, err := Run(t.Context(), Options{Trials: 3, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Run(t.Context(), Options{Trials: 3, Seed: 5})
	if err != nil || once.String() != again.String() {
		t.Errorf("the same seed gives another table (%v)", err)
	}
}

// TestNominalLevels computes how often ten looks at iid pairs without an effect reject
// at the nominal level, which must use up what alpha allows and not more: the rival is
// to be as strong as it can be.
func TestNominalLevels(t *testing.T) {
	const trials = 6000
	r := rand.New(rand.NewPCG(1, 1))
	two, one := 0, 0
	for range trials {
		// Without ties, ranks are a random order: the size of the n-th is as good as any.
		diffs := make([]float64, maxPairs)
		for i := range diffs {
			diffs[i] = r.NormFloat64()
		}
		rejectsTwo, rejectsOne := false, false
		for i, n := range looks {
			up, down := signedRank(diffs[:n], 0)
			rejectsTwo = rejectsTwo || max(up, down) >= critical[i].two
			rejectsOne = rejectsOne || up >= critical[i].one
		}
		if rejectsTwo {
			two++
		}
		if rejectsOne {
			one++
		}
	}
	t.Logf("two-sided %.4f, one-sided %.4f", float64(two)/trials, float64(one)/trials)
	for name, n := range map[string]int{"two-sided": two, "one-sided": one} {
		if share := float64(n) / trials; share < 0.007 || share > 0.013 {
			t.Errorf("%s: ten looks reject in %.4f, want 0.01", name, share)
		}
	}
}

// TestSignedRank checks the sums against the definition, with ties, and the chances
// against a table.
func TestSignedRank(t *testing.T) {
	up, down := signedRank([]float64{3, -1, 1, 0.5, -4}, 0)
	if up != 1+2.5+4 || down != 2.5+5 {
		t.Errorf("rank sums %v and %v, want 7.5 and 7.5", up, down)
	}
	// Wilcoxon's table: with 10 pairs, a sum of 47 or more has a chance of 0.0244 at
	// most, and 50 of 0.0098 (one-sided).
	if got := rankSumAt(10, 0.025); got != 47 {
		t.Errorf("critical value at 0.025 = %v, want 47", got)
	}
	if got := rankSumAt(10, 0.01); got != 50 {
		t.Errorf("critical value at 0.01 = %v, want 50", got)
	}
	total := 0.0
	for _, p := range signedRankChances(200) {
		total += p
	}
	if math.Abs(total-1) > 1e-9 {
		t.Errorf("chances of 200 pairs add up to %v", total)
	}
}

// TestTraces holds what the recordings are taken for: 1500 runs of about 17 ms.
func TestTraces(t *testing.T) {
	for _, name := range traceNames {
		wall, cpu, err := readTrace(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(wall) != 1500 || len(cpu) != 1500 {
			t.Errorf("%s: %d runs", name, len(wall))
		}
		if m := median(cpu); m < 15e3 || m > 22e3 {
			t.Errorf("%s: median CPU time %v µs", name, m)
		}
	}
	if _, _, err := readTrace("missing"); err == nil {
		t.Error("a trace that is not there")
	}
}
