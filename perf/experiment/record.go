package experiment

import (
	"context"
	"errors"

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
	defer func() { err = errors.Join(err, j.all(context.WithoutCancel(ctx), "cleanup", j.w.Cleanup)) }()
	if err := j.setup(ctx); err != nil {
		return err
	}
	return j.recordOnly(ctx, record)
}
