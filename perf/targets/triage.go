package targets

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/profiler"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// Triage answers what somebody who helps with performance asks first, by measuring it.
//
// Which workload, at what scale (many at once, and rising sizes), in what environment, with
// what symptoms: bound by the CPU, memory or I/O, or waiting. From that it names the likely
// class of bottleneck, and of lazy initialisation, parallel execution, caching and fewer
// allocations those that fit, each with its evidence; what has none is not advised.
// It writes .perf/profiles/ID/triage.json and the profiles that it is based on.
//
// Examples:
//
//	go tool mage triage -workload=validate
//	go tool mage triage -cmd="sort numbers{n}.txt" -sizes=1000,10000,100000
//
// Exit status: 0; 1 if the workload failed; 2 if the call makes no sense.
//
//mage:multiline
func Triage(ctx context.Context,
	workload *string, /* the workload to look at (default: the one that shows most) */
	cmd *string, /* a command to look at instead */
	sizes *string, /* with -cmd: comma list of numbers, each of which takes the place of {n} in the command */
	budget *string, /* time for the runs of each part; default 5s */
	report *string, /* KIND=FILE,... writes reports: md, json */
	json *bool, /* print the triage as JSON to stdout, and nothing else there */
) error {
	if err := subjects(workload, cmd, nil); err != nil {
		return err
	}
	return triaged(ctx, triageOptions{profileOptions{workload: str(workload), cmd: str(cmd), containers: true}, str(sizes), str(budget), str(report), 0, is(json)})
}

// triageOptions are the flags of the target.
type triageOptions struct {
	profileOptions
	sizes, budget, report string
	time                  time.Duration // what budget says
	json                  bool
}

// What a triage spends: how long the runs that count take unless -budget says so, and how
// many they are; and how long a run may take that is repeated for its scale.
const (
	triageTime  = 5 * time.Second
	triageLeast = 4
	triageMost  = 20
	scaleMost   = 20 * time.Second
)

// triaged is the target triage.
func triaged(ctx context.Context, o triageOptions) error {
	ctx, stop := guarded(ctx)
	defer stop()
	files, err := triageReports(o.report)
	if err != nil {
		return bare(err)
	}
	if o.time, err = duration("budget", o.budget); err != nil {
		return bare(err)
	}
	o.time = cmp.Or(o.time, triageTime)
	commands, err := o.sized()
	if err != nil {
		return bare(err)
	}
	if len(commands) > 0 {
		o.cmd = commands[len(commands)-1].command
	}
	t, err := o.task(ctx)
	if err != nil {
		return bare(err)
	}
	p, err := openProfiling(stdConsole(), t)
	if err != nil {
		return bare(err)
	}
	look := &triage{profiling: p, commands: commands, budget: o.time, about: experiment.Triage{
		ID: p.id, Created: time.Now().UTC().Truncate(time.Microsecond), Tool: perf.Tool{Version: version()}}}
	p.each = look.workload
	err = p.record(ctx)
	p.status.Clear()
	if ctx.Err() != nil {
		err = look.interrupted(interrupted(ctx), files, o.json)
	} else if err == nil {
		err = look.publish(files, o.json)
	}
	err = errors.Join(err, p.space.Close())
	_ = os.Remove(p.dir) // only an empty folder goes: nothing was recorded
	return bare(err)
}

// A sizedCommand is the command of -cmd for one of -sizes.
type sizedCommand struct {
	n       int
	command string
}

// sized reads -sizes.
func (o triageOptions) sized() ([]sizedCommand, error) {
	if o.sizes == "" {
		return nil, nil
	}
	if !strings.Contains(o.cmd, "{n}") {
		return nil, perf.Usagef("-sizes=%s: {n} does not occur in -cmd, so all sizes would be the same", o.sizes)
	}
	var out []sizedCommand
	for item := range strings.SplitSeq(o.sizes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(item))
		if err != nil || n < 1 || len(out) > 0 && n <= out[len(out)-1].n {
			return nil, perf.Usagef("-sizes=%s is not a list of rising numbers, as 1000,2000,4000 is", o.sizes)
		}
		out = append(out, sizedCommand{n, strings.ReplaceAll(o.cmd, "{n}", strconv.Itoa(n))})
	}
	return out, nil
}

// triageReports reads -report.
func triageReports(flag string) (map[string]string, error) {
	out := map[string]string{}
	for item := range strings.SplitSeq(flag, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		kind, path, ok := strings.Cut(item, "=")
		if !ok || path == "" || kind != "md" && kind != "json" {
			return nil, perf.Usagef("-report: %q is not KIND=FILE, of the kinds md, json", item)
		}
		for other, taken := range out {
			if other == kind || taken == path {
				return nil, perf.Usagef("-report: %s and %s=%s: two reports cannot be of one kind or in one file", item, other, taken)
			}
		}
		if err := canBeReport(path); err != nil {
			return nil, err
		}
		out[kind] = path
	}
	return out, nil
}

// A triage is one call of the target.
type triage struct {
	*profiling
	commands []sizedCommand
	budget   time.Duration // for the runs of each part
	about    experiment.Triage
}

// unknown notes what was not measured.
func (t *triage) unknown(what string, err error) {
	t.about.Unknown = append(t.about.Unknown, fmt.Sprintf("%s: %v", what, err))
}

// workload looks at the workload from all sides: alone, recorded, many at once, at sizes.
func (t *triage) workload(ctx context.Context, step suite.Step, processes experiment.Processes, engine *engine) (err error) {
	if step.Watch != nil {
		return perf.Usagef("%s watches a folder: profile -workload='%s' shows where its time goes, and benchHotReload how long its stages take", step.Name, step.Name)
	}
	r := engine.Runners(processes)(step)
	defer func() { err = errors.Join(err, r.Clean(ctx)) }()
	if r.Setup != nil {
		if err := r.Setup(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.Name, err)
		}
	}
	t.describe(ctx, step)
	if err := t.alone(ctx, step, r); err != nil {
		return fmt.Errorf("%s: %w", step.Name, err)
	}
	if step.Container == nil {
		t.profiles(ctx, step, processes)
	}
	if step.Container != nil {
		t.lifecycles(ctx, step, engine)
	} else {
		t.scale(ctx, step, processes)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t.about.Diagnose()
	return nil
}

// describe says what is looked at, and where.
func (t *triage) describe(ctx context.Context, step suite.Step) {
	a := &t.about
	expanded := step.Expand(t.space.Dir)
	a.Workload = experiment.TriageLoad{Name: step.Name, Command: step.Command.Args, Why: t.task.why}
	if step.Container != nil {
		a.Workload.Command = []string{step.Container.String()}
	}
	if step.Items != nil && step.Items.Number > 0 {
		a.Workload.Items, a.Workload.Unit = step.Items.Number, step.Items.Unit
	}
	a.Subject.Name = t.task.suite.Subject
	if !t.task.adHoc {
		a.Subject, _ = t.task.commit(ctx, t.space.Dir)
		a.Subject.Name = t.task.suite.Subject
	}
	e := &a.Environment
	e.Machine, _ = measure.Machine(ctx)
	e.Build, e.BuildWhy = profiler.BuildOf(profiler.Command{Args: expanded.Command.Args, Dir: expanded.Command.Dir})
	if step.Container != nil {
		e.Build, e.BuildWhy = profiler.BuildUnknown, "it is a container"
	}
	for _, c := range measure.Conditions(ctx) {
		if c.Effect != "" || slices.Contains(shownLimits, c.Name) {
			e.Limits = append(e.Limits, experiment.TriageLimit{Name: c.Name, Value: c.Value, Effect: c.Effect})
		}
	}
}

// shownLimits are conditions that are told even where they do nothing.
var shownLimits = []string{"CPU limit", "memory limit", "load"}

// alone runs the workload by itself, and once more for its memory.
func (t *triage) alone(ctx context.Context, step suite.Step, r experiment.Runner) error {
	var runs []experiment.Observation
	began := time.Now()
	warm := step.OneShot // what is costly counts from its first run on
	t.status.Announce(step.Name + ": runs by itself")
	for len(runs) < triageMost {
		o, err := r.Run(ctx)
		if err != nil {
			return err
		}
		if !warm && o.Wall < t.budget {
			warm = true
			continue
		}
		runs = append(runs, o)
		spent := time.Since(began)
		if step.OneShot || spent > t.budget && len(runs) >= triageLeast || spent > scaleMost {
			break
		}
	}
	cores := runtime.GOMAXPROCS(0)
	t.about.Usage = experiment.UsageOf(runs, cores)
	return t.memory(ctx, step, r)
}

func (t *triage) memory(ctx context.Context, step suite.Step, r experiment.Runner) error {
	if r.Memory == nil || step.OneShot || t.about.Usage.Wall > scaleMost.Seconds() {
		return nil
	}
	t.status.Announce(step.Name + ": a run for its memory")
	o, err := r.Memory(ctx)
	if err != nil {
		t.unknown("peak memory", err)
		return ctx.Err()
	}
	for _, v := range o.Values {
		if v.Metric == perf.PeakMemory {
			t.about.Usage.PeakMemory = v.Value
		}
	}
	return nil
}

// profiles records where the CPU time goes, and where it waits if it does.
func (t *triage) profiles(ctx context.Context, step suite.Step, processes experiment.Processes) {
	u := t.about.Usage
	kinds := []profiler.Kind{profiler.KindCPU}
	if u.Waiting > u.Wall/10 {
		kinds = append(kinds, profiler.KindOffCPU)
	}
	o := t.recorder(step, usage{wall: u.Wall, cpu: u.CPU(), delay: u.Delay})
	if o.Repeat > 1 { // of whole runs, as many as fit into twice the budget: a share needs samples
		o.Repeat = max(1, min(maxRepeats, int(2*t.budget.Seconds()/max(u.Wall, 1e-4))))
	}
	for _, kind := range kinds {
		t.status.Announce(fmt.Sprintf("%s: recording a profile (%s)", step.Name, kind))
		err := processes.Record(ctx, step, func(ctx context.Context, c measure.Command) error {
			return t.recorded(ctx, kind, profiler.Command{Args: c.Args, Dir: c.Dir, Env: c.Env, Profiles: step.Profiles}, o)
		})
		if err != nil {
			t.unknown("the "+string(kind)+" profile", err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// recorded makes one profile and takes it. A recording that holds less than half of the CPU
// time that its runs are known to take has missed most of them: perf is asked then.
func (t *triage) recorded(ctx context.Context, kind profiler.Kind, c profiler.Command, o profiler.Options) error {
	rec, err := recorders[kind](ctx, c, o)
	if err != nil {
		return err
	}
	expected := float64(rec.Runs) * t.about.Usage.CPU()
	if kind == profiler.KindCPU && o.Via == "" && rec.CPUTime > 0 && rec.CPUTime.Seconds() < expected/2 {
		t.say("the recording holds %s of about %s of CPU time: recording again by perf", rec.CPUTime, perf.Second.Format(expected))
		o.Via = profiler.ViaPerf
		if again, err := recorders[kind](ctx, c, o); err == nil {
			rec = again
		} else {
			t.unknown("the cpu profile", fmt.Errorf("it holds %s of about %s of CPU time, and perf does no better: %w", rec.CPUTime, perf.Second.Format(expected), err))
		}
	}
	return t.take(rec)
}

// take keeps a profile, and what it says of the classes.
func (t *triage) take(rec *profiler.Recording) error {
	view, err := look(rec.Profile, t.task.name)
	if err != nil {
		return err
	}
	dir := filepath.Join(t.dir, string(rec.Kind))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the folder of a profile: %w", err)
	}
	if _, err := writeProfile(dir, t.task.name+" ("+string(rec.Kind)+")", rec.Profile); err != nil {
		return err
	}
	for _, n := range rec.Notes {
		t.about.Unknown = append(t.about.Unknown, "the "+string(rec.Kind)+" profile: "+n)
	}
	for _, w := range rec.Warnings() {
		t.about.Unknown = append(t.about.Unknown, "the "+string(rec.Kind)+" profile: "+w)
	}
	p := experiment.TriageProfile{Kind: string(rec.Kind), Folder: filepath.ToSlash(dir), Samples: rec.Quality.Samples, Idle: view.Classes.Idle.Share,
		Init: view.Tree.Share(view.Tree.Through(calltree.IsInit))}
	if unit, factor := baseUnit(view.Tree.Unit.Unit); unit == perf.Second {
		runs := float64(max(rec.Runs, 1))
		p.Run = factor * float64(view.Tree.Total()-view.Classes.Idle.Weight) / runs
		p.Preempted = 1e-9 * float64(rec.Report.Waits.Preempted) / runs
	}
	for _, s := range view.Classes.Shares {
		p.Classes = append(p.Classes, experiment.TriageClass{Group: s.Group, Name: s.Name, Share: s.Share, Kernel: s.Kernel, Leaders: s.Leaders})
	}
	t.about.Profiles = append(t.about.Profiles, p)
	return nil
}

// scale looks at many at once and at rising sizes.
func (t *triage) scale(ctx context.Context, step suite.Step, processes experiment.Processes) {
	if t.tooLong() {
		return
	}
	u := t.about.Usage
	o := experiment.ScaleOptions{Runs: 3, Budget: 4 * t.budget}
	if u.Wall > 0.4*t.budget.Seconds() {
		o.Runs = 1
	}
	run, err := processes.AtOnce(step)
	if err == nil {
		t.status.Announce(step.Name + ": many at once")
		t.about.Scale.Parallel, err = o.Parallel(ctx, u.Cores, run)
	}
	if err != nil && ctx.Err() == nil {
		t.unknown("many at once", err)
	}
	if err := t.sizes(ctx, o, step, processes); err != nil && ctx.Err() == nil {
		t.unknown("rising sizes", err)
	}
}

// tooLong reports whether a run takes too long to make many of them, and notes it.
func (t *triage) tooLong() bool {
	wall := t.about.Usage.Wall
	if wall <= scaleMost.Seconds() {
		return false
	}
	t.unknown("scale", fmt.Errorf("a run takes %s, which is too long to make many of them", perf.Second.Format(wall)))
	return true
}

// lifecycles looks at many containers at once, as benchContainers does.
func (t *triage) lifecycles(ctx context.Context, step suite.Step, e *engine) {
	if t.tooLong() {
		return
	}
	t.status.Announce(step.Name + ": many at once")
	o := experiment.ScaleOptions{Budget: 4 * t.budget}
	var err error
	t.about.Scale, err = o.Lifecycles(ctx, e.Containers, step, t.about.Environment.Machine, t.status.Announce)
	if err != nil && ctx.Err() == nil {
		t.unknown("many at once", err)
	}
}

func (t *triage) sizes(ctx context.Context, o experiment.ScaleOptions, step suite.Step, processes experiment.Processes) (err error) {
	sizes := experiment.Sizes(step)
	for _, c := range t.commands {
		s, err := suite.AdHoc{Command: c.command, Runs: 1}.Suite()
		if err != nil {
			return err
		}
		w := s.Workloads[0]
		w.Command.Dir, w.Command.Env = step.Command.Dir, step.Command.Env
		sizes = append(sizes, experiment.SizedStep{N: c.n, Step: suite.Step{Workload: w, Wanted: true}})
	}
	if len(sizes) == 0 {
		return nil
	}
	t.status.Announce(step.Name + ": rising sizes")
	o.Runs = 5
	t.about.Scale.SizeUnit = t.about.Workload.Unit
	t.about.Scale.Sizes, err = o.Sized(ctx, sizes, processes.Runner)
	return err
}

// interrupted publishes what was found out before the triage was interrupted, if the
// workload has run by itself: all else says something of that.
func (t *triage) interrupted(cause string, files map[string]string, json bool) error {
	if t.about.Usage.Wall == 0 {
		return fmt.Errorf("%s: nothing was found out", cause)
	}
	t.unknown("the rest", errors.New("the triage was interrupted"))
	t.about.Diagnose()
	return errors.Join(t.publish(files, json), fmt.Errorf("%s: what was not measured until then is missing", cause))
}

// publish writes the triage and prints it.
func (t *triage) publish(files map[string]string, json bool) error {
	data, err := t.about.Encode()
	if err != nil {
		return err
	}
	var md bytes.Buffer
	if err := report.TriageMarkdown(&md, &t.about); err != nil {
		return err
	}
	path := filepath.Join(t.dir, "triage.json")
	err = baseline.WriteFile(path, data, 0o644)
	for kind, name := range files {
		content := map[string][]byte{"md": md.Bytes(), "json": data}[kind]
		f := reportFile{kind: kind, path: name, write: func(w io.Writer, _ report.Document) error { _, err := w.Write(content); return err }}
		err = errors.Join(err, f.save(report.Document{}))
	}
	if json {
		_, werr := t.out.Write(data)
		return errors.Join(err, werr)
	}
	return errors.Join(err, report.Triage(t.out, &t.about, t.style), report.ProfileFiles(t.err, []string{path}))
}
