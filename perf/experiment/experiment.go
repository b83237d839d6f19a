// Package experiment orders runs and decides when there are enough of them.
//
// [Engine] goes through the steps of a planned suite: it warms up, repeats, stops a
// workload once its objectives are decided and its interval is narrow enough,
// measures memory in runs of its own, and judges. It starts no subject itself: it
// calls the functions of a [Runner], of which [Processes] makes the kind that runs
// commands. The statistics are those of perf/stats; rendering is left to
// perf/report.
package experiment

import (
	"context"
	"errors"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// A Value is what one run gave for one metric.
type Value struct {
	Metric perf.Metric
	Value  float64
}

// A Contention says how far other work got in the way of a run. A field whose
// Has is false was not offered by the system.
type Contention struct {
	RunDelay    time.Duration // the command was runnable and waited for a CPU
	HasRunDelay bool
	Pressure    time.Duration // somebody on the machine waited for a CPU (PSI "some")
	HasPressure bool
	Steal       time.Duration // the hypervisor gave the CPU to others
	HasSteal    bool
}

// An Observation is what one run gave.
type Observation struct {
	Values     []Value
	Wall       time.Duration
	Contention Contention
	Engine     bool // a container engine worked for the command
	Warnings   []perf.Warning
}

// A Failure is the subject's own: a command that exits 1, a build that breaks. Its
// text is the sentence that the reader gets. Any other error of a [Runner] is one of
// the tool, and is reported in the same way with what was attempted.
type Failure struct{ Reason string }

func (f *Failure) Error() string { return f.Reason }

// Unavailable is why a workload cannot be measured here, through no fault of the
// subject: there is no container engine, or no toolchain to make what it needs. Such a
// workload is NOT MEASURED, and has not failed.
type Unavailable struct{ Reason string }

func (u *Unavailable) Error() string { return u.Reason }

// A Runner measures one workload. Setup runs once before all runs and Cleanup once
// after them, whatever happened in between; each may be nil. Run makes one timed
// run. Memory makes one memory run; it is nil where the system cannot. Extra gives what
// was measured beside the runs; it is called at the very end, after Cleanup, also where
// a run failed, and may be nil.
type Runner struct {
	Setup   func(context.Context) error
	Run     func(context.Context) (Observation, error)
	Extra   func(context.Context) (Observation, error)
	Memory  func(context.Context) (Observation, error)
	Cleanup func(context.Context) error
}

// Phases of a workload, as [Progress] names them.
const (
	PhaseSetup  = "setup"
	PhaseWarmup = "warm-up"
	PhaseRun    = "run"
	PhaseMemory = "memory"
)

// Progress is where a run of a suite stands.
type Progress struct {
	Workload string
	Phase    string
	Done, Of int           // runs of this phase; Of is an upper bound
	Median   float64       // wall so far, in seconds; 0 before the first run
	Left     time.Duration // of the whole suite, at most
}

// Hooks are called while a suite runs, on its goroutine; each may be nil.
type Hooks struct {
	// Announce is called with a sentence before something costly or something with
	// side effects begins.
	Announce func(text string)
	Progress func(Progress)
	// Done is called after each workload; the result holds all that is known so far
	// and may be saved.
	Done func(*perf.Result) error
}

// An Engine runs planned suites.
type Engine struct {
	New   func(suite.Step) Runner
	Hooks Hooks
	// Now is the clock for budgets; nil means the system's.
	Now func() time.Time
}

// Run goes through the steps and fills in the workloads and objectives of r. What a
// failed step is needed for is NOT MEASURED, and the rest goes on. If ctx ends, what
// was measured stays in r, Complete stays false, and the error is the context's. An
// error of the hook Done ends the run as well.
func (e Engine) Run(ctx context.Context, steps []suite.Step, r *perf.Result) error {
	s := &session{Engine: e, steps: steps, result: r}
	if s.Now == nil {
		s.Now = time.Now
	}
	for i := range steps {
		s.at = i
		if !steps[i].Wanted {
			s.prepare(ctx, &steps[i])
			continue
		}
		w, judged := s.step(ctx, &steps[i])
		r.Workloads = append(r.Workloads, w)
		r.Objectives = append(r.Objectives, judged...)
		if err := s.saved(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.Complete = true
	return s.saved()
}

// session is one call of Run.
type session struct {
	Engine
	steps  []suite.Step
	at     int
	result *perf.Result
	// failed maps a step that did not succeed to the reason.
	failed map[string]string
}

func (s *session) saved() error {
	if s.Hooks.Done == nil {
		return nil
	}
	return s.Hooks.Done(s.result)
}

func (s *session) announce(text string) {
	if s.Hooks.Announce != nil {
		s.Hooks.Announce(text)
	}
}

func (s *session) fail(name, reason string) {
	if s.failed == nil {
		s.failed = map[string]string{}
	}
	s.failed[name] = reason
}

// prepare runs a step that is not wanted for itself, so that those that need it can
// go on. It is in the result only if it fails: then the reader must see why, and the
// run has failed, though nothing that was asked for has.
func (s *session) prepare(ctx context.Context, step *suite.Step) {
	rec := newRecording(step)
	if err := s.blocked(ctx, step); err != nil {
		rec.result.State, rec.result.Reason = perf.StateNotMeasured, err.Error()
	} else {
		s.announceCost(step)
		s.progress(step, PhaseSetup, 0, 1, nil)
		if err := runOnce(ctx, s.New(*step)); err != nil {
			rec.end(ctx, err)
		}
	}
	if rec.result.State != perf.StateOK {
		s.fail(step.Name, rec.result.Reason)
		s.result.Workloads = append(s.result.Workloads, rec.result)
	}
}

// runOnce sets a runner up, runs it and cleans up.
func runOnce(ctx context.Context, r Runner) (err error) {
	defer func() { err = errors.Join(err, r.Clean(ctx)) }()
	if r.Setup != nil {
		if err := r.Setup(ctx); err != nil {
			return err
		}
	}
	_, err = r.Run(ctx)
	return err
}
