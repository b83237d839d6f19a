package experiment

import (
	"context"
	"errors"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// Record hands the command of a step to a recorder, as a timed run would start it: in its
// folder, with its environment, and with the step's own commands before and after it. The
// setup of the step must have been run.
func (p Processes) Record(ctx context.Context, step suite.Step, record func(context.Context, measure.Command) error) error {
	j := job{Processes: p, w: step.Expand(p.Work), clean: step.Wanted}
	return j.recordOnly(ctx, record)
}

func (j *job) recordOnly(ctx context.Context, record func(context.Context, measure.Command) error) error {
	_, err := j.around(ctx, func(ctx context.Context) (Observation, error) { return Observation{}, record(ctx, j.main()) })
	return err
}

// record hands the command of an arm to a recorder, when the arm itself is done.
func (j *job) record(ctx context.Context, record func(context.Context, measure.Command) error) (err error) {
	clean := Runner{Cleanup: func(ctx context.Context) error { return j.all(ctx, "cleanup", j.w.Cleanup) }}
	defer func() { err = errors.Join(err, clean.Clean(ctx)) }()
	if err := j.setup(ctx); err != nil {
		return err
	}
	return j.recordOnly(ctx, record)
}

// fewestReloads is how many reloads a recording of a command that watches has at least.
const fewestReloads = 3

// recorderGrace is how long a recorder may take to write what it has, once the command that
// watches was interrupted.
const recorderGrace = 15 * time.Second

// RecordWatch runs the command of a step that watches as wrap makes it, makes saves and waits
// for their results for about so long, and ends it. It returns how many reloads there were.
// The recording is whole when it returns.
func (p Processes) RecordWatch(ctx context.Context, step suite.Step, length time.Duration, wrap func(measure.Command) (measure.Command, error)) (reloads int, err error) {
	r := newReloads(job{Processes: p, w: step.Expand(p.Work), clean: step.Wanted})
	r.wrap = wrap
	defer func() { err = errors.Join(err, r.stop(context.WithoutCancel(ctx))) }()
	if err := r.start(ctx); err != nil {
		return 0, err
	}
	for began := time.Now(); reloads < fewestReloads || time.Since(began) < length; reloads++ {
		if _, err := observed(ctx, r.reload); err != nil {
			return reloads, err
		}
	}
	return reloads, nil
}
