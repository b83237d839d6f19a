package targets

import (
	"context"
	"errors"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
)

// shelf is where the baselines and runs of one suite on this machine lie.
type shelf struct {
	console
	store baseline.Store
	runs  baseline.Runs
	suite string
	print string // this machine's fingerprint
}

// openShelf opens the shelf of the suite that the subject has, or of the one that is
// named: imported results have no subject here, and may be of another machine.
func openShelf(ctx context.Context, suite string) (*shelf, error) {
	machine, _ := measure.Machine(ctx)
	sh := &shelf{stdConsole(), baseline.Store{Dir: baselinesDir}, baseline.Runs{Dir: runsDir}, suite, machine.Fingerprint}
	if suite == "" {
		s, err := subject(ctx)
		if err != nil {
			return nil, err
		}
		sh.suite = s.suite.Name
		return sh, nil
	}
	if err := baseline.CheckName("suite", suite); err != nil {
		return nil, err
	}
	if r, _, err := sh.runs.Newest(func(r *perf.Result) bool { return r.Suite == suite && r.Complete }); err == nil && r.Imported() {
		sh.print = r.Machine.Fingerprint
	}
	return sh, nil
}

// pick returns the run of that id, or the newest one of the suite that accept takes.
func (s *shelf) pick(id string, accept func(*perf.Result) bool) (*perf.Result, error) {
	if id != "" {
		r, err := s.runs.Load(id)
		if err == nil && r.Suite != s.suite {
			return nil, perf.Usagef("-run=%s is a run of the suite %q, and this is about the suite %q", id, r.Suite, s.suite)
		}
		return r, err
	}
	r, skipped, err := s.runs.Newest(func(r *perf.Result) bool { return r.Suite == s.suite && accept(r) })
	for _, e := range skipped {
		_ = report.Note(s.err, "skipped a run that cannot be read: "+e.Error())
	}
	return r, err
}

// baselineSave is the target baseline:save.
func baselineSave(ctx context.Context, name, suite, run string) error {
	s, err := openShelf(ctx, suite)
	if err != nil {
		return bare(err)
	}
	if err := baseline.CheckName("baseline", name); err != nil {
		return bare(err)
	}
	r, err := s.pick(run, (*perf.Result).Whole)
	if err != nil {
		return bare(err)
	}
	path, err := s.store.Save(r, name)
	if err != nil {
		return bare(err)
	}
	return bare(report.BaselineSaved(s.out, r, path))
}

// listedRuns is how many of the newest runs baseline:list shows.
const listedRuns = 10

// baselineList is the target baseline:list.
func baselineList(ctx context.Context, suite string) error {
	s, err := openShelf(ctx, suite)
	if err != nil {
		return bare(err)
	}
	entries, broken := s.store.List()
	if err := report.Baselines(s.out, entries, s.print, time.Now(), s.style); err != nil {
		return bare(err)
	}
	runs, unreadable := s.runs.Recent(listedRuns, func(r *perf.Result) bool { return r.Suite == s.suite })
	if len(runs) > 0 {
		err = report.Runs(s.out, runs, s.style)
	}
	return bare(errors.Join(append(append(broken, unreadable...), err)...))
}

// load finds a baseline: this machine's, or with foreign also one of another.
func (s *shelf) load(name string, foreign bool) (*perf.Result, error) {
	if err := baseline.CheckName("baseline", name); err != nil {
		return nil, err
	}
	r, err := s.store.Load(s.suite, s.print, name)
	if err == nil || !foreign || !isNotFound(err) {
		return r, err
	}
	entries, err := s.store.Find(s.suite, name)
	if len(entries) == 0 {
		return nil, err // none has it, or those that are there cannot be read
	}
	return s.store.Load(s.suite, entries[0].Fingerprint, name)
}

// both loads the baseline and picks the run that is set against it, at once: where they
// are large, reading is most of a comparison.
func (s *shelf) both(name string, o compareOptions) (old, now *perf.Result, err error) {
	var fault error // of the baseline
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		old, fault = s.load(name, o.acrossMachines)
	}()
	now, err = s.pick(o.run, func(r *perf.Result) bool {
		<-loaded
		return fault != nil || r.ID != old.ID && r.Complete // without a baseline any run will do
	})
	if <-loaded; fault != nil {
		return nil, nil, fault
	}
	return old, now, err
}

func isNotFound(err error) bool {
	_, ok := errors.AsType[*baseline.NotFoundError](err)
	return ok
}

// baselineShow is the target baseline:show.
func baselineShow(ctx context.Context, name, suite string, json bool) error {
	s, err := openShelf(ctx, suite)
	if err != nil {
		return bare(err)
	}
	r, err := s.load(name, true)
	if err != nil {
		return bare(err)
	}
	return bare(s.show(r, json, report.Result))
}

type compareOptions struct {
	policy         experiment.Policy
	acrossMachines bool
	suite, run     string
	report         string // reports to write
	json           bool
	remeasure      bool
	budget         string
	workloads      string
}

// commensurable says why now cannot be set against the baseline old: it is the run that the
// baseline was made of, or its machine is another one and nobody asked for that. Runs
// come along with a folder that is copied, or restored from a cache.
func commensurable(old, now *perf.Result, acrossMachines bool) error {
	here, there := now.Machine.Fingerprint, old.Machine.Fingerprint
	switch {
	case now.ID == old.ID:
		return perf.Usagef("-run=%s is the run that the baseline was made of: name another one, or measure again", now.ID)
	case here != there && !acrossMachines:
		return perf.Usagef("run %s is of the machine %s and the baseline of %s: measure on one of them, or compare with -acrossMachines, and then no time gates", now.ID, here, there)
	}
	return nil
}

// baselineCompare is the target baseline:compare.
func baselineCompare(ctx context.Context, name string, o compareOptions) error {
	if o.remeasure {
		return remeasured(ctx, name, o)
	}
	for flag, value := range map[string]string{"-budget": o.budget, "-workload": o.workloads} {
		if value != "" {
			return bare(perf.Usagef("%s is for -remeasure: without it nothing is measured", flag))
		}
	}
	files, err := parseReports(o.report)
	if err != nil {
		return bare(err)
	}
	s, err := openShelf(ctx, o.suite)
	if err != nil {
		return bare(err)
	}
	old, now, err := s.both(name, o)
	if err == nil {
		err = commensurable(old, now, o.acrossMachines)
	}
	if err != nil {
		return bare(err)
	}
	compared := *now
	compared.Comparisons = experiment.CompareUnpaired(name, old, now)
	compared.Warnings = append(compared.Warnings, experiment.CompareWarnings(name, old, now, time.Now())...)
	compared.Exit = o.policy.ComparisonStatus(compared.Comparisons)
	if err := s.show(&compared, o.json, report.Comparison(name, old)); err != nil {
		return bare(err)
	}
	if err := s.publish(report.Document{Result: &compared, Policy: o.policy, Compared: true}, files); err != nil {
		return ended(perf.WorstExit(compared.Exit, perf.ExitFailure), "%w", err)
	}
	return ended(compared.Exit, "%s", report.ComparisonHeadline(&compared))
}
