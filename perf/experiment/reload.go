package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// reloads is a workload whose command watches: one process from the setup to the
// cleanup, and a run is a reload.
type reloads struct {
	job
	watcher *measure.Watcher
	saves   int
	ended   measure.Run // once it has been stopped
	// wrap puts a recorder around the command; nil: there is none.
	wrap func(measure.Command) (measure.Command, error)
}

func newReloads(j job) *reloads {
	j.clean = true // what it finds in its folders is what is put there
	return &reloads{job: j}
}

func (r *reloads) runner() Runner {
	return Runner{Setup: r.start, Run: r.reload, Cleanup: r.stop, Extra: r.leftovers}
}

// start starts the command in folders that are new, and waits until it is ready.
func (r *reloads) start(ctx context.Context) error {
	if err := r.setup(ctx); err != nil {
		return err
	}
	if err := r.empty(); err != nil {
		return err
	}
	if err := os.WriteFile(r.w.Watch.File, r.next().Content, 0o644); err != nil {
		return fmt.Errorf("writing the file that is watched: %w", err)
	}
	watch := r.watch()
	var err error
	if r.wrap != nil {
		if watch.Command, err = r.wrap(watch.Command); err != nil {
			return err
		}
		watch.Command.Grace = recorderGrace
	}
	if r.watcher, err = watch.Start(ctx); err != nil {
		return err
	}
	return r.failed(ctx, r.watcher.Ready(ctx))
}

// watch is the workload's watch as perf/measure takes it. A stage that the subject
// does not have is no stage there.
func (r *reloads) watch() measure.Watch {
	w := r.w.Watch
	out := measure.Watch{
		Command: r.main(), File: w.File, Staging: w.Staging,
		Ready: w.Ready, Named: w.Named, Pass: w.Pass, Fail: w.Fail, End: w.End, Limit: r.w.Timeout,
	}
	for _, s := range w.Stages {
		if !s.Absent {
			out.Stages = append(out.Stages, measure.Stage{Name: s.Name, Ends: s.Ends})
		}
	}
	return out
}

// next is the next content: one that passes, one that fails, and so on.
func (r *reloads) next() measure.Save {
	s := measure.Save{Name: fmt.Sprintf("reload %d of %d", r.saves, os.Getpid()), Pass: r.saves%2 == 0}
	s.Content = []byte(r.w.Watch.Save(s.Name, cmp.Or(r.Image, suite.ClnrmImage), s.Pass))
	r.saves++
	return s
}

// reload makes one save and waits for its result.
func (r *reloads) reload(ctx context.Context) (Observation, error) {
	reload, err := r.watcher.Reload(ctx, r.next())
	if err != nil {
		return Observation{}, r.failed(ctx, err)
	}
	o := Observation{Wall: reload.Total, Values: []Value{{perf.Wall, reload.Total.Seconds()}}, Contention: Contention{
		Pressure: reload.Pressure, HasPressure: reload.HasPressure, Steal: reload.Steal, HasSteal: reload.HasSteal,
	}}
	for i, s := range r.watch().Stages {
		if reload.Stages[i] < 0 {
			o.warn(perf.WarnNotMeasured, "the stage %s could not be told from its neighbours: a line between them did not come", s.Name)
			continue
		}
		o.Values = append(o.Values, Value{stageMetric(s.Name), reload.Stages[i].Seconds()})
	}
	if reload.RerunsBefore > 1 {
		o.warn(perf.WarnSubject, "one save by a rename led to several reruns; the first with the new content is measured, and the next save waits until all have ended")
	}
	return o, nil
}

func (o *Observation) warn(kind perf.WarningKind, format string, args ...any) {
	o.Warnings = append(o.Warnings, perf.Warning{Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// stageMetric is the metric of a stage.
func stageMetric(name string) perf.Metric {
	return perf.Metric{Name: name, Unit: perf.Second, Better: perf.Lower}
}

// failed turns what is wrong with the watching command into the reason that the reader
// gets, and ends the command: nothing else is expected of it. The exit status of one
// that was ended by this means nothing.
func (r *reloads) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	byItself := r.watcher.Ended()
	run, serr := r.watcher.Stop()
	if !byItself {
		run = measure.Run{Output: run.Output}
		err = errors.Join(err, serr)
	}
	return r.failure(ctx, "", run, err)
}

// stop ends the command.
func (r *reloads) stop(ctx context.Context) (err error) {
	if r.watcher != nil {
		byItself := r.watcher.Ended()
		if r.ended, err = r.watcher.Stop(); byItself {
			err = nil // it has been reported
		}
	}
	return errors.Join(err, r.all(ctx, "cleanup", r.w.Cleanup))
}

// leftovers warns of processes that outlived the interrupted command.
func (r *reloads) leftovers(context.Context) (Observation, error) {
	return Observation{Warnings: leftBehind(r.ended)}, nil
}

// stages notes what parts the times of a step have, if it is one that watches.
func stages(step *suite.Step, w *perf.WorkloadResult) {
	if step.Watch != nil {
		w.Stages, w.Absent = step.Watch.StageNames()
	}
}
