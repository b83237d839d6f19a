package experiment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// A SelfTest proves on this machine that comparing works: that a command against itself
// raises no alarm, that a slowdown is seen, and that a harness which favours a side is
// caught.
type SelfTest struct {
	Comparer
	// Work runs a command that takes factor times as long as usual.
	Work func(ctx context.Context, factor float64, v Variation) (Observation, error)
	// Budget is for each comparison.
	Budget time.Duration
}

// A SelfTestCase is one part of a self-test, with what must come out.
type SelfTestCase struct {
	Name string
	Want perf.Verdict
	// Comparison is that of the metric that decided.
	Comparison perf.Comparison
}

// OK reports whether it came out.
func (c SelfTestCase) OK() bool { return c.Comparison.Verdict == c.Want }

// Wrong reports whether something else came out, as against nothing in the time there was.
func (c SelfTestCase) Wrong() bool { return !c.OK() && c.Comparison.Verdict != perf.VerdictUnsure }

// A SelfTestReport is what a self-test found.
type SelfTestReport struct {
	Cases []SelfTestCase
	// Detectable is the smallest slowdown, as a share, that a comparison of this command
	// finds within Budget in 95 of 100 cases; 0 where that is none up to 50 %.
	Detectable float64
	Budget     time.Duration
}

// Status is the exit status: 1 if something came out wrong or a part is missing, 4 if
// something did not come out in the time there was.
func (r SelfTestReport) Status() int {
	status := perf.ExitOK
	if len(r.Cases) < len(selfTestCases) { // it was cut short
		status = perf.ExitFailure
	}
	for _, c := range r.Cases {
		switch {
		case c.Wrong():
			status = perf.WorstExit(status, perf.ExitFailure)
		case !c.OK():
			status = perf.WorstExit(status, perf.ExitUnjudged)
		}
	}
	return status
}

// selfTestCases are the parts: a slowdown of the new side, or of whatever runs for it.
var selfTestCases = []struct {
	name   string
	want   perf.Verdict
	factor float64
	bias   float64 // of the harness, injected
}{
	{"against itself", perf.NoChange, 1, 1},
	{"5 % slower", perf.Slower, 1.05, 1},
	{"20 % slower", perf.Slower, 1.20, 1},
	{"against itself, by a harness that favours one side by 5 %", perf.Invalid, 1, 1.05},
}

// biasedComparisons is how many comparisons the session with a biased harness has at
// most. One alone is decided before its few control pairs can prove anything.
const biasedComparisons = 8

// Run makes all parts and fills in the comparisons of r.
func (t SelfTest) Run(ctx context.Context, r *perf.Result) (report SelfTestReport, err error) {
	report.Budget = t.Budget
	defer func() {
		for _, c := range report.Cases {
			r.Comparisons = append(r.Comparisons, c.Comparison)
		}
	}()
	for _, part := range selfTestCases {
		c, took, err := t.part(ctx, part.name, part.factor, part.bias)
		if err != nil {
			return report, err
		}
		report.Cases = append(report.Cases, SelfTestCase{part.name, part.want, c})
		if part.factor == 1 && part.bias == 1 && c.Pairs > 0 {
			perPair := took / time.Duration(c.Pairs)
			report.Detectable = DetectableEffect(c.Old.Samples, c.New.Samples, int(t.Budget/max(perPair, 1)), t.Seed)
		}
	}
	r.Complete = true
	return report, nil
}

// part makes one comparison, or, where the harness is biased, as many as it takes to
// prove that.
func (t SelfTest) part(ctx context.Context, name string, factor, bias float64) (perf.Comparison, time.Duration, error) {
	arm := func(ref string, factor float64) Arm {
		return Arm{Ref: ref, Run: func(ctx context.Context, v Variation) (Observation, error) {
			if v.Side == NewSide {
				return t.Work(ctx, factor*bias, v)
			}
			return t.Work(ctx, factor, v)
		}}
	}
	c, comparisons := t.Comparer, 1
	if bias != 1 {
		c.Controls, comparisons = 2, biasedComparisons
	}
	var groups [][]Pairing
	for i := range comparisons {
		p := Pairing{Gate: perf.CPU, GateReason: "the work of the self-test computes on one thread", Workload: name, Command: []string{name}, Old: arm("itself", 1), New: arm(name, factor), Budget: t.Budget / time.Duration(comparisons)}
		if i > 0 {
			p.Workload = fmt.Sprintf("%s (%d)", name, i+1)
		}
		groups = append(groups, []Pairing{p})
	}
	c.Hooks.Done = nil // what is saved is the whole self-test
	clock := time.Now
	if c.Now != nil {
		clock = c.Now
	}
	began := clock()
	res := new(perf.Result)
	if err := c.Run(ctx, groups, res); err != nil {
		return perf.Comparison{}, 0, err
	}
	took := clock().Sub(began)
	for _, w := range res.Workloads {
		if w.State == perf.StateFailed {
			return perf.Comparison{}, 0, fmt.Errorf("%s: %w", w.Name, &Failure{w.Reason})
		}
	}
	at := slices.IndexFunc(res.Comparisons, func(c perf.Comparison) bool { return c.Gate })
	if at < 0 {
		return perf.Comparison{}, 0, fmt.Errorf("the self-test made no comparison of %s", name)
	}
	out := res.Comparisons[at]
	out.Workload = name
	if bias != 1 && out.Verdict != perf.Invalid {
		uncaught(&out, res.Comparisons)
	}
	return out, took, nil
}

// uncaught words the comparison of a session whose biased harness was not caught. What
// counts is what all its control pairs together say: that there is no bias is wrong,
// and where they are too few to say anything, nothing has come out yet, whatever the
// comparison by itself would be taken for.
func uncaught(out *perf.Comparison, list []perf.Comparison) {
	pairs, err := stats.NewPaired(stats.PairedOptions{Better: out.Better})
	if err != nil {
		return // the custom makes sense
	}
	for _, c := range list {
		if c.Control == nil || c.Metric != out.Metric {
			continue
		}
		for i := range c.Control.Old {
			_ = pairs.Add(c.Control.Old[i], c.Control.New[i]) // a pair without a ratio says nothing
		}
	}
	if pairs.Verdict() == perf.NoChange {
		out.Verdict, out.Reason = perf.NoChange, fmt.Sprintf("%d control pairs find no difference, and there is one", pairs.Pairs())
		return
	}
	out.Verdict = perf.VerdictUnsure
	out.Reason = fmt.Sprintf("%d control pairs are too few to prove on this machine that the harness is biased: give it more time (-budget)", pairs.Pairs())
}

// calibrationRuns is how many runs of each length show what a step of the work adds: their
// median is good to a few percent of the slowdowns that are injected.
const calibrationRuns = 15

// WorkOfWhole is how many steps of work take as much CPU time as the whole command that
// does n of them, of which its start is a part that no step makes longer: a slowdown of
// 20 % is one of all. run runs the command with so many steps. It is n where the system
// tells no CPU times, or by too coarse a clock.
func WorkOfWhole(n int, run func(steps int) (Observation, error)) (float64, error) {
	var cpu [2]perf.Sample // of n steps, and of twice as many
	for range calibrationRuns {
		for i := range cpu {
			o, err := run(n * (i + 1))
			if err != nil {
				return 0, fmt.Errorf("the work of the self-test: %w", err)
			}
			if v, ok := o.value(perf.CPU); ok {
				cpu[i] = append(cpu[i], v)
			}
		}
	}
	once, twice := stats.Median(cpu[0]), stats.Median(cpu[1])
	if !(twice > once) {
		return float64(n), nil
	}
	return once / (twice - once) * float64(n), nil
}

// How the smallest detectable effect is found.
const (
	detectTrials = 200
	detectPower  = 0.95
	detectPairs  = 2000 // a comparison never needs more to find what matters
)

// detectEffects are the slowdowns that are tried, from small to large.
var detectEffects = []float64{0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.10, 0.15, 0.20, 0.30, 0.50}

// DetectableEffect is the smallest slowdown, as a share, that comparisons of up to n pairs
// find in 95 of 100 cases, where pairs spread as those of a command with itself did:
// older and newer. Such pairs are drawn again and again with the slowdown put on top. It is 0
// where no slowdown up to 50 % is found, and without pairs.
func DetectableEffect(older, newer perf.Sample, n int, seed uint64) float64 {
	n = min(n, detectPairs)
	if len(older) == 0 || len(older) != len(newer) {
		return 0
	}
	source := rand.New(rand.NewPCG(seed, 0))
	i, _ := slices.BinarySearchFunc(detectEffects, true, func(effect float64, _ bool) int {
		if detects(older, newer, n, effect, source) {
			return 0
		}
		return -1
	})
	if i == len(detectEffects) {
		return 0
	}
	return detectEffects[i]
}

// detects reports whether enough trials find the effect.
func detects(older, newer perf.Sample, n int, effect float64, source *rand.Rand) bool {
	found := 0
	for range detectTrials {
		p, err := stats.NewPaired(stats.PairedOptions{MinEffect: min(effect/2, 0.01)}) // a difference is to be found, not refuted
		if err != nil {
			return false
		}
		for range n {
			k := source.IntN(len(older))
			d := math.Log(newer[k] / older[k])
			if source.IntN(2) == 1 {
				d = -d // of a command with itself the sides are exchangeable
			}
			if p.Add(1, math.Exp(d)*(1+effect)) != nil {
				return false
			}
			if p.Verdict() == perf.Slower {
				found++
				break
			}
		}
	}
	return float64(found) >= detectPower*detectTrials
}
