package experiment

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// maxVoids is how many pairs in a row may fail before a comparison ends.
const maxVoids = 3

// match is a pairing while it is measured.
type match struct {
	*contest
	Pairing
	dealer    *dealer
	character character
	rule      gateRule
	cpus      []int
	pinned    bool // to one CPU, as against all that there are

	order    strings.Builder
	begun    int // pairs, with the void ones
	pairs    int // that count
	controls int
	voids    []perf.Void
	failing  int // attempts in a row that failed
	series   []*pairSeries
	spent    time.Duration
	shared   contentionSum
	warnings []perf.Warning

	over   bool
	failed string // why the workload failed
	// unclean is why cleaning up failed. The pairs were made before it, and stand.
	unclean string
	why     string // why it is over without a verdict
}

// pairSeries is one metric of a match.
type pairSeries struct {
	metric                 perf.Metric
	old, new               perf.Sample
	controlOld, controlNew perf.Sample
	paired                 *stats.Paired
	noRatio                error // the first pair that had none
}

func (s *contest) newMatch(p Pairing) *match {
	return &match{contest: s, Pairing: p, dealer: newDealer(s.Seed, p.Workload, s.Controls)}
}

// arms are the two sides, by their number.
func (m *match) arms() [2]*Arm { return [2]*Arm{&m.Old, &m.New} }

// open sets both arms up and warms them up. Only an interruption is an error.
func (m *match) open(ctx context.Context) error {
	for _, arm := range m.arms() {
		if arm.Setup == nil {
			continue
		}
		m.phase(m.Workload, PhaseSetup)
		if err := arm.Setup(ctx); err != nil {
			return m.fail(ctx, arm.named(err))
		}
	}
	m.phase(m.Workload, PhaseWarmup)
	runs, err := m.warmUp(ctx)
	if err != nil {
		return m.fail(ctx, err)
	}
	m.character = characterise(runs[OldSide], runs[NewSide])
	m.chooseGate()
	if !m.Benchmark && m.GateReason == "" { // known to the reader before the first pair
		m.announce("%s is decided by %s: %s", m.Workload, metricNames(m.rule.metrics), m.rule.reason)
	}
	return nil
}

// metricNames joins the names of metrics.
func metricNames(list []perf.Metric) string {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.Name
	}
	return strings.Join(names, " and ")
}

// fail ends the match because of its subject, unless it was an interruption.
func (m *match) fail(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	m.over, m.failed = true, err.Error()
	return nil
}

// close cleans both arms up. Where that fails the workload has failed, and what its pairs
// have decided stays.
func (m *match) close(ctx context.Context) error {
	var errs []error
	for _, arm := range m.arms() {
		errs = append(errs, Runner{Cleanup: arm.Cleanup}.Clean(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		m.unclean = err.Error()
	}
	return nil
}

// warmUp makes the runs that do not count: they fill caches, and show by what the arms
// are to be compared. A run that fails is tried again, as a pair would be.
func (m *match) warmUp(ctx context.Context) (runs [2][]Observation, err error) {
	began := m.Now()
	for i := range warmupRuns {
		if i > 0 && m.Now().Sub(began) > warmupTime {
			break
		}
		for side, arm := range m.arms() {
			o, err := m.try(ctx, side, arm)
			if err != nil {
				return runs, err
			}
			runs[side] = append(runs[side], o)
		}
	}
	return runs, nil
}

// try makes a run of the warm-up, and again if it fails.
func (m *match) try(ctx context.Context, side int, arm *Arm) (o Observation, err error) {
	for range maxVoids {
		o, err = observedArm(ctx, arm, Variation{Side: side})
		if err == nil || ctx.Err() != nil {
			return o, err
		}
	}
	return o, fmt.Errorf("%d runs in a row failed: %w", maxVoids, arm.named(err))
}

// observedArm makes one run, and turns one that gave no value into an error.
func observedArm(ctx context.Context, arm *Arm, v Variation) (Observation, error) {
	return observed(ctx, func(ctx context.Context) (Observation, error) { return arm.Run(ctx, v) })
}

// chooseGate fixes by what the match is decided.
func (m *match) chooseGate() {
	switch {
	case m.Gate.Name != "":
		m.rule = gateNamed(m.Gate, m.GateReason, m.character)
	case m.Benchmark:
		m.rule = gateOfBenchmark()
	default:
		m.rule = chooseGate(m.character)
	}
}

// pair makes one pair. Only an interruption is an error.
func (m *match) pair(ctx context.Context) error {
	began := m.Now()
	d := m.dealer.next()
	values, err := m.play(ctx, d)
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	m.spent += m.Now().Sub(began)
	m.order.WriteString(d.letters())
	m.begun++
	if err != nil {
		m.void(err)
		return nil
	}
	m.failing = 0
	m.add(d, values)
	m.look()
	return nil
}

// play makes the two runs of a pair, and returns them by their side.
func (m *match) play(ctx context.Context, d deal) (values [2]Observation, err error) {
	sides := []int{OldSide, NewSide}
	if d.newFirst {
		sides = []int{NewSide, OldSide}
	}
	for _, side := range sides {
		arm := m.arms()[side]
		if d.control {
			arm = &m.Old
		}
		v := d.vary
		v.CPUs, v.Side = m.cpus, side
		if values[side], err = observedArm(ctx, arm, v); err != nil {
			return values, arm.named(err)
		}
	}
	return values, nil
}

// void notes a pair of which a run failed.
func (m *match) void(err error) {
	m.voids = append(m.voids, perf.Void{Pair: m.begun - 1, Reason: err.Error()})
	if m.failing++; m.failing == maxVoids {
		m.over, m.failed = true, fmt.Sprintf("%d pairs in a row failed, the last of them: %v", maxVoids, err)
	}
	m.limits()
}

// add takes the values of a pair.
func (m *match) add(d deal, values [2]Observation) {
	for _, o := range values {
		m.shared.add(o)
	}
	if d.control {
		m.controls++
	} else {
		m.pairs++
	}
	for _, v := range values[OldSide].Values {
		if m.Benchmark && (v.Metric == perf.Wall || v.Metric == perf.CPU) {
			continue // of the whole process, with what surrounds the benchmark
		}
		if other, ok := values[NewSide].value(v.Metric); ok {
			m.metric(v.Metric).add(d, v.Value, other)
		}
	}
	if !d.control || len(m.rule.metrics) == 0 {
		return
	}
	first := m.rule.metrics[0]
	older, ok := values[OldSide].value(first)
	newer, okNew := values[NewSide].value(first)
	if ok && okNew {
		_ = m.pool.Add(older, newer) // a pair without a ratio says nothing
	}
}

func (p *pairSeries) add(d deal, older, newer float64) {
	if d.control {
		p.controlOld, p.controlNew = append(p.controlOld, older), append(p.controlNew, newer)
		return
	}
	p.old, p.new = append(p.old, older), append(p.new, newer)
	if err := p.paired.Add(older, newer); err != nil && p.noRatio == nil {
		p.noRatio = err
	}
}

// metric returns the series of a metric, which it begins if need be.
func (m *match) metric(metric perf.Metric) *pairSeries {
	for _, p := range m.series {
		if p.metric == metric {
			return p
		}
	}
	share := 1.0
	if m.rule.has(metric) {
		share = 1 / float64(len(m.rule.metrics))
	}
	p := &pairSeries{metric: metric, paired: m.paired(metric, share)}
	m.series = append(m.series, p)
	return p
}

// look decides whether another pair is needed, and tells where the match stands.
func (m *match) look() {
	verdicts := make([]perf.Verdict, len(m.rule.metrics))
	for i, metric := range m.rule.metrics {
		verdicts[i] = m.verdict(m.metric(metric))
	}
	if m.pairs > 0 && stats.JoinVerdicts(verdicts...) != perf.VerdictUnsure {
		m.over = true
	}
	m.limits()
	m.tell()
}

// limits ends the match when its budget is spent.
func (m *match) limits() {
	switch {
	case m.over:
	case m.Budget > 0 && m.spent >= m.Budget:
		m.over, m.why = true, fmt.Sprintf("the budget of %s is spent", m.Budget)
	case m.MaxPairs > 0 && m.begun >= m.MaxPairs:
		m.over, m.why = true, fmt.Sprintf("it was to end after %d pairs", m.MaxPairs)
	}
}

// enough is the evidence that a difference takes: in a suite, as much as makes it count
// among all comparisons, however few of them differ.
func (m *match) enough() float64 {
	return float64(m.family*max(len(m.rule.metrics), 1)) / m.Alpha
}

// verdict is what the pairs of a metric say so far, by the rule of the session.
func (m *match) verdict(p *pairSeries) perf.Verdict {
	v := p.paired.Verdict()
	if changed := v == perf.Slower || v == perf.Faster; changed && m.Suite && p.paired.Evidence() < m.enough() {
		return perf.VerdictUnsure
	}
	return v
}

// tell reports where the match stands, by the first gating metric that has no verdict yet.
func (m *match) tell() {
	if m.Hooks.Pair == nil || len(m.rule.metrics) == 0 {
		return
	}
	p := m.metric(m.rule.metrics[0])
	for _, metric := range m.rule.metrics[1:] {
		if m.verdict(p) == perf.VerdictUnsure {
			break
		}
		p = m.metric(metric)
	}
	st := Standing{Workload: m.Workload, Metric: p.metric, Pairs: m.pairs, Evidence: p.paired.Evidence(), Enough: m.enough()}
	st.Needed, _ = p.paired.Needed()
	st.Left = m.Budget - m.spent
	st.Interval = func() (ratio, low, high float64) {
		low, high = p.paired.Interval()
		return p.paired.Estimate(), low, high
	}
	m.Hooks.Pair(st)
}
