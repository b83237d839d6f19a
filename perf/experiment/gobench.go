package experiment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/benchio"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// perOperation is the time of an operation of a Go benchmark.
var perOperation = perf.Metric{Name: "sec/op", Unit: "sec/op", Better: perf.Lower}

// allocations are the units in which a benchmark counts what it takes from the heap. Where
// they are the same in every run, a change of them gates: it is certain, and it was made.
var allocations = []perf.Unit{"B/op", "allocs/op"}

// timed reports whether a metric follows a clock, in which two runs never agree but by
// chance.
func timed(m perf.Metric) bool {
	return m.Unit == perf.Second || m.Unit == perOperation.Unit || m.Unit.IsRate()
}

// gateOfBenchmark gates a benchmark by the time of an operation.
func gateOfBenchmark() gateRule {
	return gateRule{metrics: []perf.Metric{perOperation}, reason: "it is what a Go benchmark measures; allocations that are the same in every run are compared exactly"}
}

// A GoModule is a checkout of a Go module whose benchmarks are compared.
type GoModule struct {
	Ref string
	Dir string // its root, or a folder of it: its packages are those below
	// Processes say where its test binaries are built and with which environment.
	Processes Processes
}

// goBenchmark is a benchmark of a module, with its test binary.
type goBenchmark struct {
	pkg    string // import path
	dir    string // folder of the package, in which its tests run
	binary string
	copies *copies // of the binary
	name   string  // BenchmarkX/sub, without the number of processors
	perOp  float64 // seconds, as the first look at it showed
	failed bool    // that look
}

// title is the name of the benchmark as a workload, in the module whose path is module.
func (b goBenchmark) title(module string) string {
	pkg := strings.TrimPrefix(strings.TrimPrefix(b.pkg, module), "/")
	if pkg == "" {
		return b.name
	}
	return pkg + "." + b.name
}

// benchmarkFunction finds a benchmark in a test file.
var benchmarkFunction = regexp.MustCompile(`(?m)^func (Benchmark\w*)\(`)

// hasBenchmark reports whether a test file has a benchmark that matches the pattern.
func hasBenchmark(file string, pattern *regexp.Regexp) bool {
	data, err := os.ReadFile(file)
	if err != nil {
		return false // the build will say so
	}
	return slices.ContainsFunc(benchmarkFunction.FindAllSubmatch(data, -1), func(m [][]byte) bool { return pattern.Match(m[1]) })
}

// packageFormat has go list print a package as a line of its module, its path, its folder
// and its test files. One without a module has an error instead, quoted: its path may be none
// that a package can have.
const packageFormat = `{{if .Module}}{{.Module.Path}}{{else}}{{with .Error}}{{printf "%q" .Err}}{{end}}{{end}}{{"\t"}}{{.ImportPath}}{{"\t"}}{{.Dir}}{{range .TestGoFiles}}{{"\t"}}{{.}}{{end}}{{range .XTestGoFiles}}{{"\t"}}{{.}}{{end}}`

// packages asks the go command for the packages of the module that have benchmarks. Where
// all are without a module, as on a full disk, the go command cannot work.
func (m GoModule) packages(ctx context.Context, pattern *regexp.Regexp) (module string, found []goBenchmark, err error) {
	out, err := m.run(ctx, suite.Command{Args: []string{"go", "list", "-e", "-f", packageFormat, "./..."}, Dir: m.Dir})
	if err != nil {
		return "", nil, err
	}
	fault := ""
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if text, err := strconv.Unquote(fields[0]); err == nil {
			fault = text
			continue
		}
		if len(fields) < 3 {
			continue
		}
		module = fields[0]
		if slices.ContainsFunc(fields[3:], func(file string) bool { return hasBenchmark(filepath.Join(fields[2], file), pattern) }) {
			found = append(found, goBenchmark{pkg: fields[1], dir: fields[2]})
		}
	}
	if module == "" && fault != "" {
		return "", nil, fmt.Errorf("%s: listing the packages in %s: %s", m.Ref, m.Dir, fault)
	}
	return module, found, nil
}

// run runs a command that builds, to its end, and returns its standard output.
func (m GoModule) run(ctx context.Context, c suite.Command) ([]byte, error) {
	j := job{Processes: m.Processes, w: suite.Workload{Name: "benchmarks of " + m.Ref, Cause: suite.GoCause}}
	run, stdout, err := outputOf(ctx, j.command(c, m.Processes.BuildEnv...))
	if err != nil {
		return nil, j.failure(ctx, m.Ref+": ", run, err)
	}
	return stdout, nil
}

// firstLook is the -benchtime of the run that finds the benchmarks of a package.
const firstLook = "10ms"

// benchTimeout ends a benchmark that hangs.
const benchTimeout = 10 * time.Minute

// benchRoom is what the copies of all test binaries of a side may take on the disk.
const benchRoom = 1 << 30

// build builds the test binary of a package, makes copies of it that fit into room bytes,
// and runs it once to see which benchmarks it has: those that b.Run makes are known only
// then.
func (m GoModule) build(ctx context.Context, p goBenchmark, pattern string, room int64) (list []goBenchmark, err error) {
	p.binary = filepath.Join(m.Processes.Work, "bench", testBinary(p.pkg))
	if err := os.MkdirAll(filepath.Dir(p.binary), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of test binaries: %w", err)
	}
	if _, err := m.run(ctx, suite.Command{Args: []string{"go", "test", "-c", "-o", p.binary, p.pkg}, Dir: m.Dir}); err != nil {
		return nil, err
	}
	if p.copies, err = newCopies(p.binary, room); err != nil {
		return nil, err
	}
	return m.look(ctx, p, pattern)
}

// testBinary is the name of the test binary of a package. No import path has a comma
// (golang.org/x/mod/module.CheckImportPath), so that no two have one name.
func testBinary(pkg string) string {
	return strings.ReplaceAll(pkg, "/", ",") + ".test" + exeSuffix()
}

// benchFailure finds the name of a benchmark that failed.
var benchFailure = regexp.MustCompile(`(?m)^--- FAIL: (Benchmark\S*)`)

// look runs all benchmarks of a package for a moment. One that fails is listed, too: it is
// to fail by itself, and not to hide the others.
func (m GoModule) look(ctx context.Context, p goBenchmark, pattern string) ([]goBenchmark, error) {
	procs := runtime.GOMAXPROCS(0)
	args := append(benchArgs(p.binary, procs), "-test.bench="+pattern, "-test.benchtime="+firstLook)
	j := job{Processes: m.Processes, w: suite.Workload{Name: "benchmarks of " + m.Ref, Cause: suite.GoCause}}
	run, out, err := outputOf(ctx, j.command(suite.Command{Args: args, Dir: p.dir}))
	broken := benchFailure.FindAllSubmatch(out, -1)
	if err != nil && (ctx.Err() != nil || len(broken) == 0) {
		return nil, j.failure(ctx, m.Ref+": ", run, err)
	}
	results, err := benchio.ReadGo(bytes.NewReader(out), p.pkg)
	if err != nil {
		return nil, fmt.Errorf("%s: the benchmarks of %s: %w", m.Ref, p.pkg, err)
	}
	var list []goBenchmark
	for _, r := range results {
		b := p
		b.name = withoutProcs(r.Name, procs)
		for _, v := range r.Measurements {
			if v.Metric == perOperation {
				b.perOp = v.Value
			}
		}
		list = append(list, b)
	}
	for _, match := range broken {
		b := p
		b.name, b.failed = withoutProcs(string(match[1]), procs), true
		if !slices.ContainsFunc(list, b.same) {
			list = append(list, b)
		}
	}
	return list, nil
}

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// benchArgs are the arguments of every run of a test binary.
func benchArgs(binary string, procs int) []string {
	return []string{binary, "-test.run=^$", "-test.benchmem", "-test.count=1", fmt.Sprintf("-test.cpu=%d", procs), "-test.timeout=" + benchTimeout.String()}
}

// withoutProcs takes the number of processors off the name of a benchmark, which the
// testing package appends unless it is 1.
func withoutProcs(name string, procs int) string {
	if procs == 1 {
		return name
	}
	return strings.TrimSuffix(name, fmt.Sprintf("-%d", procs))
}

// benchPattern is the -bench that selects the benchmark called name: the elements between
// slashes are matched one by one.
func benchPattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// BenchmarkOptions say which benchmarks are compared, and how long each may take.
type BenchmarkOptions struct {
	Pattern string // matched against the names of functions, as -bench of go test; empty means all
	Wanted  func(workload string) bool
	Budget  time.Duration // for each
	Aliases []string
}

// Runs of a benchmark in its budget: so many that a small change is found well before
// it is spent, and each so long that starting the binary does not matter.
const (
	benchRuns     = 100
	leastBenchRun = 10 * time.Millisecond
	mostBenchRun  = 250 * time.Millisecond
)

// iterations are how many times a run repeats the operation. The number is the same for
// both sides and fixed beforehand: what is repeated more often is faster for it. Where both
// failed at the first look, nobody knows how long it takes: then it is one.
func (o BenchmarkOptions) iterations(before, after goBenchmark) int {
	if before.failed && after.failed {
		return 1
	}
	perOp := max(before.perOp, after.perOp)
	length := min(max(o.Budget/benchRuns, leastBenchRun), mostBenchRun)
	n := length.Seconds() / max(perOp, 1e-10)
	return int(min(max(math.Ceil(n), 1), 1e9))
}

// Benchmarks builds the test binaries of both modules, each once, and returns a pairing
// for every benchmark that both have, and the names of those that only one has.
func Benchmarks(ctx context.Context, older, newer GoModule, o BenchmarkOptions, announce func(string)) (pairings []Pairing, gone, fresh []string, err error) {
	if o.Pattern == "" {
		o.Pattern = "."
	}
	before, module, err := older.benchmarks(ctx, o, announce)
	if err != nil {
		return nil, nil, nil, err
	}
	after, _, err := newer.benchmarks(ctx, o, announce)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, b := range before {
		if !slices.ContainsFunc(after, b.same) {
			gone = append(gone, b.title(module))
		}
	}
	for _, n := range after {
		i := slices.IndexFunc(before, n.same)
		if i < 0 {
			fresh = append(fresh, n.title(module))
			continue
		}
		b := before[i]
		if b.failed && !n.failed {
			fresh = append(fresh, n.title(module))
			continue
		}
		iterations := o.iterations(b, n)
		pairings = append(pairings, Pairing{
			Workload: n.title(module), Command: append(benchArgs(n.binary, 1), n.flags(iterations)...), Benchmark: true, Budget: o.Budget, Builds: 1,
			Old: older.arm(b, iterations, o.Aliases), New: newer.arm(n, iterations, o.Aliases),
		})
	}
	return pairings, gone, fresh, nil
}

func (b goBenchmark) same(other goBenchmark) bool { return b.pkg == other.pkg && b.name == other.name }

// benchmarks builds and lists the wanted benchmarks of one module.
func (m GoModule) benchmarks(ctx context.Context, o BenchmarkOptions, announce func(string)) (list []goBenchmark, module string, err error) {
	pattern, err := regexp.Compile(o.Pattern)
	if err != nil {
		return nil, "", fmt.Errorf("the pattern of benchmarks: %w", err)
	}
	module, packages, err := m.packages(ctx, pattern)
	if err != nil {
		return nil, "", err
	}
	if len(packages) > 0 {
		announce(fmt.Sprintf("building the benchmarks of %d packages of %s", len(packages), m.Ref))
	}
	for _, p := range packages {
		found, err := m.build(ctx, p, o.Pattern, benchRoom/int64(len(packages)))
		if err != nil {
			return nil, "", err
		}
		for _, b := range found {
			if o.Wanted == nil || o.Wanted(b.title(module)) {
				list = append(list, b)
			}
		}
	}
	return list, module, nil
}

func (b goBenchmark) flags(iterations int) []string {
	return []string{"-test.bench=" + benchPattern(b.name), fmt.Sprintf("-test.benchtime=%dx", iterations)}
}

// arm runs one benchmark of the module.
func (m GoModule) arm(b goBenchmark, iterations int, aliases []string) Arm {
	root := m.Processes.Root
	record := func(ctx context.Context, record func(context.Context, measure.Command) error) error {
		j := job{Processes: m.Processes}
		return record(ctx, j.command(suite.Command{Args: append(benchArgs(b.binary, runtime.GOMAXPROCS(0)), b.flags(iterations)...), Dir: b.dir}))
	}
	return Arm{Ref: m.Ref, Record: record, Run: func(ctx context.Context, v Variation) (Observation, error) {
		procs := runtime.GOMAXPROCS(0)
		if len(v.CPUs) > 0 {
			procs = len(v.CPUs)
		}
		if err := b.copies.take(v.Copies[v.Side]); err != nil {
			return Observation{}, err
		}
		binary, dir := b.binary, b.dir
		if len(aliases) > 0 {
			alias := aliases[v.Path%uint(len(aliases))]
			binary, dir = underAlias(binary, root, alias), underAlias(dir, root, alias)
		}
		j := job{Processes: m.Processes, w: suite.Workload{Name: b.name, Cause: suite.GoCause}}
		cmd := j.command(suite.Command{Args: append(benchArgs(binary, procs), b.flags(iterations)...), Dir: dir})
		cmd.CPUs, cmd.Env = v.CPUs, padded(cmd.Env, v.Pad)
		run, stdout, err := outputOf(ctx, cmd)
		if err == nil {
			var o Observation
			if o, err = b.observe(run, stdout, procs); err == nil {
				return o, nil
			}
		}
		return Observation{}, j.failure(ctx, "", run, err)
	}}
}

// underAlias is a path below root by another name of root.
func underAlias(path, root, alias string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return filepath.Join(alias, rel)
}

// observe reads what a run of the benchmark printed.
func (b goBenchmark) observe(run measure.Run, stdout []byte, procs int) (Observation, error) {
	results, err := benchio.ReadGo(bytes.NewReader(stdout), b.name)
	if err != nil {
		return Observation{}, err
	}
	i := slices.IndexFunc(results, func(r benchio.GoBenchmark) bool { return withoutProcs(r.Name, procs) == b.name })
	if i < 0 {
		return Observation{}, errors.New("the run printed no result of " + b.name + ": does the benchmark skip itself?")
	}
	o := observe(run)
	o.Values = slices.DeleteFunc(o.Values, func(v Value) bool { return v.Metric != perf.Wall && v.Metric != perf.CPU })
	for _, m := range results[i].Measurements {
		o.Values = append(o.Values, Value{m.Metric, m.Value})
	}
	return o, nil
}
