package targets

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// A run that is killed leaves its containers and its processes to this program, executed
// once more.
func init() {
	if status, ok := measure.WardenMain(os.Getenv(measure.WardenEnv)); ok {
		os.Exit(status)
	}
	if status, ok := container.JanitorMain(os.Getenv(container.JanitorEnv)); ok {
		os.Exit(status)
	}
}

// engineSettings are those of the docker command.
func engineSettings() container.Settings { return container.SettingsFrom(os.Getenv) }

// engine is the container engine as a run uses it.
type engine struct {
	experiment.Containers
	run      *container.Run // nil: there is no engine, or nothing needs one
	env      []string       // by which the subject finds it
	image    string         // the subject's default image, by a name of this run's
	warnings []perf.Warning
}

// openEngine connects to the engine, if any of the steps has to do with containers,
// sweeps what dead runs have left and posts the janitor. Where there is no engine, what
// needs one is not measured, and the rest is.
func openEngine(ctx context.Context, id string, s suite.Suite, steps []suite.Step) *engine {
	if !slices.ContainsFunc(steps, func(s suite.Step) bool { return s.Wanted && (s.Container != nil || s.MakesContainers) }) {
		return &engine{}
	}
	e := connectEngine(ctx, id)
	if e.run != nil {
		e.environment(ctx, s)
	}
	return e
}

// connectEngine is openEngine for a run that needs an engine in every case.
func connectEngine(ctx context.Context, id string) *engine {
	e := &engine{}
	settings := engineSettings()
	var err error
	if e.Engine, err = container.Connect(ctx, settings); err != nil {
		e.Engine, e.Absent = nil, err
		return e
	}
	if e.run, err = container.OpenRun(ctx, e.Engine, settings, strings.ToLower(id)); err != nil {
		e.Absent = fmt.Errorf("the container engine at %s fails: %w", e.Engine.Info().Endpoint, err)
		_ = e.Engine.Close() // it has failed already
		e.Engine = nil
		return e
	}
	e.Owner, e.Janitor = e.run.Owner, e.run.Janitor
	e.tell(e.run)
	return e
}

func (e *engine) warn(kind perf.WarningKind, format string, args ...any) {
	e.warnings = append(e.warnings, perf.Warning{Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// tell says what the sweep found. What a run that lives will remove itself is not
// worth a word.
func (e *engine) tell(run *container.Run) {
	if n := len(run.Swept.Removed); n > 0 {
		e.warn(perf.WarnLeftBehind, "removed from the engine what a dead run had left: %s%s", run.Swept.Removed[0], andMore(n-1))
	}
	left := slices.DeleteFunc(slices.Clone(run.Swept.Left), func(l container.Leftover) bool { return l.Remedy == "" })
	if n := len(left); n > 0 {
		e.warn(perf.WarnLeftBehind, "on the engine there is what no run of this host may remove: %s%s", left[0], andMore(n-1))
	}
	if run.NoJanitor != nil {
		e.warn(perf.WarnEnvironment, "%v; if this run is killed, the next one removes what it leaves", run.NoJanitor)
	}
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

// environment makes the subject use the engine that was found, and mark what it makes
// as the run's: by labels, if it knows the variable for them, or else by the image.
func (e *engine) environment(ctx context.Context, s suite.Suite) {
	e.env = append(e.env, container.RunEnv+"="+e.Owner.String())
	if host := e.Engine.Info().Endpoint; strings.HasPrefix(host, "unix://") {
		e.env = append(e.env, "DOCKER_HOST="+host) // its HOME holds no context of the docker command
	}
	if s.DefaultImage == nil {
		return
	}
	image := s.DefaultImage.Image
	if chosen := os.Getenv(s.DefaultImage.Variable); chosen != "" {
		image = chosen
	}
	name := e.Owner.Image("default")
	if err := e.Engine.TagImage(ctx, image, name); err != nil {
		e.warn(perf.WarnEnvironment, "the subject's image %s is not on the engine under a name of this run's, so that containers which the subject leaves behind cannot be told from other people's: %v", image, err)
		return
	}
	e.env, e.image = append(e.env, s.DefaultImage.Variable+"="+name), name
}

// engineCleanup is what removing the run's own may take after an interruption. What
// takes longer is the janitor's.
const engineCleanup = 1500 * time.Millisecond

// close removes what the run has made, or leaves it to the janitor.
func (e *engine) close(ctx context.Context) {
	if e.run == nil {
		return
	}
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(engineCleanup, cancel) })()
	swept, err := e.run.Close(within, ctx.Err() == nil)
	if e.run.Janitor == nil && err != nil {
		e.warn(perf.WarnLeftBehind, "%v", err)
	}
	if n := len(swept.Left); n > 0 && e.run.Janitor != nil && ctx.Err() != nil {
		e.warn(perf.WarnLeftBehind, "on the engine there are still %d things of this run, which its janitor goes on removing for at most %s", n, container.JanitorLimit)
		swept.Left = nil
	}
	for _, l := range swept.Left {
		e.warn(perf.WarnLeftBehind, "it stays on the engine: %s", l)
	}
	if err := e.Engine.Close(); err != nil {
		e.warn(perf.WarnLeftBehind, "%v", err)
	}
}
