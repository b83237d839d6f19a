package experiment

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// cleanupTime is what a cleanup may take once the run has been interrupted. Mage leaves
// a target five seconds after Ctrl-C, and of these a command that ignores SIGTERM takes
// one, when the run is interrupted in it, and another, if it is the cleanup itself.
const cleanupTime = 2 * time.Second

// errCleanupTime is why a cleanup ends early.
var errCleanupTime = fmt.Errorf("a cleanup has %s after an interruption", cleanupTime)

// Clean runs the runner's Cleanup, also when the run was interrupted. It may take as
// long as any other command of the workload, until ctx ends: then there is a limit.
func (r Runner) Clean(ctx context.Context) error {
	if r.Cleanup == nil {
		return nil
	}
	limited, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	unlimit := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(cleanupTime)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(errCleanupTime)
		case <-limited.Done():
		}
	})
	defer unlimit()
	if err := r.Cleanup(limited); err != nil {
		return fmt.Errorf("cleaning up: %w", err)
	}
	return nil
}

// recording is a workload while it is measured.
type recording struct {
	step   *suite.Step
	result perf.WorkloadResult
	// oneShot is set for a workload that is declared too costly to repeat, or whose
	// first run showed that it is.
	oneShot bool
	// minimum and maximum bound the number of timed runs. They are equal where it was
	// fixed beforehand.
	minimum, maximum int
	spent            time.Duration // in timed runs, with what comes around them
	shared           contentionSum
	// counted are the metrics whose number of values is set beforehand, as of memory runs.
	counted map[string]bool
}

// cores is how many processors the step's command may use. The Go runtime knows the
// affinity of this process and the quota of its cgroup.
func cores(step *suite.Step) int {
	if n := len(step.CPUs); n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}

func newRecording(step *suite.Step) *recording {
	rec := &recording{counted: map[string]bool{},
		step: step, oneShot: step.OneShot, minimum: step.Min, maximum: step.Max,
		result: perf.WorkloadResult{Name: step.Name, Command: append([]string{}, step.Command.Args...), State: perf.StateOK, Cores: cores(step)},
	}
	stages(step, &rec.result)
	return rec
}

// step measures one workload and judges its objectives.
func (s *session) step(ctx context.Context, step *suite.Step) (perf.WorkloadResult, []perf.ObjectiveResult) {
	rec := newRecording(step)
	if err := s.blocked(ctx, step); err != nil {
		rec.result.State, rec.result.Reason = perf.StateNotMeasured, err.Error()
	} else if err := s.measure(ctx, rec); err != nil {
		rec.end(ctx, err)
	}
	if rec.result.State != perf.StateOK {
		s.fail(step.Name, rec.result.Reason)
	}
	rec.finish()
	var judged []perf.ObjectiveResult
	for _, o := range step.Objectives {
		judged = append(judged, rec.judge(o))
	}
	return rec.result, judged
}

// blocked says why a step cannot run: the suite was interrupted, or what it needs
// has failed.
func (s *session) blocked(ctx context.Context, step *suite.Step) error {
	if ctx.Err() != nil {
		return fmt.Errorf("the run was interrupted before it")
	}
	for _, need := range step.Needs {
		if reason, failed := s.failed[need]; failed {
			first, _, _ := strings.Cut(reason, "\n")
			return fmt.Errorf("because %s failed: %s", need, first)
		}
	}
	return nil
}

// end notes why the measurement of a workload stopped early.
func (rec *recording) end(ctx context.Context, err error) {
	// A command that is named after itself need not be named twice.
	rec.result.State, rec.result.Reason = perf.StateFailed, strings.TrimPrefix(err.Error(), rec.step.Name+": ")
	if u, ok := errors.AsType[*Unavailable](err); ok {
		rec.result.State, rec.result.Reason = perf.StateNotMeasured, u.Reason
	}
	if ctx.Err() != nil {
		runs := "any run"
		if n := len(rec.wall()); n > 0 {
			runs = fmt.Sprintf("the end, after %d runs", n)
		}
		rec.result.State, rec.result.Reason = perf.StateNotMeasured, "interrupted before "+runs
	}
}

// measure goes through the phases of a workload.
func (s *session) measure(ctx context.Context, rec *recording) (err error) {
	runner := s.New(*rec.step)
	defer func() { err = errors.Join(err, runner.Clean(ctx), rec.extra(ctx, runner)) }()
	s.announceCost(rec.step)
	if runner.Setup != nil {
		s.progress(rec.step, PhaseSetup, 0, 1, rec)
		if err := runner.Setup(ctx); err != nil {
			return err
		}
	}
	if err := s.warmUp(ctx, runner, rec); err != nil {
		return err
	}
	if err := s.repeat(ctx, runner, rec); err != nil {
		return err
	}
	return s.memory(ctx, runner, rec)
}

// observed makes one run, unless the context has ended: a runner that never looks at
// it must not be called on and on.
func observed(ctx context.Context, run func(context.Context) (Observation, error)) (Observation, error) {
	if err := ctx.Err(); err != nil {
		return Observation{}, err
	}
	return run(ctx)
}

// announceCost names a costly one-shot and its expected cost before it starts. One that
// is not measured may find what it needs in a cache, and then takes less.
func (s *session) announceCost(step *suite.Step) {
	if !step.OneShot || step.Cost <= 0 {
		return
	}
	cost := "takes about"
	if !step.Wanted {
		cost = "is not measured, because another workload needs it, and takes up to about"
	}
	s.announce(fmt.Sprintf("%s runs once, and %s %s: %s", step.Name, cost, step.Cost, step.Command))
}

// warmUp makes the runs that come before those that count. Where the first of them
// shows that the workload is too costly to repeat, it counts, and there are no others:
// nobody waits half an hour for a suite of ten minutes.
func (s *session) warmUp(ctx context.Context, runner Runner, rec *recording) error {
	for i := range rec.step.Warmup {
		first := i == 0
		s.progress(rec.step, PhaseWarmup, i, rec.step.Warmup, rec)
		o, took, err := s.timed(ctx, runner)
		if err != nil {
			return err
		}
		if rec.step.ByCost {
			rec.size(o.Wall, took)
		}
		if first && rec.step.ByCost && took > rec.step.Budget/2 {
			rec.spent = took
			rec.add(o)
			return nil
		}
		if first && rec.tooCostly(took) {
			s.announce(fmt.Sprintf("%s took %s, which is too long to repeat: it is judged on that run", rec.step.Name, took.Round(time.Second)))
			rec.oneShot, rec.spent = true, took
			rec.add(o)
			return nil
		}
	}
	return nil
}

// timed makes one run, and says how long it took with what comes around it.
func (s *session) timed(ctx context.Context, runner Runner) (Observation, time.Duration, error) {
	began := s.Now()
	o, err := observed(ctx, runner.Run)
	return o, s.Now().Sub(began), err
}

// repeat makes the timed runs.
func (s *session) repeat(ctx context.Context, runner Runner, rec *recording) error {
	for !rec.enough() {
		n := len(rec.wall())
		if n > 0 && rec.again() {
			s.announce(fmt.Sprintf("%s breached a limit; it runs once more, because one run proves nothing", rec.step.Name))
		}
		s.progress(rec.step, PhaseRun, n, rec.atMost(), rec)
		o, took, err := s.timed(ctx, runner)
		if err != nil {
			return err
		}
		rec.spent += took
		rec.add(o)
		if n == 0 {
			rec.settle()
		}
	}
	return nil
}

// memory makes the memory runs, which repeat what the command does to the world.
func (s *session) memory(ctx context.Context, runner Runner, rec *recording) error {
	if rec.step.Memory == 0 {
		return nil
	}
	if runner.Memory == nil {
		rec.warn(perf.WarnNotMeasured, "memory of the process tree cannot be measured on this system")
		return nil
	}
	runs := rec.step.Memory
	if rec.oneShot {
		runs = 1 // what is too costly to repeat is so here as well
	}
	for i := range runs {
		s.progress(rec.step, PhaseMemory, i, runs, rec)
		o, err := observed(ctx, runner.Memory)
		if err != nil {
			return err
		}
		rec.add(o)
		for _, v := range o.Values {
			rec.counted[v.Metric.Name] = true
		}
	}
	return nil
}

// add appends what a run gave to the series of the workload.
func (rec *recording) add(o Observation) {
	collect(&rec.result, o)
	rec.shared.add(o)
}

// collect appends the values of a run to the series of its workload, and its warnings,
// each once.
func collect(r *perf.WorkloadResult, o Observation) {
	for _, v := range o.Values {
		i := slices.IndexFunc(r.Metrics, func(m perf.Series) bool { return m.Name == v.Metric.Name })
		if i < 0 {
			i = len(r.Metrics)
			r.Metrics = append(r.Metrics, perf.Series{Metric: v.Metric})
		}
		r.Metrics[i].Samples = append(r.Metrics[i].Samples, v.Value)
	}
	for _, w := range o.Warnings {
		if !slices.Contains(r.Warnings, w) {
			r.Warnings = append(r.Warnings, w)
		}
	}
}

// extra adds what was measured beside the runs.
func (rec *recording) extra(ctx context.Context, runner Runner) error {
	if runner.Extra == nil {
		return nil
	}
	o, err := runner.Extra(ctx)
	rec.add(o)
	for _, v := range o.Values {
		rec.counted[v.Metric.Name] = true
	}
	return err
}

func (rec *recording) warn(kind perf.WarningKind, format string, args ...any) {
	rec.result.Warnings = append(rec.result.Warnings, perf.Warning{Kind: kind, Text: fmt.Sprintf(format, args...)})
}

func (rec *recording) wall() perf.Sample { return rec.samples(perf.Wall.Name) }

func (rec *recording) samples(metric string) perf.Sample {
	series, _ := rec.result.Series(metric)
	return series.Samples
}

// finish summarises the series and looks at them for what the reader should know.
func (rec *recording) finish() {
	rec.result.OneShot = rec.oneShot
	for i := range rec.result.Metrics {
		m := &rec.result.Metrics[i]
		m.Summary = rec.summarise(*m)
	}
	rec.warnRun()
	rec.result.Contention, _ = rec.shared.worst()
	if text := rec.shared.warning(rec.step.CPUs); text != "" {
		rec.warn(perf.WarnContention, "%s", text)
	}
}

// summarise turns a series into what a reader is shown of it. Where the number of
// runs depended on what was seen, so does the interval: each of its ends then holds at
// every look (half the error for each end).
func (rec *recording) summarise(m perf.Series) *perf.Summary {
	if len(m.Samples) == 0 {
		return nil
	}
	out := fixedSummary(m.Samples)
	if rec.fixed() || rec.oneShot || rec.counted[m.Name] {
		return out
	}
	out.Low, out.High, out.Confidence = nil, nil, 0
	if b := stats.SequentialBounds(m.Samples, 0.5, (1+confidence)/2); b.HasLow && b.HasHigh {
		out.Low, out.High, out.Confidence = &b.Low, &b.High, confidence
	}
	return out
}

// What it takes for a warning about the runs of a workload. An outlier that differs
// by a few percent, and a trend that a thousand runs make significant, are true and
// of no use to anybody.
const (
	warnRuns   = 10   // fewest runs that are looked at
	warnFar    = 0.25 // distance of an outlier from the median, relative
	warnTrend  = 0.3  // Kendall's tau
	warnTrendP = 0.001
)

// warnRun tells of runs far from the rest and of a level that moved.
func (rec *recording) warnRun() {
	wall := rec.wall()
	if len(wall) < warnRuns {
		return
	}
	median, far := stats.Median(wall), 0
	for _, i := range stats.Outliers(wall) {
		if math.Abs(wall[i]-median) > warnFar*median {
			far++
		}
	}
	if far > 0 {
		rec.warn(perf.WarnOutliers, "%d of %d runs lie far from the rest (slowest %s); they are kept, and the median does not mind them",
			far, len(wall), perf.Second.Format(slices.Max(wall)))
	}
	if tau, p := stats.Drift(wall); p < warnTrendP && math.Abs(tau) > warnTrend {
		direction := "slower"
		if tau < 0 {
			direction = "faster"
		}
		rec.warn(perf.WarnDrift, "runs got %s while measuring (trend p = %.2g): more warm-up (-warmup of the target time), or let the machine settle", direction, p)
	}
}
