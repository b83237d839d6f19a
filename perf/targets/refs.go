package targets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// refOptions are the flags of the targets that compare refs.
type refOptions struct {
	pairOptions
	workloads   string
	benchBudget string
	rebuilds    int
	policy      experiment.Policy
	allow       string
	suite       bool // control the false discoveries of all comparisons together
	suiteOnly   bool // leave the Go benchmarks out
	missing     bool // what only the old side has was to be compared
	profile     bool // attach profiles to what is SLOWER
}

// buildWorkload is the name of the clean build, which is compared only when it is named.
const buildWorkload = "build"

// Budgets of the Go benchmarks, each.
const defaultBenchBudget = 10 * time.Second

// maxRebuilds bounds how many builds of a side there are.
const maxRebuilds = 20

// refPlan is what the flags and the repository say, before anything is made.
type refPlan struct {
	refOptions
	rules  rules
	bench  time.Duration
	repo   experiment.Repository
	root   string // of the project, in the user's checkout
	refs   [2]string
	labels [2]string // what the reader is told that they are
	commit [2]string
	// layouts are the GOFLAGS of each build; none where there is one build of a side, which
	// is linked as its user does.
	layouts []string
	caches  [2]buildCache // of the sides, from the run on
}

// planRefs checks everything that can be checked before anything is built. A ref that is
// not there is a failure, and no usage error: who calls a gate in CI with a branch that
// was not fetched has not mistyped anything.
func planRefs(ctx context.Context, o refOptions, older, newer string) (p refPlan, err error) {
	p = refPlan{refOptions: o, refs: [2]string{older, newer}, labels: [2]string{older, newer}}
	if p.rules, err = o.rules(); err != nil {
		return p, err
	}
	p.rules.comparer.Suite = o.suite
	p.policy.AllowUnmeasured = items(o.allow)
	if p.bench, err = duration("benchBudget", o.benchBudget); err != nil {
		return p, err
	}
	p.bench = cmp.Or(p.bench, defaultBenchBudget)
	p.rebuilds = cmp.Or(p.rebuilds, 1)
	if p.rebuilds < 1 || p.rebuilds > maxRebuilds {
		return p, perf.Usagef("-rebuilds=%d: from 1 to %d builds of each side make sense", p.rebuilds, maxRebuilds)
	}
	if p.root, err = refRoot(); err != nil {
		return p, err
	}
	if p.repo, err = experiment.FindRepository(ctx, p.root); err != nil {
		return p, err
	}
	if p.rebuilds > 1 {
		if p.layouts, err = layouts(ctx, p.root, p.rebuilds); err != nil {
			return p, err
		}
	}
	for i, ref := range p.refs {
		if p.commit[i], err = p.repo.Commit(ctx, ref); err != nil {
			return p, failure(err)
		}
	}
	return p, nil
}

// failure is err with the exit status of a failure, whatever its own is.
func failure(err error) error {
	return &perf.StatusError{Status: perf.ExitFailure, Err: errors.New(err.Error())}
}

// refRoot is the project whose refs are compared: the one that the environment names,
// or the one that Mage runs in.
func refRoot() (string, error) {
	root, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the root of the repository: %w", err)
	}
	if os.Getenv("CLNRM_BIN") != "" || os.Getenv("CLNRM_REF") != "" {
		return "", perf.Usagef("refs are given as arguments and built here: unset CLNRM_BIN and CLNRM_REF")
	}
	if dir := os.Getenv("CLNRM_DIR"); dir != "" {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
		if !exists(filepath.Join(dir, "Cargo.toml")) {
			return "", perf.Usagef("CLNRM_DIR: %s holds no Cargo.toml: name the root of a clnrm checkout", dir)
		}
		return dir, nil
	}
	return root, nil
}

// comparedRefs is the target compareRefs.
func comparedRefs(ctx context.Context, o refOptions, older, newer string) error {
	ctx, stop := guarded(ctx)
	defer stop()
	p, err := planRefs(ctx, o, older, newer)
	if err != nil {
		return bare(err)
	}
	return bare(runRefs(ctx, p))
}

// runRefs compares what the plan says.
func runRefs(ctx context.Context, p refPlan) error {
	r, err := openRun(stdConsole())
	if err != nil {
		return err
	}
	r.paired(p.policy, p.rules.files)
	if p.rules.comparer.Suite {
		r.result.Mode = report.SuiteMode
	}
	return r.finish(ctx, r.compareRefs(ctx, p), p.json, report.Paired)
}

// A refSide is one of the two refs, checked out and built.
type refSide struct {
	name      string // of its folders
	ref       string
	dir       string // of the project in its worktree
	suite     suite.Suite
	processes []experiment.Processes // one for each build
}

// compareRefs checks both refs out, builds them, and compares their workloads.
func (r *run) compareRefs(ctx context.Context, p refPlan) (err error) {
	r.result.Suite = "compare refs"
	r.result.Subject = perf.Subject{Name: p.labels[1] + " against " + p.labels[0], Commit: p.commit[1], Dirty: p.refs[1] == experiment.WorktreeRef}
	r.result.Machine, r.result.Warnings = measure.Machine(ctx)
	p.caches = r.buildCaches(ctx, p.root)
	var sides [2]*refSide
	for i := range sides {
		side, tree, err := r.checkOut(ctx, p, i)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, tree.Remove()) }()
		sides[i] = side
	}
	r.result.Suite = sides[1].suite.Name
	maps.Copy(r.result.Machine.Toolchain, measure.Toolchain(ctx, sides[1].suite.Toolchain()...))
	names, patterns, err := p.selection(sides)
	if err != nil {
		return err
	}
	engine := sideEngine(ctx, r.result.ID, sides, names)
	defer func() {
		engine.close(ctx)
		r.result.Warnings = append(r.result.Warnings, engine.warnings...)
	}()
	groups, err := r.pairings(ctx, p, sides, names, patterns)
	if err != nil {
		return err
	}
	if err := r.pairs(ctx, p.rules, groups); err != nil || !p.profile {
		return err
	}
	r.profileSlower(ctx, groups)
	return nil
}

// sideEngine opens the container engine for the named workloads of both sides, if one of
// them makes containers.
func sideEngine(ctx context.Context, run string, sides [2]*refSide, names []string) *engine {
	var steps []suite.Step
	for _, side := range sides {
		for _, name := range names {
			w, _ := side.suite.Workload(name)
			steps = append(steps, suite.Step{Workload: w, Wanted: true})
		}
	}
	engine := openEngine(ctx, run, sides[1].suite, steps)
	for _, side := range sides {
		for i := range side.processes {
			side.processes[i].EngineEnv, side.processes[i].Image = engine.env, engine.image
		}
	}
	return engine
}

// sideNames are of equal length, so that nothing depends on which side it is.
var sideNames = [2]string{"old", "new"}

// checkOut makes the worktree of one side and finds its suite.
func (r *run) checkOut(ctx context.Context, p refPlan, i int) (*refSide, *experiment.Worktree, error) {
	side := &refSide{name: sideNames[i], ref: p.labels[i]}
	src := filepath.Join(r.space.Dir, "src-"+side.name)
	tree, err := p.repo.CheckOut(ctx, p.refs[i], src)
	if err != nil {
		return nil, nil, failure(err)
	}
	side.dir = filepath.Join(src, p.repo.Prefix)
	if side.suite, err = suiteIn(ctx, p.root, side.dir); err != nil {
		return nil, nil, errors.Join(failure(fmt.Errorf("%s: %w", side.ref, err)), tree.Remove())
	}
	for k := range p.rebuilds {
		side.processes = append(side.processes, r.processes(ctx, p, i, k))
	}
	return side, tree, nil
}

// processes are those of one build of a side. All builds of a side have its build cache. Each
// of several is linked in another order of functions, where the linker can do that: with
// one layout alone, its luck cannot be told from the code's merit. The go command leaves its
// temporary folder behind when it is ended; what is not measured has it where the run does.
func (r *run) processes(ctx context.Context, p refPlan, side, k int) experiment.Processes {
	work, cache := r.space.Dir, p.caches[side]
	env := slices.Concat(r.mark(ctx), cache.env)
	if k < len(p.layouts) {
		env = append(env, "GOFLAGS="+p.layouts[k])
	}
	return experiment.Processes{Work: filepath.Join(work, fmt.Sprintf("%s%d", sideNames[side], k)), Root: work, Logs: r.dir, Env: env, BuildEnv: append(slices.Clone(cache.builds), "GOTMPDIR="+work)}
}

// suiteIn is the suite of the project at root, in the checkout dir of one of its refs.
func suiteIn(ctx context.Context, root, dir string) (suite.Suite, error) {
	if os.Getenv("CLNRM_DIR") != "" {
		return suite.Clnrm(suite.ClnrmOptions{Dir: dir, Exe: exeSuffix()}), nil
	}
	if used != nil {
		return used.Relocate(root, dir), nil
	}
	s, err := shownBy(ctx, dir)
	return s.suite, err
}

// pairings builds both sides and pairs their workloads.
func (r *run) pairings(ctx context.Context, p refPlan, sides [2]*refSide, names, patterns []string) ([][]experiment.Pairing, error) {
	r.gone(p, onlyOld(sides))
	aliases := experiment.Aliases(r.space.Dir)
	var groups [][]experiment.Pairing
	for _, side := range sides {
		if err := r.build(ctx, side, names); err != nil {
			return nil, failure(fmt.Errorf("%s: %w", side.ref, err))
		}
	}
	for _, name := range names {
		groups = append(groups, []experiment.Pairing{p.pairing(name, sides, aliases)})
	}
	switch {
	case patterns == nil:
		return groups, p.checkAllowed(workloadNames(sides), nil)
	case !p.hasBenchmarks():
		return groups, cmp.Or(noBenchmark(p, patterns, nil), p.checkAllowed(workloadNames(sides), patterns))
	}
	benchmarks, err := r.benchmarks(ctx, p, sides, aliases, patterns)
	if len(benchmarks) > 0 {
		groups = append(groups, benchmarks)
	}
	if err == nil && len(groups) == 0 {
		err = failure(fmt.Errorf("nothing was compared: no workload and no Go benchmark is in both %s and %s", p.labels[0], p.labels[1]))
	}
	return groups, err
}

// selection resolves -workload: the names of the suite's workloads that are compared,
// and the beginnings of names of benchmarks; nil patterns mean none, an empty one all.
func (p refPlan) selection(sides [2]*refSide) (names, patterns []string, err error) {
	var both []string
	for _, w := range sides[1].suite.Workloads {
		if _, ok := sides[0].suite.Workload(w.Name); ok && w.Container == nil { // which shows the engine, and no ref
			both = append(both, w.Name)
		}
	}
	if strings.TrimSpace(p.workloads) == "" {
		if !p.suiteOnly {
			patterns = []string{""}
		}
		return slices.DeleteFunc(both, func(n string) bool { return n == buildWorkload }), patterns, nil
	}
	for item := range strings.SplitSeq(p.workloads, ",") {
		item = strings.TrimSpace(item)
		if strings.Contains(item, "Benchmark") {
			patterns = append(patterns, item)
			continue
		}
		name, err := suite.Resolve("workload", item, both)
		if err != nil {
			return nil, nil, fmt.Errorf("%w (benchmarks are named by what begins their name, as BenchmarkParse)", err)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, patterns, nil
}

// onlyOld are the workloads that the new side lacks.
func onlyOld(sides [2]*refSide) []string {
	return slices.DeleteFunc(sides[0].suite.Names(), func(name string) bool {
		_, ok := sides[1].suite.Workload(name)
		return ok
	})
}

// hasBenchmarks reports whether the project is a Go module.
func (p refPlan) hasBenchmarks() bool { return exists(filepath.Join(p.root, "go.mod")) }

// build runs what the wanted workloads of a side need, once for each build.
func (r *run) build(ctx context.Context, side *refSide, names []string) error {
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	for _, step := range side.suite.Plan(suite.Full, wanted) {
		if !side.needed(step.Name, names) {
			continue
		}
		for k, processes := range side.processes {
			r.status.Announce(fmt.Sprintf("building %s (%d of %d): %s", side.ref, k+1, len(side.processes), step.Command))
			if err := processes.Build(ctx, step); err != nil {
				return err
			}
		}
		alike, err := experiment.Alike(side.processes, step)
		if err != nil {
			return err
		}
		if alike {
			r.warn(fmt.Sprintf("builds of %s are the same program, byte for byte: its tools cannot lay the code out anew, so -rebuilds tells nothing about the luck of one layout", side.ref))
		}
	}
	return nil
}

// needed reports whether one of the named workloads needs the workload called name.
func (s *refSide) needed(name string, names []string) bool {
	for _, n := range names {
		w, _ := s.suite.Workload(n)
		if slices.Contains(w.Needs, name) || slices.ContainsFunc(w.Needs, func(need string) bool { return s.needed(name, []string{need}) }) {
			return true
		}
	}
	return false
}

// pairing pairs one workload of the suites.
func (p refPlan) pairing(name string, sides [2]*refSide, aliases []string) experiment.Pairing {
	var arms [2]experiment.Arm
	var step suite.Step
	for i, side := range sides {
		for _, s := range side.suite.Plan(suite.Full, map[string]bool{name: true}) {
			if s.Name == name {
				step = s
			}
		}
		var builds []string
		for _, processes := range side.processes {
			builds = append(builds, processes.Work)
		}
		arms[i] = side.processes[0].Arm(side.ref, step, i, aliases, builds...)
	}
	return experiment.Pairing{Workload: name, Command: step.Command.Args, Old: arms[0], New: arms[1], Gate: p.rules.gate, Budget: p.rules.budget, Builds: p.rebuilds}
}

// benchmarks builds and pairs the Go benchmarks of both sides.
func (r *run) benchmarks(ctx context.Context, p refPlan, sides [2]*refSide, aliases, patterns []string) ([]experiment.Pairing, error) {
	o := experiment.BenchmarkOptions{Budget: p.bench, Aliases: aliases, Pattern: functions(patterns), Wanted: func(name string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return begins(pattern, name) })
	}}
	module := func(s *refSide) experiment.GoModule {
		return experiment.GoModule{Ref: s.ref, Dir: s.dir, Processes: s.processes[0]}
	}
	list, gone, fresh, err := experiment.Benchmarks(ctx, module(sides[0]), module(sides[1]), o, r.status.Announce)
	if err != nil {
		return nil, failure(err)
	}
	names := slices.Concat(gone, fresh)
	for _, pairing := range list {
		names = append(names, pairing.Workload)
	}
	if err := cmp.Or(noBenchmark(p, patterns, names), p.checkAllowed(slices.Concat(workloadNames(sides), names), patterns)); err != nil {
		return nil, err
	}
	for _, name := range fresh {
		r.warn("the benchmark " + name + " is new in " + p.labels[1] + ": there is nothing to compare it with")
	}
	r.gone(p, gone)
	if len(list) > 0 {
		r.status.Announce(fmt.Sprintf("%d Go benchmarks, each until it is decided or for %s", len(list), p.bench))
	}
	return list, nil
}

// begins reports whether a pattern begins the name of a benchmark, with its package or
// without.
func begins(pattern, name string) bool {
	_, bare, _ := strings.Cut(name, ".")
	return strings.HasPrefix(name, pattern) || strings.HasPrefix(bare, pattern)
}

// noBenchmark is the error about a benchmark that was named and is on neither side: whoever
// has mistyped a name must not take it for compared.
func noBenchmark(p refPlan, patterns, names []string) error {
	for _, pattern := range patterns {
		if pattern != "" && !slices.ContainsFunc(names, func(name string) bool { return begins(pattern, name) }) {
			return failure(fmt.Errorf("%s begins the name of no Go benchmark in %s or %s, so nothing was compared", pattern, p.labels[0], p.labels[1]))
		}
	}
	return nil
}

// workloadNames are the names of the workloads of either side.
func workloadNames(sides [2]*refSide) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(sides[0].suite.Names(), sides[1].suite.Names()))))
}

// checkAllowed is the error about a name in -allowUnmeasured that is none of those of both
// sides: it would allow nothing, and nobody would notice before it is needed. Benchmarks
// that the patterns do not ask for were not looked for, so nothing is said of them.
func (p refPlan) checkAllowed(names, patterns []string) error {
	for _, item := range p.policy.AllowUnmeasured {
		asked := slices.ContainsFunc(patterns, func(pattern string) bool { return begins(pattern, item) })
		if strings.Contains(item, "Benchmark") && !asked {
			continue
		}
		name, err := suite.Resolve("name in -allowUnmeasured", item, names)
		if err == nil && name != item {
			err = fmt.Errorf("-allowUnmeasured=%s: names are given as a whole here: did you mean %q?", item, name)
		}
		if err != nil {
			return failure(err)
		}
	}
	return nil
}

// functions is the pattern of the functions that the beginnings of names ask for: what
// stands behind the package and before the first slash.
func functions(patterns []string) string {
	var alternatives []string
	for _, p := range patterns {
		at := strings.Index(p, "Benchmark")
		if at < 0 {
			return "."
		}
		name, _, whole := strings.Cut(p[at:], "/")
		name = "^" + regexp.QuoteMeta(name)
		if whole {
			name += "$"
		}
		alternatives = append(alternatives, name)
	}
	return strings.Join(alternatives, "|")
}

// gone tells of what only the old side has. Where everything was to be compared it counts
// as not measured: a benchmark that was removed must not turn a gate green.
func (r *run) gone(p refPlan, names []string) {
	for _, name := range names {
		if p.missing {
			r.result.Comparisons = append(r.result.Comparisons, experiment.Missing(name, p.labels[0], p.labels[1]))
		} else {
			r.warn(name + " is gone from " + p.labels[1] + ": nothing tells whether what it measured got slower")
		}
	}
}

func (r *run) warn(text string) {
	r.result.Warnings = append(r.result.Warnings, perf.Warning{Kind: perf.WarnSubject, Text: text})
}
