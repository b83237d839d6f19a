package targets

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/profiler"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// watched records a command that watches a folder, while files are saved into it: without
// saves there would be nothing to see.
func (p *profiling) watched(ctx context.Context, step suite.Step, processes experiment.Processes) (err error) {
	kinds := p.task.kinds
	if len(kinds) == 0 {
		kinds = []profiler.Kind{profiler.KindCPU, profiler.KindOffCPU} // between two saves it waits
	}
	for _, kind := range kinds {
		p.status.Announce(fmt.Sprintf("%s: recording a profile (%s) while files are saved", step.Name, kind))
		rec, rerr := p.recordWatch(ctx, kind, step, processes, profiler.Options{Dir: p.space.Dir, Note: func(s string) { p.say("%s", s) }})
		if rerr == nil {
			rerr = p.keep(rec, kind == kinds[0])
		}
		if rerr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", step.Name, rerr))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return err
}

// recordWatch makes one recording of a command that watches, from its start to its end.
func (p *profiling) recordWatch(ctx context.Context, kind profiler.Kind, step suite.Step, processes experiment.Processes, o profiler.Options) (*profiler.Recording, error) {
	var finish func(context.Context) (*profiler.Recording, error)
	reloads, err := processes.RecordWatch(ctx, step, cmp.Or(p.task.limit, defaultRecording), func(c measure.Command) (measure.Command, error) {
		wrapped, f, err := profiler.Around(ctx, profiler.Command{Args: c.Args, Dir: c.Dir, Env: c.Env}, o, kind)
		finish, c.Args = f, wrapped.Args
		return c, err
	})
	if err != nil {
		return nil, err
	}
	rec, err := finish(ctx)
	if err != nil {
		return nil, err
	}
	rec.Notes = append(rec.Notes, fmt.Sprintf("from its start to its end, with %d reloads", reloads))
	return rec, nil
}
