package experiment

import (
	"context"
	"sync"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// Recorded returns a runner that follows, while r runs, what containers its command
// makes on the engine, and removes those that it leaves behind. Their phases, by the
// engine's clock, are values of the workload: of the containers that were created in
// its runs, those of the warm-up among them, each counts once. Memory runs do not count.
//
// Where following them fails, r runs all the same, and the workload says so.
func (c Containers) Recorded(r Runner) Runner {
	if c.Engine == nil {
		return r
	}
	rec := &recorded{Containers: c, inner: r}
	out := r
	out.Setup = rec.setup
	out.Run = rec.run
	out.Extra = rec.extra
	return out
}

type recorded struct {
	Containers
	inner    Runner
	recorder *container.Recorder
	why      error // why there is no recorder

	mu   sync.Mutex
	runs []span // all but those for memory, by this machine's clock
}

// A span is a time from one moment to another.
type span struct{ from, to time.Time }

// setup begins to record before anything of the workload is started: a command that
// watches is started by its setup.
func (r *recorded) setup(ctx context.Context) error {
	r.recorder, r.why = container.StartRecorder(ctx, r.Engine, r.attribution(), r.Janitor)
	if r.inner.Setup == nil {
		return nil
	}
	return r.inner.Setup(ctx)
}

func (r *recorded) run(ctx context.Context) (Observation, error) {
	began := time.Now()
	o, err := r.inner.Run(ctx)
	o.Engine = true
	r.mu.Lock()
	r.runs = append(r.runs, span{began, time.Now()})
	r.mu.Unlock()
	return o, err
}

// extra ends the recording, removes what was left and turns the containers into values.
func (r *recorded) extra(ctx context.Context) (Observation, error) {
	var o Observation
	var failed error // which is no reason to go on listening
	if r.inner.Extra != nil {
		o, failed = r.inner.Extra(ctx)
	}
	if r.recorder == nil {
		if r.why != nil && ctx.Err() == nil {
			o.warn(perf.WarnNotMeasured, "the containers that it makes: %v", r.why)
		}
		return o, failed
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	recording, err := r.recorder.Stop(within)
	if err != nil {
		o.warn(perf.WarnNotMeasured, "some of the containers that it makes: %v", err)
	}
	for _, lost := range recording.Lost {
		o.warn(perf.WarnNotMeasured, "some of the containers that it makes: %s", lost)
	}
	r.count(&o, recording.Containers)
	swept, err := r.recorder.RemoveCreated(within)
	for _, l := range swept.Removed {
		o.warn(perf.WarnLeftBehind, "it left a container behind, which was removed: %s", l.Name)
	}
	for _, l := range swept.Left {
		o.warn(perf.WarnLeftBehind, "%s", l)
	}
	if err != nil {
		o.warn(perf.WarnLeftBehind, "it may have left containers behind: %v", err)
	}
	return o, failed
}

// count adds the phases of the containers that were created in a run.
func (r *recorded) count(o *Observation, list []container.Timeline) {
	counted := 0
	for _, l := range list {
		if r.timed(l.Create) {
			counted++
			o.Values = append(o.Values, phasesOf(l)...)
		}
	}
	switch {
	case counted > 0:
		o.Values = append(o.Values, Value{perf.Containers, float64(counted) / float64(len(r.runs))})
	case len(list) > 0 && len(r.runs) > 0 && !r.Engine.Info().SharesClock:
		o.warn(perf.WarnNotMeasured, "the containers that it makes: by the engine's clock, none of %d was created in a run; does it differ from this machine's?", len(list))
	}
}

// timed reports whether a moment lies in a run. The engine's clock is this
// machine's, or nearly so; a run is longer than the difference.
func (r *recorded) timed(at time.Time) bool {
	for _, s := range r.runs {
		if !at.Before(s.from) && !at.After(s.to) {
			return true
		}
	}
	return false
}

// phasesOf are the phases that the events of a container tell. What lies between two
// events is not all the engine's: a command may wait before it asks for the next step.
func phasesOf(l container.Timeline) []Value {
	var out []Value
	add := func(m perf.Metric, from, to time.Time) {
		if !from.IsZero() && !to.IsZero() && !to.Before(from) {
			out = append(out, Value{m, to.Sub(from).Seconds()})
		}
	}
	add(perf.SubjectStart, l.Create, l.Start)
	add(perf.SubjectRun, l.Start, l.Die)
	add(perf.SubjectRemove, l.Die, l.Destroy)
	add(perf.SubjectLife, l.Create, l.Destroy)
	return out
}
