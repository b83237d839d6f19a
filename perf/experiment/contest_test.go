package experiment

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// arena is a world in which commands take as long as it says, and a clock that only they
// move.
type arena struct {
	now    time.Time
	source *rand.Rand
	noise  float64
	runs   []string // the arms, in the order in which they ran
	shut   []string // the arms that were cleaned up
}

func newArena() *arena {
	return &arena{now: time.Unix(0, 0), source: rand.New(rand.NewPCG(1, 2)), noise: 0.01}
}

// arm takes base times a random factor of CPU time, and wait on top of it.
func (a *arena) arm(ref string, base, wait time.Duration) Arm {
	return Arm{
		Ref: ref,
		Run: func(_ context.Context, _ Variation) (Observation, error) {
			a.runs = append(a.runs, ref)
			cpu := time.Duration(float64(base) * math.Exp(a.noise*a.source.NormFloat64()))
			a.now = a.now.Add(cpu + wait)
			return observed2(cpu+wait, cpu, 0), nil
		},
		Cleanup: func(context.Context) error {
			a.shut = append(a.shut, ref)
			return nil
		},
	}
}

func (a *arena) comparer() Comparer {
	return Comparer{Seed: 7, Now: func() time.Time { return a.now }}
}

func (a *arena) run(t *testing.T, c Comparer, pairings ...Pairing) *perf.Result {
	t.Helper()
	r := new(perf.Result)
	if err := c.Run(t.Context(), [][]Pairing{pairings}, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// gated are the comparisons that gate.
func gated(r *perf.Result) []perf.Comparison {
	var out []perf.Comparison
	for _, c := range r.Comparisons {
		if c.Gate {
			out = append(out, c)
		}
	}
	return out
}

const ms = time.Millisecond

func TestVerdicts(t *testing.T) {
	for name, row := range map[string]struct {
		old, new, wait time.Duration
		metric         string
		want           perf.Verdict
		exit           int
	}{
		"slower":         {20 * ms, 21 * ms, 0, "cpu", perf.Slower, perf.ExitGate},
		"faster":         {21 * ms, 20 * ms, 0, "cpu", perf.Faster, perf.ExitOK},
		"same":           {20 * ms, 20 * ms, 0, "cpu", perf.NoChange, perf.ExitOK},
		"waiting, same":  {20 * ms, 20 * ms, 20 * ms, "wall", perf.NoChange, perf.ExitOK},
		"waiting, worse": {20 * ms, 22 * ms, 20 * ms, "wall", perf.Slower, perf.ExitGate},
	} {
		a := newArena()
		r := a.run(t, a.comparer(), Pairing{Workload: "w", Old: a.arm("A", row.old, row.wait), New: a.arm("B", row.new, row.wait), Budget: time.Minute})
		g := gated(r)
		if len(g) != 1 || g[0].Metric != row.metric || g[0].Verdict != row.want {
			t.Fatalf("%s: %+v, want %s by %s", name, g, row.want, row.metric)
		}
		c := g[0]
		if got := (Policy{Gate: true}).PairedStatus(r); got != row.exit {
			t.Errorf("%s: exit status %d, want %d", name, got, row.exit)
		}
		if !r.Complete || c.GateReason == "" || c.Design != perf.Paired || c.Seed != 7 || c.Ratio == nil || c.Evidence == nil || c.Control == nil {
			t.Errorf("%s: the result lacks something: %+v", name, c)
		}
		if len(c.Old.Samples) != c.Pairs || len(c.New.Samples) != c.Pairs || len(c.Order) != 2*(c.Pairs+len(c.Control.Old)) {
			t.Errorf("%s: %d pairs, %d and %d samples, order %q", name, c.Pairs, len(c.Old.Samples), len(c.New.Samples), c.Order)
		}
		if strings.Join(a.shut, "") != "AB" {
			t.Errorf("%s: cleaned up were %q", name, a.shut)
		}
	}
}

// TestOrderIsWhatRan holds the recorded order against what really ran, and a second
// comparison with the same seed against the first.
func TestOrderIsWhatRan(t *testing.T) {
	order := func() (string, *arena) {
		a := newArena()
		c := a.comparer()
		c.MaxPairs = 30
		a.noise = 0.5 // so that nothing is decided before
		r := a.run(t, c, Pairing{Workload: "w", Old: a.arm("A", 20*ms, 0), New: a.arm("B", 20*ms, 0)})
		return gated(r)[0].Order, a
	}
	first, a := order()
	second, _ := order()
	if first != second || len(first) != 60 {
		t.Errorf("%d letters; the same seed gave\n%s\n%s", len(first), first, second)
	}
	ran := strings.Join(a.runs, "")
	ran = ran[len(ran)-len(first):] // behind the warm-up
	want := strings.Map(func(r rune) rune {
		if r == 'a' || r == 'b' {
			return 'A' // a control runs the old side twice
		}
		return r
	}, first)
	if ran != want {
		t.Errorf("ran\n%s\nand recorded was\n%s", ran, first)
	}
}

func TestBudgetEndsUndecided(t *testing.T) {
	a := newArena()
	a.noise = 0.5
	r := a.run(t, a.comparer(), Pairing{Workload: "w", Old: a.arm("A", 20*ms, 0), New: a.arm("B", 20*ms, 0), Budget: time.Second})
	c := gated(r)[0]
	if c.Verdict != perf.VerdictUnsure || !strings.Contains(c.Reason, "budget of 1s") {
		t.Errorf("%s: %s", c.Verdict, c.Reason)
	}
	if got := (Policy{Gate: true}).PairedStatus(r); got != perf.ExitOK {
		t.Errorf("exit status %d for UNDECIDED, want 0", got)
	}
	if got := (Policy{Gate: true, Strict: true}).PairedStatus(r); got != perf.ExitUnjudged {
		t.Errorf("exit status %d for UNDECIDED under strict, want 4", got)
	}
}

// TestParallelGatesByBoth: lost parallelism takes no CPU time, and must be seen.
func TestParallelGatesByBoth(t *testing.T) {
	a := newArena()
	parallel := func(ref string, cpu, wall time.Duration) Arm {
		return Arm{Ref: ref, Run: func(context.Context, Variation) (Observation, error) {
			f := math.Exp(a.noise * a.source.NormFloat64())
			a.now = a.now.Add(wall)
			return observed2(time.Duration(float64(wall)*f), time.Duration(float64(cpu)*f), 0), nil
		}}
	}
	r := a.run(t, a.comparer(), Pairing{Workload: "w", Old: parallel("A", 40*ms, 20*ms), New: parallel("B", 40*ms, 30*ms), Budget: time.Minute})
	g := gated(r)
	if len(g) != 2 || g[0].Alpha != 0.005 || g[1].Alpha != 0.005 {
		t.Fatalf("gated by %+v, want CPU and wall time with half of alpha each", g)
	}
	for _, c := range g {
		if c.Metric == "wall" && c.Verdict != perf.Slower {
			t.Errorf("wall time is %s", c.Verdict)
		}
	}
}

// TestStandingIsOfWhatIsOpen: where two metrics decide, the live line is about the one that
// is not decided yet.
func TestStandingIsOfWhatIsOpen(t *testing.T) {
	a := newArena()
	arm := func(ref string) Arm {
		return Arm{Ref: ref, Run: func(context.Context, Variation) (Observation, error) {
			wall := time.Duration(float64(20*ms) * math.Exp(0.03*a.source.NormFloat64()))
			a.now = a.now.Add(wall)
			return observed2(wall, time.Duration(float64(40*ms)*math.Exp(0.001*a.source.NormFloat64())), 0), nil
		}}
	}
	var told []string
	c := a.comparer()
	c.Hooks.Pair = func(st Standing) { told = append(told, st.Metric.Name) }
	a.run(t, c, Pairing{Workload: "w", Old: arm("A"), New: arm("B"), Budget: time.Minute})
	if n := len(told); n < 30 || told[0] != "cpu" || told[n-2] != "wall" {
		t.Errorf("told of %q, want wall after cpu is decided", told)
	}
}

// TestOneSideWaits: a new side that computes as much and waits longer is slower, although
// the old one hardly waits; and the other way round.
func TestOneSideWaits(t *testing.T) {
	for name, row := range map[string]struct {
		old, new time.Duration
		want     perf.Verdict
	}{
		"the new one": {0, 20 * ms, perf.Slower},
		"the old one": {20 * ms, 0, perf.Faster},
	} {
		a := newArena()
		r := a.run(t, a.comparer(), Pairing{Workload: "w", Old: a.arm("A", 20*ms, row.old), New: a.arm("B", 20*ms, row.new), Budget: time.Minute})
		if g := gated(r); len(g) != 1 || g[0].Metric != "wall" || g[0].Verdict != row.want {
			t.Errorf("%s waits: %+v, want %s by wall", name, g, row.want)
		}
	}
}

// TestNoChangeOfCPUTellsOfWall: a command that computes for most of its time and waits for
// longer than before is the same by CPU time. The reader learns that it is not by wall.
func TestNoChangeOfCPUTellsOfWall(t *testing.T) {
	for name, row := range map[string]struct {
		wait time.Duration
		want string
	}{
		"longer":  {3 * ms, "wall time"},
		"as ever": {0, ""},
	} {
		a := newArena()
		r := a.run(t, a.comparer(), Pairing{Workload: "w", Old: a.arm("A", 20*ms, 0), New: a.arm("B", 20*ms, row.wait), Budget: time.Minute})
		c := gated(r)[0]
		if c.Metric != "cpu" || c.Verdict != perf.NoChange || !strings.Contains(c.Reason, row.want) || row.want == "" && c.Reason != "" {
			t.Errorf("%s: %s by %s: %q, want %q in it", name, c.Verdict, c.Metric, c.Reason, row.want)
		}
	}
}

// TestCPUCertifiesNothingForWaiting: the CPU time of a command that waits is the same,
// and that is no "no change".
func TestCPUCertifiesNothingForWaiting(t *testing.T) {
	for _, gate := range []perf.Metric{perf.CPU, perf.User} {
		a := newArena()
		older, newer := withUser(a.arm("A", 20*ms, 80*ms)), withUser(a.arm("B", 20*ms, 80*ms))
		r := a.run(t, a.comparer(), Pairing{Workload: "w", Gate: gate, Old: older, New: newer, Budget: 10 * time.Second})
		if c := gated(r)[0]; c.Metric != gate.Name || c.Verdict != perf.VerdictUnsure || !strings.Contains(c.Reason, "waits") {
			t.Errorf("%s: %s by %s: %s", gate.Name, c.Verdict, c.Metric, c.Reason)
		}
	}
}

// withUser makes an arm that spends all its CPU time in user mode, and says so.
func withUser(arm Arm) Arm {
	run := arm.Run
	arm.Run = func(ctx context.Context, v Variation) (Observation, error) {
		o, err := run(ctx, v)
		cpu, _ := o.value(perf.CPU)
		o.Values = append(o.Values, Value{perf.User, cpu})
		return o, err
	}
	return arm
}

// failing makes an arm fail in the runs that the function picks, counted without the
// warm-up.
func failing(arm Arm, warm int, fails func(run int) bool) Arm {
	run, n := arm.Run, 0
	arm.Run = func(ctx context.Context, v Variation) (Observation, error) {
		n++
		if n > warm && fails(n-warm) {
			return Observation{}, &Failure{"it broke"}
		}
		return run(ctx, v)
	}
	return arm
}

func TestVoidPairs(t *testing.T) {
	a := newArena()
	b := failing(a.arm("B", 20*ms, 0), warmupRuns, func(run int) bool { return run%5 == 0 })
	r := a.run(t, a.comparer(), Pairing{Workload: "w", Old: a.arm("A", 20*ms, 0), New: b, Budget: time.Minute})
	c := gated(r)[0]
	if c.Verdict != perf.NoChange || len(c.Voids) == 0 || !strings.Contains(c.Voids[0].Reason, "B: it broke") {
		t.Fatalf("%s with voids %+v", c.Verdict, c.Voids)
	}
	if pairs := c.Pairs + len(c.Control.Old) + len(c.Voids); len(c.Order) != 2*pairs {
		t.Errorf("the order %q has not all %d pairs", c.Order, pairs)
	}
	if w := r.Workloads[0]; w.State != perf.StateOK || len(w.Warnings) == 0 || !strings.Contains(w.Warnings[0].Text, "void") {
		t.Errorf("the workload is %+v, want a warning of void pairs", w)
	}
}

func TestThreeVoidsInARowEnd(t *testing.T) {
	for name, warm := range map[string]int{"in the pairs": warmupRuns, "in the warm-up": 0} {
		a := newArena()
		b := failing(a.arm("B", 20*ms, 0), warm, func(run int) bool { return run > 2 })
		r := a.run(t, a.comparer(), Pairing{Workload: "w", Old: a.arm("A", 20*ms, 0), New: b, Budget: time.Minute})
		if w := r.Workloads[0]; w.State != perf.StateFailed || !strings.Contains(w.Reason, "in a row") || !strings.Contains(w.Reason, "it broke") {
			t.Errorf("%s: %s: %s", name, w.State, w.Reason)
		}
		for _, c := range gated(r) {
			if c.Verdict != perf.Invalid {
				t.Errorf("%s: a workload that failed is %s", name, c.Verdict)
			}
		}
		if got := (Policy{Gate: true}).PairedStatus(r); got != perf.ExitFailure {
			t.Errorf("%s: exit status %d, want 1", name, got)
		}
		if strings.Join(a.shut, "") != "AB" {
			t.Errorf("%s: cleaned up were %q", name, a.shut)
		}
	}
}

// TestBiasedHarness: what runs for one side takes longer, whatever it is. One comparison
// is decided before that can be known, and a session of them is not.
func TestBiasedHarness(t *testing.T) {
	a := newArena()
	biased := func(ref string) Arm {
		slow := a.arm(ref, 21*ms, 0)
		arm := a.arm(ref, 20*ms, 0)
		run := arm.Run
		arm.Run = func(ctx context.Context, v Variation) (Observation, error) {
			if v.Side == NewSide {
				return slow.Run(ctx, v)
			}
			return run(ctx, v)
		}
		return arm
	}
	r := new(perf.Result)
	var groups [][]Pairing
	for _, name := range strings.Split("a b c d e f g h i j k l", " ") {
		groups = append(groups, []Pairing{{Workload: name, Old: biased("A"), New: biased("B"), Budget: time.Minute}})
	}
	if err := a.comparer().Run(t.Context(), groups, r); err != nil {
		t.Fatal(err)
	}
	for _, c := range gated(r) {
		if c.Verdict != perf.Invalid {
			t.Errorf("%s is %s, want INVALID", c.Workload, c.Verdict)
		}
	}
	if got := (Policy{Gate: true}).PairedStatus(r); got != perf.ExitFailure {
		t.Errorf("exit status %d for INVALID, want 1", got)
	}
	last := r.Workloads[len(r.Workloads)-1]
	if last.State != perf.StateNotMeasured || !strings.Contains(last.Reason, "favours one side") {
		t.Errorf("the last of them is %s: %s; want it not begun", last.State, last.Reason)
	}
	if begun := strings.Count(strings.Join(a.shut, ""), "A"); begun != len(gated(r)) {
		t.Errorf("%d were set up, and %d compared", begun, len(gated(r)))
	}
}

// TestFailedCleanup: what comes after the last pair takes nothing from what the pairs have
// decided, and is a failure.
func TestFailedCleanup(t *testing.T) {
	a := newArena()
	b := a.arm("B", 21*ms, 0)
	b.Cleanup = func(context.Context) error { return errors.New("the dirt stays") }
	for want, older := range map[perf.Verdict]time.Duration{perf.Slower: 20 * ms, perf.NoChange: 21 * ms} {
		r := a.run(t, a.comparer(), Pairing{Workload: "w", Old: a.arm("A", older, 0), New: b, Budget: time.Minute})
		if c := gated(r)[0]; c.Verdict != want {
			t.Errorf("%s (%s), want %s", c.Verdict, c.Reason, want)
		}
		if w := r.Workloads[0]; w.State != perf.StateFailed || !strings.Contains(w.Reason, "the dirt stays") {
			t.Errorf("the workload is %s: %s", w.State, w.Reason)
		}
		status := perf.ExitFailure
		if want == perf.Slower {
			status = perf.ExitGate // the worse of the two
		}
		if got := (Policy{Gate: true}).PairedStatus(r); got != status {
			t.Errorf("%s: exit status %d, want %d", want, got, status)
		}
	}
}

// TestArmIsNamedOnce: a command's error begins with the command, which may be what its arm
// is called.
func TestArmIsNamedOnce(t *testing.T) {
	arm := Arm{Ref: "false"}
	for text, want := range map[string]string{"false: exit status 1": "false: exit status 1", "exit status 1": "false: exit status 1", "falsehood: no": "false: falsehood: no"} {
		if got := arm.named(errors.New(text)).Error(); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// TestRoundsAreInterleaved: the pairings of a group take turns, and the order of the turns
// is not always the same.
func TestRoundsAreInterleaved(t *testing.T) {
	a := newArena()
	a.noise = 0.5
	c := a.comparer()
	c.MaxPairs, c.Controls = 20, -1
	a.run(t, c,
		Pairing{Workload: "x", Old: a.arm("x", 20*ms, 0), New: a.arm("x", 20*ms, 0)},
		Pairing{Workload: "y", Old: a.arm("y", 20*ms, 0), New: a.arm("y", 20*ms, 0)})
	pairs := strings.Join(a.runs[len(a.runs)-80:], "")
	rounds := map[string]int{}
	for i := 0; i < len(pairs); i += 4 {
		rounds[pairs[i:i+4]]++
	}
	if len(rounds) != 2 || rounds["xxyy"]+rounds["yyxx"] != 20 || rounds["xxyy"] == 0 || rounds["yyxx"] == 0 {
		t.Errorf("rounds %v, want each workload once in each, in both orders", rounds)
	}
}

func TestInterruptedComparisonKeepsItsPairs(t *testing.T) {
	a := newArena()
	a.noise = 0.5
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := a.arm("B", 20*ms, 0)
	run, n := b.Run, 0
	b.Run = func(ctx context.Context, v Variation) (Observation, error) {
		if n++; n == warmupRuns+9 {
			cancel()
			return Observation{}, ctx.Err()
		}
		return run(ctx, v)
	}
	saved := 0
	c := a.comparer()
	c.Hooks.Done = func(*perf.Result) error { saved++; return nil }
	r := new(perf.Result)
	err := c.Run(ctx, [][]Pairing{{{Workload: "w", Old: a.arm("A", 20*ms, 0), New: b, Budget: time.Minute}}}, r)
	if !errors.Is(err, context.Canceled) || r.Complete || saved == 0 {
		t.Errorf("error %v, complete %v, saved %d times", err, r.Complete, saved)
	}
	g := gated(r)[0]
	if g.Pairs != 8 || g.Verdict != perf.VerdictUnsure || !strings.Contains(g.Reason, "interrupted") {
		t.Errorf("%d pairs, %s: %s", g.Pairs, g.Verdict, g.Reason)
	}
	if strings.Join(a.shut, "") != "AB" {
		t.Errorf("cleaned up were %q", a.shut)
	}
}

// TestSuiteWantsMoreEvidence: among many comparisons a lonely regression takes more.
func TestSuiteWantsMoreEvidence(t *testing.T) {
	a := newArena()
	c := a.comparer()
	c.Suite = true
	var groups [][]Pairing
	for i := range 50 {
		slower := 20 * ms
		if i == 0 {
			slower = 21 * ms
		}
		groups = append(groups, []Pairing{{Workload: strings.Repeat("w", i+1), Old: a.arm("A", 20*ms, 0), New: a.arm("B", slower, 0), Budget: time.Minute}})
	}
	r := new(perf.Result)
	if err := c.Run(t.Context(), groups, r); err != nil {
		t.Fatal(err)
	}
	for i, g := range gated(r) {
		want := perf.NoChange
		if i == 0 {
			want = perf.Slower
		}
		if g.Verdict != want {
			t.Errorf("comparison %d is %s (evidence %v), want %s", i, g.Verdict, *g.Evidence, want)
		}
		if i == 0 && *g.Evidence < 50/0.01 {
			t.Errorf("it stopped at an evidence of %v, and among 50 it takes 5000", *g.Evidence)
		}
	}
}

// TestSuiteStopsWhenItIsEnough: the evidence at which the measuring of a lonely regression
// stops is what it takes in the end, also beside workloads that are gated by two metrics.
func TestSuiteStopsWhenItIsEnough(t *testing.T) {
	a := newArena()
	c := a.comparer()
	c.Suite = true
	groups := [][]Pairing{{{Workload: "slower", Old: a.arm("A", 20*ms, 0), New: a.arm("B", 21*ms, 0), Budget: time.Minute}}}
	for i := range 9 {
		parallel := func(ref string) Arm {
			return Arm{Ref: ref, Run: func(context.Context, Variation) (Observation, error) {
				f := math.Exp(a.noise * a.source.NormFloat64())
				a.now = a.now.Add(20 * ms)
				return observed2(time.Duration(float64(20*ms)*f), time.Duration(float64(40*ms)*f), 0), nil
			}}
		}
		groups = append(groups, []Pairing{{Workload: strings.Repeat("w", i+1), Old: parallel("A"), New: parallel("B"), Budget: time.Minute}})
	}
	r := new(perf.Result)
	if err := c.Run(t.Context(), groups, r); err != nil {
		t.Fatal(err)
	}
	g := gated(r)
	if len(g) != 19 || g[0].Workload != "slower" || g[0].Verdict != perf.Slower {
		t.Errorf("%d comparisons, the first of %s is %s (evidence %v): %s", len(g), g[0].Workload, g[0].Verdict, *g[0].Evidence, g[0].Reason)
	}
	if e := *g[0].Evidence; e < 1000 || e >= 1900 {
		t.Errorf("it stopped at an evidence of %v, and among 10 workloads it takes 1000", e)
	}
}

// TestExactMetrics: what is the same in every run is compared as it is.
func TestExactMetrics(t *testing.T) {
	a := newArena()
	bench := func(ref string, allocs, hits float64) Arm {
		arm := a.arm(ref, 20*ms, 0)
		run := arm.Run
		arm.Run = func(ctx context.Context, v Variation) (Observation, error) {
			o, err := run(ctx, v)
			o.Values = append(o.Values, Value{perOperation, o.Values[1].Value / 100},
				Value{perf.Metric{Name: "allocs/op", Unit: "allocs/op", Better: perf.Lower}, allocs},
				Value{perf.Metric{Name: "hits/op", Unit: "hits/op", Better: perf.Higher}, hits},
				Value{perf.Metric{Name: "zeros/op", Unit: "zeros/op", Better: perf.Lower}, 0})
			return o, err
		}
		return arm
	}
	r := a.run(t, a.comparer(), Pairing{Workload: "w", Benchmark: true, Old: bench("A", 3, 7), New: bench("B", 4, 9), Budget: time.Minute})
	want := map[string]struct {
		verdict     perf.Verdict
		gate, exact bool
	}{
		"sec/op":    {perf.NoChange, true, false},
		"allocs/op": {perf.Slower, true, true},
		"hits/op":   {perf.Faster, false, true},
		"zeros/op":  {perf.NoChange, false, true},
	}
	for _, c := range r.Comparisons {
		w, ok := want[c.Metric]
		if !ok || c.Verdict != w.verdict || c.Gate != w.gate || c.Exact != w.exact {
			t.Errorf("%s: %s, gate %v, exact %v, want %+v", c.Metric, c.Verdict, c.Gate, c.Exact, w)
		}
		delete(want, c.Metric)
	}
	if len(want) > 0 {
		t.Errorf("not compared: %v", want)
	}
	r.ID, r.Suite, r.Schema, r.Machine.Fingerprint, r.Created = "a", "s", perf.Schema, "f", a.now
	if _, err := r.Encode(); err != nil {
		t.Error(err)
	}
}

func TestMissingIsNotMeasured(t *testing.T) {
	list := []perf.Comparison{Missing("gone", "main", "HEAD")}
	list = append(list, perf.Comparison{Workload: "w", Gate: true, Verdict: perf.NoChange, Old: perf.Arm{Samples: perf.Sample{1}}, New: perf.Arm{Samples: perf.Sample{1}}})
	if got := (Policy{Gate: true}).ComparisonStatus(list); got != perf.ExitUnjudged {
		t.Errorf("exit status %d, want 4", got)
	}
	if got := (Policy{Gate: true, AllowUnmeasured: []string{"gone"}}).ComparisonStatus(list); got != perf.ExitOK {
		t.Errorf("exit status %d with -allowUnmeasured, want 0", got)
	}
	if got := (Policy{Gate: true}).ComparisonStatus(nil); got != perf.ExitFailure {
		t.Errorf("exit status %d for nothing compared, want 1", got)
	}
}

func TestSelfTestKnows(t *testing.T) {
	a := newArena()
	a.noise = 0.005
	work := func(lie float64) SelfTest {
		return SelfTest{Comparer: a.comparer(), Budget: 10 * time.Second, Work: func(ctx context.Context, factor float64, v Variation) (Observation, error) {
			return a.arm("w", time.Duration(float64(20*ms)*(1+(factor-1)*lie)), 0).Run(ctx, v)
		}}
	}
	r := new(perf.Result)
	found, err := work(1).Run(t.Context(), r)
	if err != nil || found.Status() != 0 || len(r.Comparisons) != len(selfTestCases) {
		t.Errorf("status %d, %v: %+v", found.Status(), err, found.Cases)
	}
	if found.Detectable <= 0 || found.Detectable > 0.01 {
		t.Errorf("detects %v with a noise of 0.5 %%", found.Detectable)
	}
	// A gate that does not see a slowdown, because there is none in what it measures.
	if found, err = work(0).Run(t.Context(), new(perf.Result)); err != nil || found.Status() != perf.ExitFailure {
		t.Errorf("a blind gate has status %d, %v", found.Status(), err)
	}
}

// TestSelfTestOfABiasedHarness: a few control pairs can prove no bias, and what the
// comparison by itself is taken for then is no fault of the gate. Many that find none are.
func TestSelfTestOfABiasedHarness(t *testing.T) {
	controls := func(pairs int, bias float64) []perf.Comparison {
		source := rand.New(rand.NewPCG(5, 6))
		c := perf.Comparison{Metric: "cpu", Better: perf.Lower, Control: &perf.Control{}}
		for range pairs {
			c.Control.Old = append(c.Control.Old, math.Exp(0.005*source.NormFloat64()))
			c.Control.New = append(c.Control.New, bias*math.Exp(0.005*source.NormFloat64()))
		}
		return []perf.Comparison{{Metric: "cpu"}, c, {Metric: "wall", Control: c.Control}}
	}
	for _, row := range []struct {
		pairs int
		bias  float64
		want  perf.Verdict
		wrong bool
	}{{3, 1.05, perf.VerdictUnsure, false}, {0, 1.05, perf.VerdictUnsure, false}, {100, 1, perf.NoChange, true}} {
		out := perf.Comparison{Metric: "cpu", Better: perf.Lower, Verdict: perf.Slower}
		uncaught(&out, controls(row.pairs, row.bias))
		if wrong := (SelfTestCase{Want: perf.Invalid, Comparison: out}).Wrong(); out.Verdict != row.want || wrong != row.wrong {
			t.Errorf("%d control pairs with a bias of %v: %s (%s), wrong: %v", row.pairs, row.bias, out.Verdict, out.Reason, wrong)
		}
	}
}

// TestSelfTestCutShort: what was interrupted has proved nothing, however well it went.
func TestSelfTestCutShort(t *testing.T) {
	for parts := range selfTestCases {
		a := newArena()
		a.noise = 0.005
		ctx, cancel := context.WithCancel(t.Context())
		test := SelfTest{Comparer: a.comparer(), Budget: 10 * time.Second, Work: func(ctx context.Context, factor float64, v Variation) (Observation, error) {
			return a.arm("w", time.Duration(float64(20*ms)*factor), 0).Run(ctx, v)
		}}
		begun := 0
		test.Hooks.Phase = func(_, phase string) {
			if phase == PhaseWarmup {
				if begun++; begun > parts {
					cancel()
				}
			}
		}
		r := new(perf.Result)
		found, err := test.Run(ctx, r)
		cancel()
		if !errors.Is(err, context.Canceled) || len(found.Cases) != parts || r.Complete {
			t.Errorf("after %d parts: %d cases, complete %v, %v", parts, len(found.Cases), r.Complete, err)
		}
		if got := found.Status(); got != perf.ExitFailure {
			t.Errorf("after %d parts: exit status %d, want 1", parts, got)
		}
	}
}

// TestSlowdownIsOfTheWhole: of a program whose start takes as long as its hashes, a
// slowdown takes twice as many more as of the hashes alone.
func TestSlowdownIsOfTheWhole(t *testing.T) {
	const hash, n = time.Microsecond, 10_000
	program := func(start time.Duration) func(int) (Observation, error) {
		return func(count int) (Observation, error) {
			cpu := start + time.Duration(count)*hash
			return Observation{Wall: cpu, Values: []Value{{Metric: perf.CPU, Value: cpu.Seconds()}}}, nil
		}
	}
	for start, want := range map[time.Duration]float64{0: n, n * hash: 2 * n} {
		if got, err := WorkOfWhole(n, program(start)); err != nil || got < 0.999*want || got > 1.001*want {
			t.Errorf("with a start of %v: %v hashes (%v), want %v", start, got, err, want)
		}
	}
	blind := func(int) (Observation, error) { return Observation{}, nil }
	if got, err := WorkOfWhole(n, blind); err != nil || got != n {
		t.Errorf("without CPU times: %v hashes (%v), want %v", got, err, n)
	}
	broken := errors.New("broken")
	if _, err := WorkOfWhole(n, func(int) (Observation, error) { return Observation{}, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestDetectableEffect(t *testing.T) {
	source := rand.New(rand.NewPCG(3, 4))
	sample := func(noise float64) (older, newer perf.Sample) {
		for range 100 {
			older = append(older, math.Exp(noise*source.NormFloat64()))
			newer = append(newer, math.Exp(noise*source.NormFloat64()))
		}
		return older, newer
	}
	quietOld, quietNew := sample(0.001)
	loudOld, loudNew := sample(0.2)
	quiet, loud := DetectableEffect(quietOld, quietNew, 50, 1), DetectableEffect(loudOld, loudNew, 50, 1)
	if !(quiet > 0 && quiet <= 0.003) || !(loud >= 0.1) {
		t.Errorf("quiet %v, loud %v", quiet, loud)
	}
	if got := DetectableEffect(loudOld, loudNew, 5, 1); got != 0 {
		t.Errorf("%v is found in 5 pairs, which can never be enough evidence", got)
	}
	if got := DetectableEffect(nil, nil, 50, 1); got != 0 {
		t.Errorf("%v is found without pairs", got)
	}
}

// BenchmarkPair is what a pair costs beside its two runs: dealing it, adding its values
// to the evidence of nine metrics, and looking at the verdict. The shortest command takes
// a millisecond, so that a hundredth of its pair is 20 µs.
func BenchmarkPair(b *testing.B) {
	metrics := []perf.Metric{perf.Wall, perf.User, perf.System, perf.CPU, perf.Utilisation, perf.PageFaults, perf.ContextSwitches, perf.BytesRead, perf.RunDelay}
	source := rand.New(rand.NewPCG(1, 2))
	arm := Arm{Run: func(context.Context, Variation) (Observation, error) {
		o := Observation{Wall: ms, Values: make([]Value, len(metrics))}
		for i, m := range metrics {
			o.Values[i] = Value{m, math.Exp(0.5 * source.NormFloat64())}
		}
		return o, nil
	}}
	c := Comparer{Seed: 1, MaxPairs: b.N, Hooks: CompareHooks{Pair: func(Standing) {}}}
	if err := c.Run(b.Context(), [][]Pairing{{{Workload: "w", Old: arm, New: arm, Gate: perf.Wall}}}, new(perf.Result)); err != nil {
		b.Fatal(err)
	}
}
