package targets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// Where results lie, below the folder that Mage runs in: the root of the repository.
const (
	runsDir      = ".perf/runs"
	baselinesDir = "baselines"
)

// options are the flags that the measuring targets share.
type options struct {
	mode, only, set string
	allow           string // objectives that may be NOT MEASURED
	report          string // reports to write
	json            bool
	reloads         bool // only the workloads that watch
	policy          experiment.Policy
}

// A choice is what is measured: a suite with what the flags made of it.
type choice struct {
	source
	wanted map[string]bool
	only   []string
	mode   suite.Mode
	policy experiment.Policy
	adHoc  bool // a command of the user's, no suite
}

// choose finds the suite and applies the flags. Whatever makes no sense is an error
// before anything is run or written.
func choose(ctx context.Context, o options) (c choice, err error) {
	c.policy = o.policy
	if c.mode, err = suite.ModeNamed(o.mode); err != nil {
		return c, err
	}
	if c.source, err = subject(ctx); err != nil {
		return c, err
	}
	if err := c.suite.CheckValid(); err != nil {
		return c, err
	}
	if c.policy.AllowUnmeasured, err = objectives(c.suite, o.allow); err != nil {
		return c, err
	}
	if c.suite, err = c.suite.Set(o.set); err != nil {
		return c, err
	}
	if o.reloads {
		if o.only = c.suite.Reloads(); o.only == "" {
			return c, perf.Usagef("%s watches nothing: there is no hot reload to measure", c.suite.Subject)
		}
	}
	c.suite, c.wanted, err = c.suite.Select(o.only)
	if o.only != "" {
		for _, name := range c.suite.Names() {
			if c.wanted[name] {
				c.only = append(c.only, name)
			}
		}
	}
	return c, err
}

// items are the words of a comma list, such as -allowUnmeasured.
func items(list string) []string {
	var out []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// objectives resolves a comma list of names of objectives.
func objectives(s suite.Suite, list string) ([]string, error) {
	var names, out []string
	for _, o := range s.Objectives {
		names = append(names, o.Name)
	}
	for _, item := range items(list) {
		name, err := suite.Resolve("objective", item, names)
		if err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, nil
}

// planned is the target plan.
func planned(ctx context.Context, o options) error {
	c, err := choose(ctx, o)
	if err != nil {
		return bare(err)
	}
	con := stdConsole()
	return bare(report.Plan(con.out, c.suite, c.mode, c.suite.Plan(c.mode, c.wanted), con.style))
}

// measured is the targets benchmarks, benchmarkAll and cleanroomSloCheck.
func measured(ctx context.Context, o options) error {
	ctx, stop := guarded(ctx)
	defer stop()
	c, err := choose(ctx, o)
	if err != nil {
		return bare(err)
	}
	r, err := openReportedRun(o.report)
	if err != nil {
		return bare(err)
	}
	return bare(r.finish(ctx, r.measure(ctx, c), o.json, report.Result))
}

// A run is one run of a suite, from the folder that it is kept in to its exit status.
type run struct {
	console
	began  time.Time
	store  baseline.Runs
	space  *experiment.Workspace
	dir    string
	result *perf.Result
	policy experiment.Policy
	// judge says which exit status the result deserves, and headline why; nil is that
	// of a suite that was measured.
	judge    func(*perf.Result) int
	headline func(*perf.Result) string
	files    []reportFile // reports to write
	warden   *measure.Warden
	// compared says that the run is about its comparisons, untold that only the reader at
	// the terminal is told.
	compared, untold bool
}

// exit is the exit status that the result deserves.
func (r *run) exit(res *perf.Result) int {
	if r.judge != nil {
		return r.judge(res)
	}
	return r.policy.Status(res)
}

// openRun makes the run's folder.
func openRun(con console) (*run, error) {
	now := time.Now()
	r := &run{console: con, began: now, store: baseline.Runs{Dir: runsDir}}
	r.result = &perf.Result{Schema: perf.Schema, ID: baseline.NewID(now), Created: now.UTC().Truncate(time.Microsecond), Tool: perf.Tool{Version: version()}}
	var err error
	if r.dir, err = r.store.Create(r.result.ID); err != nil {
		return nil, err
	}
	if r.space, err = experiment.OpenWorkspace(r.dir); err != nil {
		_ = os.Remove(r.dir) // only an empty folder goes
		return nil, err
	}
	return r, nil
}

// openReportedRun makes the folder of a run that writes reports, once it is known that
// these make sense.
func openReportedRun(reports string) (*run, error) {
	files, err := parseReports(reports)
	if err != nil {
		return nil, err
	}
	r, err := openRun(stdConsole())
	if err == nil {
		r.files = files
	}
	return r, err
}

// mark posts the warden of the run, unless there is one, and returns what it knows the
// run's processes by. Without one the run goes on: it is needed only if this process is
// killed.
func (r *run) mark(ctx context.Context) []string {
	if r.warden == nil {
		var err error
		if r.warden, err = measure.StartWarden(ctx); err != nil && ctx.Err() == nil {
			r.result.Warnings = append(r.result.Warnings, perf.Warning{Kind: perf.WarnEnvironment, Text: err.Error()})
		}
	}
	return r.warden.Env()
}

// measure runs the chosen suite and fills in the result.
func (r *run) measure(ctx context.Context, c choice) (err error) {
	r.describe(ctx, c)
	remove, err := c.checkout(ctx, r.space.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	s, warnings := c.commit(ctx, r.space.Dir)
	s.Name = c.suite.Subject
	r.result.Subject = s
	if !c.adHoc { // a command need not come from a repository
		r.result.Warnings = append(r.result.Warnings, warnings...)
	}
	steps := c.suite.Plan(c.mode, c.wanted)
	r.learnCosts(steps)
	r.checkEmptyCache(ctx, steps)
	return r.engine(ctx, c.suite, steps)
}

// describe fills in what is known before anything is measured.
func (r *run) describe(ctx context.Context, c choice) {
	r.result.Suite, r.result.Mode, r.result.Only = c.suite.Name, c.mode.Name, c.only
	r.policy = c.policy
	r.result.Machine, r.result.Warnings = measure.Machine(ctx)
	maps.Copy(r.result.Machine.Toolchain, measure.Toolchain(ctx, c.suite.Toolchain()...))
	r.result.Subject.Name = c.suite.Subject
}

// learnCosts takes what a costly step took the last time for what it will take now.
func (r *run) learnCosts(steps []suite.Step) {
	last, _, err := r.store.Newest(func(res *perf.Result) bool { return res.Suite == r.result.Suite && res.Complete })
	if err == nil {
		experiment.LearnCosts(steps, last)
	}
}

// engine goes through the steps, saving what is known after each.
func (r *run) engine(ctx context.Context, s suite.Suite, steps []suite.Step) error {
	engine := openEngine(ctx, r.result.ID, s, steps)
	defer func() {
		engine.close(ctx)
		r.result.Warnings = append(r.result.Warnings, engine.warnings...)
	}()
	processes := experiment.Processes{Work: r.space.Dir, Logs: r.dir, Env: r.mark(ctx)}
	processes.EngineEnv, processes.Image = engine.env, engine.image
	e := experiment.Engine{New: engine.Runners(processes), Hooks: experiment.Hooks{
		Announce: r.status.Announce,
		Progress: r.status.Progress,
		Done: func(res *perf.Result) error {
			res.Exit = r.exit(res)
			_, err := r.store.Write(res)
			return err
		},
	}}
	return e.Run(ctx, steps, r.result)
}

// senseless reports whether the call turned out to make no sense before anything was
// measured, as where a ref has no workload of the name that is asked for. Such a run is no
// run: there is nothing to keep or to report.
func (r *run) senseless(err error) bool {
	return perf.ExitStatus(err) == perf.ExitUsage && len(r.result.Workloads)+len(r.result.Comparisons) == 0
}

// finish removes what the run built, saves the result, prints it and returns the
// error that carries the exit status. What was measured before an interruption or an
// error is saved and printed like the rest.
func (r *run) finish(ctx context.Context, err error, json bool, show render) error {
	r.status.Clear()
	stopped := ctx.Err() != nil && !r.result.Complete
	if stopped {
		err = nil // the interruption is the cause of whatever went wrong since
	}
	err = errors.Join(err, r.space.Close(), r.warden.Close())
	if r.compared {
		locate(".", r.result.Workloads)
	} else {
		locateObjectives(".", r.result.Objectives)
	}
	if r.senseless(err) {
		return bare(errors.Join(err, os.RemoveAll(r.dir)))
	}
	r.result.Exit = perf.WorstExit(r.exit(r.result), perf.ExitStatus(err))
	path, werr := r.store.Write(r.result)
	err = errors.Join(err, werr)
	if serr := r.show(r.result, json, show); serr != nil {
		err = errors.Join(err, fmt.Errorf("printing the result: %w", serr))
	}
	if !r.untold {
		err = errors.Join(err, r.publish(report.Document{Result: r.result, Policy: r.policy, Compared: r.compared}, r.files))
	}
	status := perf.WorstExit(r.result.Exit, perf.ExitStatus(err))
	switch {
	case err != nil:
		return ended(status, "%w", err)
	case stopped:
		return ended(status, "%s: what was measured is in %s, marked incomplete", interrupted(ctx), path)
	}
	if err := report.Saved(r.err, filepath.ToSlash(path), status, time.Since(r.began)); err != nil {
		return ended(perf.WorstExit(status, perf.ExitFailure), "%w", err)
	}
	headline := report.Headline
	if r.headline != nil {
		headline = r.headline
	}
	return ended(status, "%s", headline(r.result))
}
