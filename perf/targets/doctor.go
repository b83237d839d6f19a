package targets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// examined is the target doctor.
func examined(ctx context.Context) error {
	machine, _ := measure.Machine(ctx)
	con := stdConsole()
	return bare(report.Doctor(con.out, machine, measure.Tools(ctx, askEngine), measure.Conditions(ctx), con.style))
}

// Times of the target doctor -noise: what it measures, and what it says about.
const (
	noiseBudget = 40 * time.Second
	noiseWithin = time.Minute
)

// noisy is the target doctor -noise. It runs this program, so that it needs no other, and
// keeps nothing.
func noisy(ctx context.Context, budget string) (err error) {
	ctx, stop := guarded(ctx)
	defer stop()
	probe := experiment.NoiseProbe{Budget: noiseBudget, Within: noiseWithin, Seed: 1}
	if budget != "" {
		if probe.Budget, err = duration("budget", budget); err != nil {
			return bare(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return bare(fmt.Errorf("finding this program, whose work is measured: %w", err))
	}
	work, err := os.MkdirTemp("", "clnrm-perf-noise")
	if err != nil {
		return bare(fmt.Errorf("making a folder to run in: %w", err))
	}
	defer func() {
		if rerr := os.RemoveAll(work); err == nil && rerr != nil {
			err = bare(fmt.Errorf("removing the folder of the runs: %w", rerr))
		}
	}()
	con, began := stdConsole(), time.Now()
	probe.Work = noiseWork(self, work)
	probe.Progress = func(pairs int, left time.Duration) {
		con.status.Progress(experiment.Progress{Workload: "noise", Phase: experiment.PhaseRun, Done: pairs, Of: pairs + int(left/max(time.Since(began)/time.Duration(pairs), 1)), Left: left})
	}
	noise, err := probe.Run(ctx)
	con.status.Clear()
	if err != nil {
		return bare(fmt.Errorf("measuring the noise: %w", err))
	}
	machine, _ := measure.Machine(ctx)
	return bare(report.Noise(con.out, machine, noise, measure.Conditions(ctx), time.Since(began), con.style))
}

// noiseWork is a run of the program self that computes for a while.
func noiseWork(self, work string) func(context.Context) (experiment.Observation, error) {
	step := suite.Step{Wanted: true, Workload: suite.Workload{Name: "noise", Timeout: time.Minute,
		Command: suite.Command{Args: []string{self}, Env: []string{fmt.Sprintf("%s=%d", workEnv, hashesFor(workTime)), "GOMAXPROCS=1"}}}}
	arm := experiment.Processes{Work: filepath.Clean(work)}.Arm("noise", step, experiment.OldSide, nil)
	return func(ctx context.Context) (experiment.Observation, error) {
		return arm.Run(ctx, experiment.Variation{})
	}
}
