package experiment

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// A TriageScale is how the cost of a workload grows.
type TriageScale struct {
	// Parallel is the wall time of N runs at once, by rising N.
	Parallel []ScalePoint `json:"parallel"`
	// Law is the Universal Scalability Law through Parallel: null where it cannot be fitted.
	Law *TriageLaw `json:"law"`
	// Sizes is the wall time of one run over N items, by rising N.
	Sizes    []ScalePoint `json:"sizes"`
	SizeUnit string       `json:"sizeUnit,omitempty"`
	// Fixed is the part of the greatest size's time that the line through Sizes has at size
	// 0: what a run costs before its first item. It is null where a line does not fit.
	Fixed *float64 `json:"fixed"`
	// Containers is how the throughput of containers grows, as a run of them at rising
	// parallelism measures it ([Scale]); null where the workload is none. Parallel is then
	// what that throughput makes of N at once.
	Containers *perf.Scaling `json:"containers,omitempty"`
}

// A ScalePoint is the median wall time, in seconds, of Runs measurements at N.
type ScalePoint struct {
	N    int     `json:"n"`
	Wall float64 `json:"wall"`
	Runs int     `json:"runs"`
	// Walls are all of them, in the order in which they were measured.
	Walls perf.Sample `json:"walls"`
}

// A TriageLaw is what the [stats.Scaling] of the parallel points says: Contention is the share
// of the work that one alone can do at a time, Coherency what each pair costs the other, Best
// how many at once do the most (no estimate: it never falls), Misfit how far the law misses
// the point that it misses most, as a share.
type TriageLaw struct {
	Contention perf.Bounded `json:"contention"`
	Coherency  perf.Bounded `json:"coherency"`
	Best       perf.Bounded `json:"best"`
	Misfit     float64      `json:"misfit"`
	Confidence float64      `json:"confidence"` // of each interval; 0 where there are none
}

// lawOf fits the law to the throughput at each point; nil where it has no answer.
func lawOf(points []ScalePoint) *TriageLaw {
	var loads []stats.Load
	for _, p := range points {
		l := stats.Load{Parallel: p.N}
		walls := p.Walls
		if len(walls) == 0 {
			walls = perf.Sample{p.Wall}
		}
		for _, w := range walls {
			l.Throughput = append(l.Throughput, float64(p.N)/w)
		}
		loads = append(loads, l)
	}
	fit, err := stats.FitScaling(loads, confidence)
	if err != nil {
		return nil // too few points, as where the budget was short
	}
	law := &TriageLaw{Contention: bounded(fit.Contention), Coherency: bounded(fit.Coherency), Best: bounded(fit.Best), Misfit: fit.Misfit}
	if fit.Contention.HasBounds {
		law.Confidence = confidence
	}
	return law
}

// withWalls is the points with a list of walls each, which may be empty.
func withWalls(points []ScalePoint) []ScalePoint {
	out := append([]ScalePoint{}, points...)
	for i := range out {
		out[i].Walls = list(out[i].Walls)
	}
	return out
}

// mostMisfit is how far the law may miss a point and still be one.
const mostMisfit = 0.15

// String says it in a sentence; empty where the law does not hold, or nothing bounds what it says.
func (l *TriageLaw) String() string {
	if l == nil || l.Misfit > mostMisfit || l.Contention.Low == nil || l.Contention.High == nil {
		return ""
	}
	b := fmt.Sprintf("by the Universal Scalability Law %s of the work (%s to %s) is done by one at a time",
		pct(*l.Contention.Estimate), pct(*l.Contention.Low), pct(*l.Contention.High))
	if l.Best.Estimate != nil {
		return b + fmt.Sprintf(", and %.0f at once do the most", *l.Best.Estimate)
	}
	return b + ", and throughput does not fall with more"
}

// Gain is the greatest throughput of the parallel points in multiples of that of one run at
// a time, and the N that has it; 0 where there is nothing to compare.
func (s TriageScale) Gain() (gain float64, n int) {
	if len(s.Parallel) < 2 || s.Parallel[0].N != 1 {
		return 0, 0
	}
	one := s.Parallel[0].Wall
	for _, p := range s.Parallel[1:] {
		if g := float64(p.N) * one / p.Wall; g > gain {
			gain, n = g, p.N
		}
	}
	return gain, n
}

// ScaleOptions bound how long the scale of a workload is looked at.
type ScaleOptions struct {
	Runs   int           // at each point; the median counts
	Budget time.Duration // for all points; a point that was begun is finished
}

// parallelLevels are how many runs are made at once: up to twice the processors, where what
// computes has stopped to gain, and no more than 16.
func parallelLevels(cores int) []int {
	levels := []int{1}
	for n := 2; n <= min(max(2*cores, 4), 16); n *= 2 {
		levels = append(levels, n)
	}
	return levels
}

// Parallel measures N runs at once of what run runs N times at once, at rising N.
func (o ScaleOptions) Parallel(ctx context.Context, cores int, run func(ctx context.Context, n int) (time.Duration, error)) ([]ScalePoint, error) {
	began := time.Now()
	var out []ScalePoint
	for _, n := range parallelLevels(cores) {
		if len(out) > 0 && o.Budget > 0 && time.Since(began) > o.Budget {
			break
		}
		p, err := o.point(ctx, n, func(ctx context.Context) (time.Duration, error) { return run(ctx, n) })
		if err != nil {
			return out, fmt.Errorf("%d at once: %w", n, err)
		}
		out = append(out, p)
	}
	return out, nil
}

func (o ScaleOptions) point(ctx context.Context, n int, run func(context.Context) (time.Duration, error)) (ScalePoint, error) {
	var walls perf.Sample
	for range max(o.Runs, 1) {
		if err := ctx.Err(); err != nil {
			return ScalePoint{}, err
		}
		wall, err := run(ctx)
		if err != nil {
			return ScalePoint{}, err
		}
		walls = append(walls, wall.Seconds())
	}
	return ScalePoint{N: n, Wall: stats.Median(walls), Runs: len(walls), Walls: walls}, nil
}

// atOnce is a shell that starts its command n times, waits for all of them, and fails where
// one has failed. It costs a millisecond, at every n.
const atOnce = `n=$1; shift; pids=; while [ "$n" -gt 0 ]; do "$@" & pids="$pids $!"; n=$((n-1)); done; s=0; for p in $pids; do wait "$p" || s=$?; done; exit $s`

// ErrAlone is the cause of errors about a workload whose runs cannot overlap.
var ErrAlone = errors.New("its runs cannot be made at once")

// AtOnce returns what runs the command of a step n times at once. The setup of the step must
// have been run.
func (p Processes) AtOnce(step suite.Step) (func(ctx context.Context, n int) (time.Duration, error), error) {
	switch {
	case runtime.GOOS == "windows":
		return nil, fmt.Errorf("%w: that takes a shell of POSIX", ErrAlone)
	case step.Watch != nil:
		return nil, fmt.Errorf("%w: it watches a folder, and does not end", ErrAlone)
	case len(step.Fresh) > 0 || len(step.Prepare)+len(step.Conclude) > 0:
		return nil, fmt.Errorf("%w: each of them needs something done before or after it", ErrAlone)
	case step.OneShot:
		return nil, fmt.Errorf("%w: one is costly enough", ErrAlone)
	}
	j := job{Processes: p, w: step.Expand(p.Work), clean: step.Wanted}
	return func(ctx context.Context, n int) (time.Duration, error) {
		cmd := j.main()
		cmd.Args = append([]string{"sh", "-c", atOnce, "sh", strconv.Itoa(n)}, cmd.Args...)
		run, err := cmd.Run(ctx)
		if err == nil {
			err = run.Err()
		}
		if err != nil {
			return 0, j.failure(ctx, fmt.Sprintf("%d at once: ", n), run, err)
		}
		return run.Wall, nil
	}, nil
}

// containerLevels are how many containers are kept going at once: four levels at the
// least, as fewer bound no law.
func containerLevels(cores int) []int {
	return parallelLevels(min(max(cores, 4), 8))
}

// Lifecycles measures the containers of a step at rising parallelism, within the budget,
// as often as that allows.
func (o ScaleOptions) Lifecycles(ctx context.Context, c Containers, step suite.Step, m perf.Machine, announce func(string)) (TriageScale, error) {
	if step.Container == nil {
		return TriageScale{}, fmt.Errorf("%s is no container", step.Name)
	}
	spec := container.Spec{Config: container.Config{Image: step.Container.Image}, ReadyTimeout: step.Container.Ready, Grace: step.Container.Grace}
	s := Scale{Containers: c, Spec: spec, Levels: containerLevels(m.Cores), Networks: []string{step.Container.Network}, Budget: o.Budget, Seed: 1,
		Hooks: ScaleHooks{Announce: announce}}
	return s.triage(ctx, m)
}

// triage runs it for a triage.
func (s Scale) triage(ctx context.Context, m perf.Machine) (TriageScale, error) {
	r := perf.Result{Machine: m}
	if err := s.Run(ctx, &r); err != nil {
		return TriageScale{}, err
	}
	out := TriageScale{Containers: &r.Scaling[0]}
	for _, l := range figuresOf(&r, r.Scaling[0]) {
		out.Parallel = append(out.Parallel, ScalePoint{N: l.n, Wall: float64(l.n) / l.rate.Center, Runs: len(l.rates)})
	}
	var missing []error
	for _, w := range r.Workloads {
		if w.State != perf.StateOK {
			missing = append(missing, fmt.Errorf("%s: %s", w.Name, firstLine(w.Reason)))
		}
	}
	return out, errors.Join(missing...)
}

// A SizedStep is a step that works through N items.
type SizedStep struct {
	N    int
	Step suite.Step
}

// fewestSized is the least number of items of which smaller sizes are made.
const fewestSized = 8

// Sizes are steps that work through an eighth, a quarter and a half of the files that the
// command of a step names, and through all of them; none where it names few.
func Sizes(step suite.Step) []SizedStep {
	named := map[string]bool{}
	for _, f := range step.Files {
		if slices.Contains(step.Command.Args, f.Name) {
			named[f.Name] = true
		}
	}
	if len(named) < fewestSized {
		return nil
	}
	var out []SizedStep
	for _, part := range []int{8, 4, 2, 1} {
		out = append(out, SizedStep{len(named) / part, withFiles(step, named, len(named)/part)})
	}
	return out
}

// withFiles is the step with the first n of the files that its command names.
func withFiles(step suite.Step, named map[string]bool, n int) suite.Step {
	seen := 0
	step.Command.Args = slices.DeleteFunc(slices.Clone(step.Command.Args), func(arg string) bool {
		if !named[arg] {
			return false
		}
		seen++
		return seen > n
	})
	step.Items, step.Memory = nil, 0 // its number is another one
	return step
}

// Sized measures each size, in rounds, so that what disturbs the machine disturbs all.
func (o ScaleOptions) Sized(ctx context.Context, sizes []SizedStep, runner func(suite.Step) Runner) ([]ScalePoint, error) {
	began := time.Now()
	walls := make([]perf.Sample, len(sizes))
	for round := range max(o.Runs, 1) {
		for i, s := range sizes {
			if round > 0 && o.Budget > 0 && time.Since(began) > o.Budget {
				break
			}
			ob, err := observed(ctx, runner(s.Step).Run)
			if err != nil {
				return nil, fmt.Errorf("%d items: %w", s.N, err)
			}
			walls[i] = append(walls[i], ob.Wall.Seconds())
		}
	}
	var out []ScalePoint
	for i, s := range sizes {
		out = append(out, ScalePoint{N: s.N, Wall: stats.Median(walls[i]), Runs: len(walls[i]), Walls: walls[i]})
	}
	return out, nil
}

// fixedShare is what [TriageScale.Fixed] says: by least squares over the points, where the
// line leaves at most a tenth of the greatest time unexplained.
func fixedShare(points []ScalePoint) *float64 {
	if len(points) < 3 {
		return nil
	}
	var n, x, y, xx, xy float64
	for _, p := range points {
		n++
		x, y = x+float64(p.N), y+p.Wall
		xx, xy = xx+float64(p.N)*float64(p.N), xy+float64(p.N)*p.Wall
	}
	slope := (n*xy - x*y) / (n*xx - x*x)
	at0 := (y - slope*x) / n
	last := points[len(points)-1].Wall
	for _, p := range points {
		if math.Abs(at0+slope*float64(p.N)-p.Wall) > last/10 {
			return nil
		}
	}
	share := min(max(at0/last, 0), 1)
	return &share
}
