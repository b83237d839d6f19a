package targets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/profiler"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// profilesDir is where profiles lie, below the root of the repository.
const profilesDir = ".perf/profiles"

// profileOptions are the flags of the targets that record.
type profileOptions struct {
	workload, cmd, seconds, url, via string
	open, strict                     bool
	cleanroom                        bool // the embedded subject, whatever the root shows
	containers                       bool // a workload of containers will do
	kinds                            []profiler.Kind
}

// subjects checks the flags that name what is looked at. An empty one, as -cmd="$CMD" is
// without that variable, does not ask for what is looked at by default.
func subjects(workload, cmd, url *string) error {
	for _, flag := range []struct {
		name  string
		value *string
	}{{"workload", workload}, {"cmd", cmd}, {"url", url}} {
		if flag.value != nil && strings.TrimSpace(*flag.value) == "" {
			return bare(perf.Usagef("-%s= names nothing: name something, or leave the flag out", flag.name))
		}
	}
	return nil
}

// defaultRecording is how much time the runs of a short command are to take together.
const defaultRecording = 10 * time.Second

// maxRepeats bounds how often a command is run for one profile.
const maxRepeats = 2000

// profileTask is what is recorded, and why that.
type profileTask struct {
	choice
	profileOptions
	limit    time.Duration // what -seconds says; 0: nothing
	recorder profiler.Via  // what -via says
	name     string
	why      string
}

// profiled is the targets that record.
func profiled(ctx context.Context, o profileOptions) error {
	ctx, stop := guarded(ctx)
	defer stop()
	t, err := o.task(ctx)
	if err != nil {
		return bare(err)
	}
	p, err := openProfiling(stdConsole(), t)
	if err != nil {
		return bare(err)
	}
	err = p.record(ctx)
	p.status.Clear()
	if ctx.Err() != nil {
		err = fmt.Errorf("%s: no profile was finished", interrupted(ctx))
	}
	err = errors.Join(err, p.space.Close(), p.warden.Close())
	_ = os.Remove(p.dir) // only an empty folder goes: nothing was recorded
	return bare(err)
}

// task decides what is recorded. Whatever makes no sense is an error before anything runs.
func (o profileOptions) task(ctx context.Context) (t profileTask, err error) {
	t = profileTask{profileOptions: o, choice: choice{mode: suite.Quick, wanted: map[string]bool{}}}
	if t.limit, err = duration("seconds", withUnit(o.seconds)); err != nil {
		return t, err
	}
	if t.recorder, err = profiler.ParseVia(o.via); err != nil {
		return t, err
	}
	if err := o.oneSubject(); err != nil {
		return t, err
	}
	switch {
	case o.url != "" && o.via != "":
		return t, perf.Usagef("-url asks a server for its profile, and -via=%s says how a command is recorded: take one of them", o.via)
	case o.url != "":
		t.name, t.why = o.url, "-url names it"
		return t, nil
	case o.cmd != "":
		err = t.command()
	default:
		err = t.ofSuite(ctx)
	}
	if err == nil {
		t.suite, t.wanted, err = t.suite.Select(t.name)
	}
	return t, err
}

// oneSubject refuses flags that name several things to look at: whoever gives two would
// not see which of them it was.
func (o profileOptions) oneSubject() error {
	var given []string
	for _, f := range []struct{ name, value string }{{"url", o.url}, {"cmd", o.cmd}, {"workload", o.workload}} {
		if f.value != "" {
			given = append(given, "-"+f.name+"="+f.value)
		}
	}
	if len(given) > 1 {
		return perf.Usagef("%s each name what to look at: take one of them", strings.Join(given, " and "))
	}
	return nil
}

// withUnit lets a bare number be seconds, as the flag is called.
func withUnit(s string) string {
	if s != "" && strings.Trim(s, "0123456789.") == "" {
		return s + "s"
	}
	return s
}

// command takes the command of -cmd.
func (t *profileTask) command() (err error) {
	a := suite.AdHoc{Command: t.cmd, Runs: 1, Timeout: t.limit}
	if t.suite, err = a.Suite(); err != nil {
		return err
	}
	if t.suite.Dir, err = os.Getwd(); err != nil {
		return fmt.Errorf("finding the working directory: %w", err)
	}
	t.adHoc, t.mode = true, suite.AdHocMode
	t.name, t.why = t.suite.Workloads[0].Name, "-cmd names it"
	return nil
}

// ofSuite takes a workload of the suite.
func (t *profileTask) ofSuite(ctx context.Context) (err error) {
	if t.cleanroom {
		t.source, err = cleanroomSource()
	} else {
		t.source, err = subject(ctx)
	}
	if err != nil {
		return err
	}
	if err := t.suite.CheckValid(); err != nil {
		return err
	}
	if t.workload == "" {
		t.name, t.why, err = usualWorkload(t.suite)
		return err
	}
	if t.name, err = suite.Resolve("workload", t.workload, t.workloads()); err != nil {
		return err
	}
	t.why = "-workload names it"
	return nil
}

// cleanroomSource is the embedded subject, which only the repository of this module has.
func cleanroomSource() (source, error) {
	root, err := os.Getwd()
	if err != nil {
		return source{}, fmt.Errorf("finding the root of the repository: %w", err)
	}
	module, err := goModule(filepath.Join(root, "go.mod"))
	if err != nil || module != modulePath {
		return source{}, errors.Join(perf.Usagef("the cleanroom subject lies in the repository %s, and this is another one: use the target profile here", modulePath), err)
	}
	return source{suite: suite.Cleanroom(root, exeSuffix())}, nil
}

// workloads are those that the target can take.
func (t *profileTask) workloads() []string {
	out := recordable(t.suite)
	for _, w := range t.suite.Workloads {
		if t.containers && w.Container != nil {
			out = append(out, w.Name)
		}
	}
	return out
}

// recordable are the workloads that are a command: one that ends, or watches.
func recordable(s suite.Suite) []string {
	var out []string
	for _, w := range s.Workloads {
		if len(w.Command.Args) > 0 {
			out = append(out, w.Name)
		}
	}
	return out
}

// usual are the workloads that show what a program does, the best first.
var usual = []struct{ name, why string }{
	{"self-test", "it goes through all that the subject does"},
	{"test suite", "of what the suite has it goes through most of the code"},
	{"cli startup", "it is what the suite has that runs the program"},
}

func usualWorkload(s suite.Suite) (name, why string, err error) {
	have := recordable(s)
	for _, u := range usual {
		if slices.Contains(have, u.name) {
			return u.name, u.why + "; -workload takes another: " + strings.Join(have, ", "), nil
		}
	}
	if len(have) == 0 {
		return "", "", perf.Usagef("%s has no workload that is a command: name one with -cmd", s.Subject)
	}
	return have[0], "it is the first that can be recorded; -workload takes another: " + strings.Join(have, ", "), nil
}

// A profiling is one call of a target that records.
type profiling struct {
	console
	task  profileTask
	space *experiment.Workspace
	// warden ends what the command has left if this process is killed.
	warden *measure.Warden
	id     string
	dir    string
	// each is called for the workload; nil records it.
	each func(context.Context, suite.Step, experiment.Processes, *engine) error
}

// openProfiling makes the folder that the profile is kept in.
func openProfiling(con console, t profileTask) (*profiling, error) {
	p := &profiling{console: con, task: t, id: baseline.NewID(time.Now())}
	var err error
	if p.dir, err = (baseline.Runs{Dir: profilesDir}).Create(p.id); err != nil {
		return nil, err
	}
	if p.space, err = experiment.OpenWorkspace(p.dir); err != nil {
		_ = os.Remove(p.dir) // only an empty folder goes
		return nil, err
	}
	return p, nil
}

func (p *profiling) say(format string, args ...any) {
	p.status.Clear()
	_ = report.Note(p.err, fmt.Sprintf(format, args...))
}

// record goes through what the workload needs, looks at one run of it, and records.
func (p *profiling) record(ctx context.Context) (err error) {
	t := p.task
	if t.url != "" {
		return p.fetch(ctx)
	}
	p.say("profiling %q: %s", t.name, t.why)
	remove, err := t.checkout(ctx, p.space.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	steps := t.suite.Plan(t.mode, t.wanted)
	engine := openEngine(ctx, p.id, t.suite, steps)
	defer func() {
		engine.close(ctx)
		for _, w := range engine.warnings {
			p.say("%s", w.Text)
		}
	}()
	if p.warden, err = measure.StartWarden(ctx); err != nil && ctx.Err() == nil {
		p.say("%v", err)
	}
	processes := experiment.Processes{Work: p.space.Dir, Logs: p.dir, Env: append(debugBuild(t.suite), p.warden.Env()...)}
	processes.EngineEnv = engine.env
	for _, step := range steps {
		if step.Wanted && p.each != nil {
			return p.each(ctx, step, processes, engine)
		}
		if step.Wanted {
			return p.workload(ctx, step, processes)
		}
		if err := p.prerequisite(ctx, step, processes); err != nil {
			return err
		}
	}
	return perf.Usagef("the suite has no workload %q", t.name)
}

// debugBuild is the environment in which cargo leaves in a release build what names
// functions and unwinds stacks.
func debugBuild(s suite.Suite) []string {
	if !slices.Contains(s.Toolchain(), "cargo") {
		return nil
	}
	return []string{"CARGO_PROFILE_RELEASE_DEBUG=line-tables-only", "CARGO_PROFILE_RELEASE_STRIP=none"}
}

// prerequisite runs once what the workload needs, as its build.
func (p *profiling) prerequisite(ctx context.Context, step suite.Step, processes experiment.Processes) error {
	p.status.Announce(step.Name + ": " + step.Command.String())
	r := processes.Runner(step)
	err := r.Setup(ctx)
	if err == nil {
		_, err = r.Run(ctx)
	}
	if err = errors.Join(err, r.Clean(ctx)); err != nil {
		return fmt.Errorf("%s: %w", step.Name, err)
	}
	return nil
}

// workload runs the workload once as it is, which tells whether it works, how long it
// takes and whether it computes or waits; then it records.
func (p *profiling) workload(ctx context.Context, step suite.Step, processes experiment.Processes) (err error) {
	if step.Watch != nil {
		return p.watched(ctx, step, processes)
	}
	r := processes.Runner(step)
	defer func() { err = errors.Join(err, r.Clean(ctx)) }()
	if err := r.Setup(ctx); err != nil {
		return fmt.Errorf("%s: %w", step.Name, err)
	}
	seen, err := p.asItIs(ctx, step, r)
	if err != nil {
		return fmt.Errorf("%s: %w", step.Name, err)
	}
	kinds := p.kinds(seen)
	options := p.recorder(step, seen)
	var failed error
	for _, kind := range kinds {
		failed = errors.Join(failed, p.kind(ctx, kind, kinds, step, processes, options))
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

// asItIs looks at one run. A command of the user's that does not end within -seconds is
// ended then, and is recorded for as long.
func (p *profiling) asItIs(ctx context.Context, step suite.Step, r experiment.Runner) (usage, error) {
	p.status.Announce(step.Name + ": one run as it is")
	began := time.Now()
	o, err := r.Run(ctx)
	if limit := p.task.limit; err != nil && ctx.Err() == nil && p.task.cmd != "" && limit > 0 && time.Since(began) >= limit {
		p.say("it does not end within %s, so it is ended then", limit)
		return usage{}, nil
	}
	return usageOf(o), err
}

// usage is what one run took, in seconds; zero means that it was not looked at.
type usage struct{ wall, cpu, delay float64 }

// waiting is the time in which the program neither computed nor could have, as far as a
// tree of processes lets one tell: time in which others had the CPU is no waiting.
func (u usage) waiting() float64 { return max(0, u.wall-u.cpu-u.delay) }

func usageOf(o experiment.Observation) usage {
	u := usage{wall: o.Wall.Seconds()}
	for _, v := range o.Values {
		switch v.Metric {
		case perf.CPU:
			u.cpu = v.Value
		case perf.RunDelay:
			u.delay = v.Value
		}
	}
	return u
}

// kinds are the profiles to record. What mostly waits is not explained by where it
// computes, so it gets both.
func (p *profiling) kinds(seen usage) []profiler.Kind {
	if len(p.task.kinds) > 0 {
		return p.task.kinds
	}
	if waits := seen.waiting(); waits > seen.wall/2 {
		p.say("it waits for %s of %s, so it gets an off-CPU profile beside the CPU one", perf.Second.Format(waits), perf.Second.Format(seen.wall))
		return []profiler.Kind{profiler.KindCPU, profiler.KindOffCPU}
	}
	if seen.wall > 0 {
		p.say("it computes for %s in %s: a CPU profile shows where", perf.Second.Format(seen.cpu), perf.Second.Format(seen.wall))
	}
	return []profiler.Kind{profiler.KindCPU}
}

// recorder says how to record. A command with something to be done around each run is
// run once.
func (p *profiling) recorder(step suite.Step, seen usage) profiler.Options {
	o := profiler.Options{Dir: p.space.Dir, Duration: p.task.limit, Repeat: 1, Via: p.task.recorder, Note: func(s string) { p.say("%s", s) }}
	time := cmp.Or(p.task.limit, defaultRecording).Seconds()
	around := len(step.Prepare)+len(step.Conclude)+len(step.Fresh) > 0
	if seen.wall > 0 && !around && !step.OneShot {
		o.Repeat = max(1, min(maxRepeats, int(time/seen.wall)))
	}
	return o
}

// recorders make the profiles of each kind.
var recorders = map[profiler.Kind]func(context.Context, profiler.Command, profiler.Options) (*profiler.Recording, error){
	profiler.KindCPU: profiler.CPU, profiler.KindOffCPU: profiler.OffCPU, profiler.KindHeap: profiler.Heap,
}

// kind records one kind of profile, keeps it and prints it.
func (p *profiling) kind(ctx context.Context, kind profiler.Kind, all []profiler.Kind, step suite.Step, processes experiment.Processes, o profiler.Options) error {
	runs := ""
	if kind == profiler.KindHeap {
		o.Repeat = 1
	}
	if o.Repeat > 1 {
		runs = fmt.Sprintf(", up to %d runs", o.Repeat)
	}
	p.status.Announce(fmt.Sprintf("%s: recording a profile (%s%s)", step.Name, kind, runs))
	var rec *profiler.Recording
	err := processes.Record(ctx, step, func(ctx context.Context, c measure.Command) (err error) {
		rec, err = recorders[kind](ctx, profiler.Command{Args: c.Args, Dir: c.Dir, Env: c.Env, Profiles: step.Profiles}, o)
		return err
	})
	if errors.Is(err, profiler.ErrNothing) && len(all) > 1 {
		p.say("%v", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", step.Name, err)
	}
	return p.keep(rec, kind == all[0])
}

// fetch takes the profiles from a server.
func (p *profiling) fetch(ctx context.Context) (err error) {
	kinds := p.task.kinds
	if len(kinds) == 0 {
		kinds = []profiler.Kind{profiler.KindCPU}
	}
	for _, kind := range kinds {
		limit := cmp.Or(p.task.limit, defaultRecording)
		p.status.Announce(fmt.Sprintf("%s: asking for a profile (%s, %s)", p.task.url, kind, limit))
		rec, ferr := profiler.Fetch(ctx, p.task.url, profiler.Options{Duration: limit}, kind)
		if ferr == nil {
			ferr = p.keep(rec, kind == kinds[0])
		}
		err = errors.Join(err, ferr)
	}
	return err
}
