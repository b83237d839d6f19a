package experiment

import (
	"context"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// Record hands the command of a step to a recorder, as a timed run would start it: in its
// folder, with its environment, and with the step's own commands before and after it. The
// setup of the step must have been run.
func (p Processes) Record(ctx context.Context, step suite.Step, record func(context.Context, measure.Command) error) error {
	j := job{Processes: p, w: step.Expand(p.Work), clean: step.Wanted}
	_, err := j.around(ctx, func(ctx context.Context) (Observation, error) { return Observation{}, record(ctx, j.main()) })
	return err
}
