package report

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// pairedOf is a comparison of pairs, as perf/experiment makes it.
func pairedOf(workload string, m perf.Metric, gate bool, old, now, spread, evidence float64, v perf.Verdict) perf.Comparison {
	c := compared(workload, m, gate, old, now, spread, v)
	c.Design, c.Alpha, c.MinEffect, c.Pairs, c.Evidence, c.Seed = perf.Paired, 0.01, 0.02, 24, &evidence, 7
	c.Old.Ref, c.New.Ref = "gzip -6 -c data", "gzip -9 -c data"
	c.Old.Samples, c.New.Samples = c.Old.Samples[:24], c.New.Samples[:24]
	c.Control = &perf.Control{Old: make(perf.Sample, 3), New: make(perf.Sample, 3), Evidence: &evidence}
	if gate {
		c.GateReason = "it computes on one thread (CPU time is 0.99 of the time that it could run in), and other work on the machine hardly touches CPU time"
		c.CPUs = []int{1}
	}
	return c
}

func pairedRun() *perf.Result {
	r := emptyRun()
	r.Suite, r.Mode, r.Subject = "compare", "paired", perf.Subject{Name: "two commands in /src"}
	r.Workloads = []perf.WorkloadResult{ok("compare")}
	r.Comparisons = []perf.Comparison{
		pairedOf("compare", perf.CPU, true, 0.017, 0.0174, 0.01, 143.2, perf.Slower),
		pairedOf("compare", perf.Wall, false, 0.0171, 0.0181, 0.2, 2.1, perf.VerdictUnsure),
		pairedOf("compare", perf.PageFaults, false, 300, 300, 0, 1, perf.NoChange),
	}
	return r
}

// suiteRun is a comparison of refs with every verdict in it.
func suiteRun() *perf.Result {
	r := pairedRun()
	r.Suite, r.Subject.Name = "parser", "HEAD against main"
	r.Workloads = []perf.WorkloadResult{ok("cli startup"), ok("validate"), ok("sub.BenchmarkParse/large"), {Name: "sub.BenchmarkBroken", State: perf.StateFailed, Reason: "3 runs in a row failed: main: it broke"}}
	perOp := perf.Metric{Name: "sec/op", Unit: "sec/op", Better: perf.Lower}
	unsure := pairedOf("validate", perf.Wall, true, 0.022, 0.0221, 0.06, 0.04, perf.VerdictUnsure)
	unsure.GateReason = "it mostly waits (CPU time is 0.53 of the time that it could run in), and CPU time cannot see it wait longer"
	unsure.Reason = "the budget of 20s is spent: 297 pairs give an evidence of 0.0441 for a difference, of 100 needed: about 2470 pairs more for no change if they go on like this"
	bench := pairedOf("sub.BenchmarkParse/large", perOp, true, 1.5e-6, 1.2e-6, 0.02, 1e9, perf.Faster)
	bench.GateReason = "it is what a Go benchmark measures; allocations that are the same in every run are compared exactly"
	exact := pairedOf("sub.BenchmarkParse/large", perf.Metric{Name: "allocs/op", Unit: "allocs/op", Better: perf.Lower}, true, 2, 3, 0, 1, perf.Slower)
	exact.Exact, exact.Evidence, exact.Control, exact.Alpha, exact.MinEffect = true, nil, nil, 0, 0
	exact.Reason = "it is 2 allocs/op in every old run and 3 allocs/op in every new one"
	gone := perf.Comparison{Workload: "sub.BenchmarkGone", Metric: "wall", Unit: perf.Second, Better: perf.Lower, Gate: true, Design: perf.Paired,
		Verdict: perf.VerdictUnsure, Reason: "NOT MEASURED: HEAD has no sub.BenchmarkGone"}
	startup := pairedOf("cli startup", perf.CPU, true, 0.0017, 0.0017, 0.01, 0.3, perf.NoChange)
	startup.Builds, startup.Voids = 1, []perf.Void{{Pair: 2, Reason: "exit status 1"}}
	r.Comparisons = []perf.Comparison{startup, pairedOf("cli startup", perf.Wall, false, 0.0017, 0.0018, 0.1, 0.3, perf.VerdictUnsure), unsure, bench, exact, gone}
	for i := range r.Comparisons {
		r.Comparisons[i].Old.Ref, r.Comparisons[i].New.Ref = "main", "HEAD"
	}
	return r
}

func TestPaired(t *testing.T) {
	invalid := pairedRun()
	for i := range invalid.Comparisons {
		invalid.Comparisons[i].Verdict = perf.Invalid
		invalid.Comparisons[i].Reason = "the harness favours one arm"
	}
	hostile := pairedRun()
	for i := range hostile.Comparisons {
		c := &hostile.Comparisons[i]
		c.Workload, c.Metric, c.Reason, c.GateReason, c.Old.Ref, c.New.Ref = nasty, nasty, nasty, nasty, nasty, nasty
	}
	hostile.Subject.Name = nasty
	nothing := pairedRun()
	nothing.Comparisons, nothing.Complete = nil, false
	together := suiteRun()
	together.Mode = SuiteMode
	half := pairedRun()
	half.Comparisons[0].High, half.Comparisons[1].Low = nil, nil
	half.Comparisons[0].Ratio = new(12.5)
	half.Comparisons[0].Low = new(3.5)
	for name, r := range map[string]*perf.Result{"paired": pairedRun(), "paired-suite": suiteRun(), "paired-invalid": invalid, "paired-nasty": hostile, "paired-nothing": nothing, "paired-half": half, "paired-together": together} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, func(w io.Writer, st Style) error { return Paired(w, r, st) })
		})
	}
}

// An interval that is wider than what NO CHANGE refutes is no contradiction, and needs a word.
func TestIntervalBeyond(t *testing.T) {
	const word = "may reach beyond"
	for _, tc := range []struct {
		low, high *float64
		verdict   perf.Verdict
		want      bool
	}{
		{new(0.99), new(1.01), perf.NoChange, false},
		{new(0.99), new(1.03), perf.NoChange, true},
		{new(0.97), nil, perf.NoChange, true},
		{nil, nil, perf.NoChange, false},
		{new(0.97), new(1.03), perf.VerdictUnsure, false},
	} {
		r := pairedRun()
		r.Comparisons = r.Comparisons[:1]
		c := &r.Comparisons[0]
		c.Low, c.High, c.Verdict = tc.low, tc.high, tc.verdict
		var b strings.Builder
		if err := Paired(&b, r, Style{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(strings.Fields(b.String()), " "), word); got != tc.want {
			t.Errorf("%+v:\n%s", tc, &b)
		}
	}
}

func TestPairedHeadline(t *testing.T) {
	if got := ComparisonHeadline(suiteRun()); !strings.HasPrefix(got, "sub.BenchmarkParse/large allocs/op is SLOWER") {
		t.Errorf("%q", got)
	}
	r := suiteRun()
	r.Comparisons = r.Comparisons[:1]
	if got := ComparisonHeadline(r); got != "sub.BenchmarkBroken failed" {
		t.Errorf("%q", got)
	}
}

func TestSelfTest(t *testing.T) {
	r := pairedRun()
	r.Suite, r.Subject.Name = "self-test", "this program against itself"
	found := experiment.SelfTestReport{Budget: 30 * time.Second, Detectable: 0.0075, Cases: []experiment.SelfTestCase{
		{Name: "against itself", Want: perf.NoChange, Comparison: pairedOf("w", perf.CPU, true, 0.017, 0.017, 0.01, 0.3, perf.NoChange)},
		{Name: "5 % slower", Want: perf.Slower, Comparison: pairedOf("w", perf.CPU, true, 0.017, 0.0178, 0.1, 30, perf.VerdictUnsure)},
		{Name: "20 % slower", Want: perf.Slower, Comparison: pairedOf("w", perf.CPU, true, 0.017, 0.017, 0.01, 0.3, perf.NoChange)},
	}}
	found.Cases[1].Comparison.Reason = "the budget of 30s is spent"
	golden(t, "self-test", func(w io.Writer, st Style) error { return SelfTest(w, r, found, st) })
	if got, want := SelfTestHeadline(found), "5 % slower is UNDECIDED, and must be SLOWER; 20 % slower is NO CHANGE, and must be SLOWER"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	blind := found
	blind.Detectable = 0
	golden(t, "self-test-blind", func(w io.Writer, st Style) error { return SelfTest(w, r, blind, st) })
	golden(t, "self-test-none", func(w io.Writer, st Style) error {
		return SelfTest(w, emptyRun(), experiment.SelfTestReport{}, st)
	})
}

func standing(pairs int, evidence float64) experiment.Standing {
	return experiment.Standing{Workload: "cli startup", Metric: perf.CPU, Pairs: pairs, Evidence: evidence, Enough: 100, Needed: 12, Left: 90 * time.Second,
		Interval: func() (float64, float64, float64) { return 1.0214, 1.0115, 1.0302 }}
}

func TestLivePair(t *testing.T) {
	wide := standing(24, 143.2)
	wide.Workload, wide.Evidence, wide.Enough = strings.Repeat("日本", 40), 1e9, 1e7
	none := standing(1, 1)
	none.Needed = 0
	none.Interval = func() (float64, float64, float64) { return math.NaN(), 0, math.Inf(1) }
	for _, row := range []struct {
		st   experiment.Standing
		want string
	}{
		{standing(24, 43.21), "cli startup: cpu +2.1 % (+1.2 % to +3.0 %), evidence 43 of 100, ~24 runs left"},
		{none, "cli startup: cpu -, evidence 1 of 100"},
	} {
		if got := livePair(row.st); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
	if got := livePair(wide); columns(got) > maxLine {
		t.Errorf("%d columns: %q", columns(got), got)
	}
}

func TestStatusOfPairs(t *testing.T) {
	s, b, clock := testStatus(true)
	s.Phase("cli startup", experiment.PhaseWarmup)
	computed := 0
	for i := range 1000 {
		*clock = clock.Add(refresh / 100)
		st := standing(i, 1)
		interval := st.Interval
		st.Interval = func() (float64, float64, float64) { computed++; return interval() }
		s.Pair(st)
	}
	if computed > 11 {
		t.Errorf("the interval was computed %d times for ten refreshes", computed)
	}
	if got := screen(b.String()); !strings.HasPrefix(got, "cli startup: cpu +2.1 %") {
		t.Errorf("the screen shows %q", got)
	}
	s, b, _ = testStatus(false)
	s.Phase("cli startup", experiment.PhaseSetup)
	s.Phase("cli startup", experiment.PhaseWarmup)
	s.Pair(standing(1, 1))
	s.Pair(standing(2, 1))
	if got, want := b.String(), "cli startup: setup\ncli startup: pairs by cpu, at most 1 min 30 s left\n"; got != want {
		t.Errorf("piped: %q, want %q", got, want)
	}
}

// TestComparisonProfile shows where the time went of what is SLOWER, on the terminal and in
// Markdown.
func TestComparisonProfile(t *testing.T) {
	r := pairedRun()
	r.Comparisons[0].Profile = &perf.ProfileDiff{Kind: "cpu", Old: "profiles/x/old.pb.gz", New: "profiles/x/new.pb.gz", Diff: "profiles/x/diff.svg", Runs: 41,
		Unit: perf.Second, OldWeight: 0.0123, NewWeight: 0.0245, Movers: []perf.Mover{
			{Name: "main.parse", Flat: 0.0121, Cum: 0.0125}, {Name: "runtime.mallocgc", Flat: 0.0004, Cum: 0.0005}, {Name: nasty, Flat: -0.0001, Cum: 0},
		}}
	golden(t, "paired_profile", func(w io.Writer, st Style) error { return Paired(w, r, st) })
	var md bytes.Buffer
	if err := (Document{Result: r, Compared: true}).Markdown(&md); err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "paired_profile.md.golden", md.Bytes())
}
