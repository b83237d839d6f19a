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
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// A run whose containers it could not remove itself executes this program once more,
// as its janitor.
func init() {
	if status, ok := container.JanitorMain(os.Getenv(container.JanitorEnv)); ok {
		os.Exit(status)
	}
}

// engineSettings are those of the docker command.
func engineSettings() container.Settings {
	return container.Settings{
		Host: os.Getenv("DOCKER_HOST"), TLSVerify: os.Getenv("DOCKER_TLS_VERIFY") != "", CertPath: os.Getenv("DOCKER_CERT_PATH"),
		APIVersion: os.Getenv("DOCKER_API_VERSION"), Context: os.Getenv("DOCKER_CONTEXT"), ConfigDir: os.Getenv("DOCKER_CONFIG"),
	}
}

// engine is the container engine as a run uses it.
type engine struct {
	experiment.Containers
	warnings []perf.Warning
}

// openEngine connects, sweeps what dead runs have left, and posts the janitor, if any
// of the steps has to do with containers. Where there is no engine, what needs one is
// not measured, and the rest is.
func openEngine(ctx context.Context, run string, steps []suite.Step) (*engine, error) {
	e := &engine{}
	needed := slices.ContainsFunc(steps, func(s suite.Step) bool { return s.Wanted && (s.Container != nil || s.MakesContainers) })
	if !needed {
		return e, nil
	}
	settings := engineSettings()
	e.Engine, e.Absent = container.Connect(ctx, settings)
	if e.Absent != nil {
		e.Engine = nil
		return e, nil
	}
	var err error
	if e.Owner, err = container.NewOwner(strings.ToLower(run)); err != nil {
		return e, err
	}
	e.sweep(ctx)
	e.Janitor, err = container.StartJanitor(ctx, container.Attribution{Owner: e.Owner}, settings, e.Engine.Info())
	if err != nil {
		e.warn(perf.WarnEnvironment, "%v; if this run is killed, the next one removes what it leaves", err)
	}
	return e, nil
}

func (e *engine) warn(kind perf.WarningKind, format string, args ...any) {
	e.warnings = append(e.warnings, perf.Warning{Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// sweep removes what dead runs of this host have left. What is somebody else's to
// remove is reported, unless he still lives and will do so.
func (e *engine) sweep(ctx context.Context) {
	swept, err := container.Sweep(ctx, e.Engine, e.Owner)
	if err != nil {
		e.warn(perf.WarnLeftBehind, "%v", err)
	}
	if n := len(swept.Removed); n > 0 {
		e.warn(perf.WarnLeftBehind, "removed from the engine what a dead run had left: %s%s", swept.Removed[0], andMore(n-1))
	}
	left := slices.DeleteFunc(swept.Left, func(l container.Leftover) bool { return l.Remedy == "" })
	if n := len(left); n > 0 {
		e.warn(perf.WarnLeftBehind, "on the engine there is what no run of this host may remove: %s%s", left[0], andMore(n-1))
	}
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

// environment makes the subject use the engine that was found, under the run's mark.
func (e *engine) environment() []string {
	if e.Engine == nil {
		return nil
	}
	env := []string{container.RunEnv + "=" + e.Owner.String()}
	if host := e.Engine.Info().Endpoint; strings.HasPrefix(host, "unix://") {
		env = append(env, "DOCKER_HOST="+host) // its HOME holds no context of the docker command
	}
	return env
}

// engineCleanup is what removing the run's own may take after an interruption. What
// takes longer is the janitor's.
const engineCleanup = 1500 * time.Millisecond

// close removes what the run has made, and lets the janitor go, or leaves the rest to
// him.
func (e *engine) close(ctx context.Context) {
	if e.Engine == nil {
		return
	}
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(engineCleanup, cancel) })()
	swept, err := container.RemoveRun(within, e.Engine, container.Attribution{Owner: e.Owner})
	switch {
	case e.Janitor == nil && err != nil:
		e.warn(perf.WarnLeftBehind, "%v", err)
	case e.Janitor == nil:
	case err != nil || len(swept.Left) > 0:
		e.Janitor.Abandon() // it goes on
	default:
		if err := e.Janitor.Dismiss(within); err != nil {
			e.warn(perf.WarnLeftBehind, "%v", err)
		}
	}
	for _, l := range swept.Left {
		if e.Janitor == nil {
			e.warn(perf.WarnLeftBehind, "%s", l)
		}
	}
	if err := e.Engine.Close(); err != nil {
		e.warn(perf.WarnLeftBehind, "%v", err)
	}
}
