package experiment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// Containers makes runners of workloads that are containers.
type Containers struct {
	// Engine is the engine; where there is none, Absent says why.
	Engine container.Engine
	Absent error
	// Owner marks what is made on the engine, so that it can be found and removed
	// whatever becomes of this process.
	Owner container.Owner
	// Janitor is told of what cannot be marked; nil: there is none.
	Janitor *container.Janitor
	// Go is the go command that builds the probe; empty means the one on PATH.
	Go string
}

// Runner returns the runner of a step that has a container.
func (c Containers) Runner(step suite.Step) Runner {
	l := &lifecycles{Containers: c, w: step.Workload}
	return Runner{
		Setup:   l.setup,
		Run:     func(ctx context.Context) (Observation, error) { return l.run(ctx, false) },
		Extra:   func(context.Context) (Observation, error) { return Observation{Values: l.image}, nil },
		Memory:  func(ctx context.Context) (Observation, error) { return l.run(ctx, true) },
		Cleanup: l.cleanup,
	}
}

// Runners returns the function that chooses how a step is measured: as containers, as
// processes whose containers are followed, or as processes.
func (c Containers) Runners(p Processes) func(suite.Step) Runner {
	return func(s suite.Step) Runner {
		switch {
		case s.Container != nil:
			return c.Runner(s)
		case s.MakesContainers && s.Wanted:
			return c.Recorded(p.Runner(s))
		}
		return p.Runner(s)
	}
}

func (c Containers) attribution() container.Attribution { return container.Attribution{Owner: c.Owner} }

// lifecycles is one workload of containers.
type lifecycles struct {
	Containers
	w     suite.Workload
	spec  container.Spec
	image []Value // what making the image took
	made  string  // the name by which this run holds the image; empty if it made none
}

// setup makes sure that there is an engine and that it has the image.
func (l *lifecycles) setup(ctx context.Context) error {
	if l.Absent != nil {
		return &Unavailable{l.Absent.Error()}
	}
	if l.Engine == nil {
		return &Unavailable{"there is no container engine"}
	}
	l.spec = container.Spec{
		Config:       container.Config{Image: l.w.Container.Image, Network: l.w.Container.Network, Labels: l.Owner.Labels()},
		ReadyTimeout: l.w.Container.Ready, Grace: l.w.Container.Grace, Timeout: l.w.Timeout,
	}
	if l.spec.Config.Image != "" {
		return l.find(ctx)
	}
	return l.probe(ctx)
}

// find looks for an image that the engine must have already.
func (l *lifecycles) find(ctx context.Context) error {
	name := l.spec.Config.Image
	image, err := l.Engine.Image(ctx, name)
	if errors.Is(err, container.ErrNotFound) {
		return &Unavailable{fmt.Sprintf("the engine has no image %s, and nothing is pulled: load or pull it before (docker pull %s)", name, name)}
	}
	l.spec.Config.Image = image.ID
	return err
}

// probe builds the probe for the engine and makes an image of it.
func (l *lifecycles) probe(ctx context.Context) error {
	program, err := l.buildProbe(ctx)
	if err != nil {
		return err
	}
	archive, err := l.pack(program, "probe")
	if err != nil {
		return err
	}
	l.made = archive.Name
	began := time.Now()
	image, warm, err := container.EnsureImage(ctx, l.Engine, archive)
	if err != nil {
		return err
	}
	if !warm { // that the engine had it is no measure of making it
		l.image = []Value{{perf.ContainerImage, time.Since(began).Seconds()}}
	}
	l.spec.Config.Image = image.ID
	return nil
}

// buildProbe builds the probe for the engine.
func (c Containers) buildProbe(ctx context.Context) ([]byte, error) {
	info := c.Engine.Info()
	program, err := container.BuildProbe(ctx, c.Go, info.OS, info.Arch)
	if errors.Is(err, container.ErrNoGo) {
		return nil, &Unavailable{err.Error()}
	}
	return program, err
}

// pack makes an image of a program under a name of this run's.
func (c Containers) pack(program []byte, name string) (container.Archive, error) {
	info := c.Engine.Info()
	return container.ImageSpec{Program: program, Path: "/probe", OS: info.OS, Arch: info.Arch,
		Labels: map[string]string{container.LabelTool: container.ToolName}, Name: c.Owner.Image(name)}.Pack()
}

// run times one container; with use it also reads what the container used.
func (l *lifecycles) run(ctx context.Context, use bool) (Observation, error) {
	spec := l.spec
	spec.Use = use
	p, err := container.Lifecycle(ctx, l.Engine, spec)
	if err != nil {
		if ctx.Err() != nil {
			return Observation{}, errors.Join(ctx.Err(), err)
		}
		return Observation{}, &Failure{err.Error()}
	}
	if use {
		return observeUse(p.Use), nil
	}
	return observePhases(p), nil
}

func observePhases(p container.Phases) Observation {
	o := Observation{Wall: p.Total()}
	for _, v := range []struct {
		has    bool
		metric perf.Metric
		took   time.Duration
	}{
		{true, perf.Wall, p.Total()},
		{true, perf.ContainerStart, p.ContainerStart()},
		{true, perf.ContainerCreate, p.Create},
		{true, perf.ContainerRun, p.Start},
		{true, perf.ContainerReady, p.Ready},
		{p.HasProgram, perf.ContainerProgram, p.Program},
		{!p.Killed, perf.ContainerStop, p.Stop},
		{true, perf.ContainerRemove, p.Remove},
	} {
		if v.has {
			o.Values = append(o.Values, Value{v.metric, v.took.Seconds()})
		}
	}
	if p.Killed {
		o.Warnings = append(o.Warnings, perf.Warning{Kind: perf.WarnSubject, Text: "it ignored SIGTERM and was killed after the time to stop in, so that its stop is no measure of anything"})
	}
	if p.NoProgram != "" {
		o.Warnings = append(o.Warnings, perf.Warning{Kind: perf.WarnNotMeasured, Text: "the program's own part of a start: " + p.NoProgram})
	}
	return o
}

// observeUse turns what a container used into values. Its peak counts the page cache
// and the runtime that sets it up, so it has a floor of some MiB.
func observeUse(u *container.Use) Observation {
	var o Observation
	if u.PeakSource != "" {
		o.Values = append(o.Values, Value{perf.PeakMemory, float64(u.Peak)})
	}
	if u.CPUSource != "" {
		o.Values = append(o.Values, Value{perf.CPU, u.CPU.Seconds()})
	}
	for _, missing := range u.Missing {
		o.Warnings = append(o.Warnings, perf.Warning{Kind: perf.WarnNotMeasured, Text: missing})
	}
	return o
}

// cleanup gives the image back. It goes with the last run that holds it.
func (l *lifecycles) cleanup(ctx context.Context) error {
	if l.made == "" {
		return nil
	}
	err := l.Engine.RemoveImage(ctx, l.made)
	if errors.Is(err, container.ErrNotFound) {
		return nil
	}
	return err
}
