package experiment

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// brief measures as little as can be judged: five runs bound a median. What these
// tests ask is what the commands do and say, never how long they take.
var brief = suite.Mode{Name: "brief", Budget: time.Second, Share: 200 * time.Millisecond, Narrow: 1, Min: 5, Max: 5}

// exe is what this system appends to the name of a program.
var exe = map[bool]string{true: ".exe"}[runtime.GOOS == "windows"]

// project copies a project of testdata to where it may be measured, and makes sure
// that measuring leaves it as it was.
func project(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	return kept(t, dir)
}

// write makes a project of the given files, by their paths.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return kept(t, dir)
}

// kept fails the test if it ends with other files in dir than there are now.
func kept(t *testing.T, dir string) string {
	before := contents(t, dir)
	t.Cleanup(func() {
		after := contents(t, dir)
		for name := range after {
			if after[name] != before[name] {
				t.Errorf("measuring changed or made %s in the subject's folder", name)
			}
		}
	})
	return dir
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// measureSuite runs the workloads of s that only names, or all, as processes; those that
// are containers are left out.
func measureSuite(t *testing.T, s suite.Suite, only string) *perf.Result {
	t.Helper()
	for _, w := range s.Workloads {
		if w.Container != nil {
			s.Objectives = slices.DeleteFunc(s.Objectives, func(o suite.Objective) bool { return o.Workload == w.Name })
		}
	}
	s.Workloads = slices.DeleteFunc(s.Workloads, func(w suite.Workload) bool { return w.Container != nil })
	if err := s.CheckValid(); err != nil {
		t.Fatal(err)
	}
	s, wanted, err := s.Select(only)
	if err != nil {
		t.Fatal(err)
	}
	p := Processes{Work: filepath.Join(t.TempDir(), "work"), Logs: t.TempDir()}
	r := new(perf.Result)
	if err := (Engine{New: p.Runner}).Run(t.Context(), s.Plan(brief, wanted), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// wantOK checks that the named workloads went well, and are all that there are.
func wantOK(t *testing.T, r *perf.Result, names ...string) {
	t.Helper()
	var got []string
	for _, w := range r.Workloads {
		got = append(got, w.Name)
		if w.State != perf.StateOK {
			t.Errorf("%s: %s: %s", w.Name, w.State, w.Reason)
		}
	}
	if !slices.Equal(got, names) {
		t.Errorf("workloads %q, want %q", got, names)
	}
}

// wantState checks the state of a workload and that the first line of the reason,
// which is what a reader sees everywhere, begins with first and has the words.
func wantState(t *testing.T, r *perf.Result, name string, state perf.State, first string, words ...string) {
	t.Helper()
	w := r.Workload(name)
	if w == nil {
		t.Errorf("there is no workload %s", name)
		return
	}
	line, _, _ := strings.Cut(w.Reason, "\n")
	if w.State != state || !strings.HasPrefix(line, first) {
		t.Errorf("%s: %s because %q; want %s because %q...", name, w.State, w.Reason, state, first)
	}
	for _, word := range words {
		if !strings.Contains(w.Reason, word) {
			t.Errorf("%s: the reason %q does not say %q", name, w.Reason, word)
		}
	}
}

func wantMet(t *testing.T, r *perf.Result, names ...string) {
	t.Helper()
	var got []string
	for _, o := range r.Objectives {
		got = append(got, o.Name)
		if o.State != perf.Met {
			t.Errorf("objective %s: %s: %s", o.Name, o.State, o.Reason)
		}
	}
	if !slices.Equal(got, names) {
		t.Errorf("objectives %q, want %q", got, names)
	}
}

// itemsOf is how many items a run of a workload worked through: throughput by wall.
func itemsOf(t *testing.T, r *perf.Result, workload, unit string) int {
	t.Helper()
	w := r.Workload(workload)
	rate, ok := w.Series(perf.Throughput.Name)
	wall, _ := w.Series(perf.Wall.Name)
	if !ok || len(wall.Samples) == 0 || rate.Unit != perf.Unit(unit)+perf.PerSecond {
		t.Errorf("%s has no throughput in %s", workload, unit)
		return 0
	}
	return int(rate.Samples[0]*wall.Samples[0] + 0.5)
}

func TestCargoProject(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "cargo")
	s := suite.Cargo(suite.CargoOptions{Dir: project(t, "crates/greeter"), Name: "greeter", Bins: []string{"greeter"}, Exe: exe})
	r := measureSuite(t, s, "")
	wantOK(t, r, "build", "cli startup", "test suite")
	wantMet(t, r, "build time", "cli startup", "test suite")
	if n := itemsOf(t, r, "test suite", "tests"); n != 3 {
		t.Errorf("%d tests counted, the crate has 3", n)
	}
}

// TestCargoProjectThatDoesNotCompile checks what a reader learns from a build that
// breaks: the compiler's words, in everything that depends on it too.
func TestCargoProjectThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "cargo")
	s := suite.Cargo(suite.CargoOptions{Dir: project(t, "crates/broken"), Name: "broken", Bins: []string{"broken"}, Exe: exe})
	s.Workloads = append(s.Workloads, suite.Workload{Name: "other", Command: play(t, "nothing")})
	r := measureSuite(t, s, "")
	const said = "error[E0425]: cannot find value `nobody` in this scope --> src"
	wantState(t, r, "build", perf.StateFailed, said, "main.rs:4:28", "exit status 101", "error: could not compile `broken`")
	wantState(t, r, "cli startup", perf.StateNotMeasured, "because build failed: "+said, "main.rs:4:28")
	wantState(t, r, "test suite", perf.StateFailed, "in its setup: "+said, "--no-run")
	wantState(t, r, "other", perf.StateOK, "")
	for _, o := range r.Objectives {
		if o.State != perf.NotMeasured || !strings.Contains(o.Reason, said) {
			t.Errorf("objective %s: %s because %q; want NOT MEASURED with the compiler's words", o.Name, o.State, o.Reason)
		}
	}
}

// TestCargoTestsThatFail checks that the failing test is named.
func TestCargoTestsThatFail(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "cargo")
	dir := project(t, "crates/greeter")
	source := filepath.Join(dir, "src", "main.rs")
	data, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(data), `"Hello, Ada!"`, `"Goodbye!"`, 1)
	s := suite.Cargo(suite.CargoOptions{Dir: write(t, map[string]string{
		"Cargo.toml": contents(t, dir)[filepath.Join(dir, "Cargo.toml")], "Cargo.lock": contents(t, dir)[filepath.Join(dir, "Cargo.lock")], "src/main.rs": wrong,
	}), Name: "greeter", Exe: exe})
	r := measureSuite(t, s, "test suite")
	wantState(t, r, "test suite", perf.StateFailed, "test tests::greets_one ... FAILED (cargo test", "2 passed; 1 failed")
}

// TestNoTestRan checks that tests which were not run are no success: cargo exits 0
// for a crate without tests and for a filter that matches none.
func TestNoTestRan(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "cargo")
	untested := write(t, map[string]string{
		"Cargo.toml":  "[package]\nname = \"untested\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
		"Cargo.lock":  "# This file is automatically @generated by Cargo.\n# It is not intended for manual editing.\nversion = 3\n\n[[package]]\nname = \"untested\"\nversion = \"0.1.0\"\n",
		"src/main.rs": "fn main() {}\n",
	})
	s := suite.Cargo(suite.CargoOptions{Dir: untested, Name: "untested", Exe: exe})
	wantState(t, measureSuite(t, s, "test suite"), "test suite", perf.StateFailed, "no test ran, although cargo test")

	s = suite.Cargo(suite.CargoOptions{Dir: project(t, "crates/greeter"), Name: "greeter", Exe: exe})
	filtered := &s.Workloads[slices.IndexFunc(s.Workloads, func(w suite.Workload) bool { return w.Name == "test suite" })]
	filtered.Command.Args = append(filtered.Command.Args, "container_lifecycle")
	wantState(t, measureSuite(t, s, "test suite"), "test suite", perf.StateFailed, "no test ran, although cargo test")
}

func TestClnrm(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "cargo")
	s := suite.Clnrm(suite.ClnrmOptions{Dir: project(t, "crates/clnrm"), Exe: exe})
	r := measureSuite(t, s, "")
	wantOK(t, r, "build", "cli startup", "self-test", "validate", "hot reload", "hot reload medium", "hot reload complex", "test suite", "micro benchmarks")
	if s, ok := r.Workload("micro benchmarks").Series("toml_parsing_simple"); !ok || len(s.Samples) != 20 || s.Unit != "sec/op" || s.Summary == nil || s.Summary.Low == nil {
		t.Errorf("the benchmark of clnrm: %+v, want its 20 samples", s)
	}
	for workload, want := range map[string]struct {
		unit string
		n    int
	}{
		// The fifth test of self-test is there only with all features. The tests are
		// built without, and cargo builds the program anew for them.
		"self-test": {"tests", 5}, "validate": {"files", 200}, "test suite": {"tests", 3},
	} {
		if n := itemsOf(t, r, workload, want.unit); n != want.n {
			t.Errorf("%s: %d %s, want %d", workload, n, want.unit, want.n)
		}
	}
	for _, o := range r.Objectives {
		unmeasured := o.Name == "memory" && runtime.GOOS != "linux"
		tooFew := o.Quantile > 0.5 && o.State == perf.Undecided && o.Needed > brief.Max
		if o.State != perf.Met && !unmeasured && !tooFew {
			t.Errorf("objective %s: %s: %s", o.Name, o.State, o.Reason)
		}
	}
}

// TestClnrmThatIsBuilt checks that a named binary is what is measured, and that
// nothing is built for it.
func TestClnrmThatIsBuilt(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "cargo")
	dir := project(t, "crates/clnrm")
	target := t.TempDir()
	p := Processes{Work: t.TempDir()}
	build := suite.Workload{
		Name: "w", Max: 1, Min: 1,
		Command: suite.Command{Args: []string{"cargo", "build", "--offline"}, Dir: dir, Env: []string{"CARGO_TARGET_DIR=" + target}},
	}
	r := new(perf.Result)
	if err := (Engine{New: p.Runner}).Run(t.Context(), plan(suite.Suite{Name: "s", Workloads: []suite.Workload{build}}), r); err != nil || r.Workloads[0].State != perf.StateOK {
		t.Fatalf("building the binary: %v %s", err, r.Workloads[0].Reason)
	}
	bin := filepath.Join(target, "debug", "clnrm"+exe)
	s := suite.Clnrm(suite.ClnrmOptions{Dir: dir, Binary: bin, Exe: exe})
	for _, args := range commandsOf(s) {
		if args[0] != bin {
			t.Errorf("%q is run, and only the named binary should be", args)
		}
	}
	r = measureSuite(t, s, "")
	wantOK(t, r, "cli startup", "self-test", "validate", "hot reload", "hot reload medium", "hot reload complex")
	if n := itemsOf(t, r, "self-test", "tests"); n != 4 {
		t.Errorf("self-test of the named binary, built without features, counts %d tests, want 4", n)
	}
}

// commandsOf is every command that a suite runs.
func commandsOf(s suite.Suite) [][]string {
	var out [][]string
	for _, w := range s.Workloads {
		if w.Container == nil {
			out = append(out, w.Command.Args)
		}
		for _, hook := range [][]suite.Command{w.Setup, w.Prepare, w.Conclude, w.Cleanup} {
			for _, c := range hook {
				out = append(out, c.Args)
			}
		}
	}
	return out
}

func TestGoModule(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a build with an empty cache compiles the runtime; left out by -short")
	}
	testenv.Tool(t, "go")
	s := suite.GoModule(suite.GoModuleOptions{Dir: project(t, "modules/greeter"), Name: "example.com/greeter/v2", Mains: []string{"example.com/greeter"}, Exe: exe, Null: os.DevNull})
	s, err := s.Set("build time=1h") // on a busy machine it takes more than the target of two minutes
	if err != nil {
		t.Fatal(err)
	}
	r := measureSuite(t, s, "")
	wantOK(t, r, "build", "cli startup", "test suite")
	wantMet(t, r, "build time", "cli startup", "test suite")
	if n := itemsOf(t, r, "test suite", "tests"); n != 2 {
		t.Errorf("%d tests counted, the module has 2", n)
	}
	if s.Name != "greeter" {
		t.Errorf("the suite is called %q, want the module's name without its version", s.Name)
	}
}

// TestGoModuleTestsThatFail checks that a failing test is named, in words and not in
// the events of go test -json.
func TestGoModuleTestsThatFail(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "go")
	s := suite.GoModule(suite.GoModuleOptions{Dir: project(t, "modules/failing"), Name: "example.com/failing", Exe: exe, Null: os.DevNull})
	r := measureSuite(t, s, "test suite")
	wantState(t, r, "test suite", perf.StateFailed, "--- FAIL: TestTwo", "sum_test.go:13: 1 + 1 = 0, want 2")
	if reason := r.Workload("test suite").Reason; strings.Contains(reason, `"Action"`) {
		t.Errorf("the reason is in JSON: %s", reason)
	}
}

// TestGoModuleOfOnePackage builds a single main package, which go build would write
// into the checkout, and which has no tests. The build is not asked for, so that it
// need not be a clean one.
func TestGoModuleOfOnePackage(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "go")
	s := suite.GoModule(suite.GoModuleOptions{Dir: project(t, "modules/untested"), Name: "example.com/untested", Mains: []string{"example.com/untested"}, Exe: exe, Null: os.DevNull})
	r := measureSuite(t, s, "cli startup,test suite")
	wantState(t, r, "cli startup", perf.StateOK, "")
	wantState(t, r, "test suite", perf.StateFailed, "no test ran, although go test")
}

func TestGoModuleThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "go")
	dir := write(t, map[string]string{"go.mod": "module example.com/broken\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() { greet() }\n"})
	s := suite.GoModule(suite.GoModuleOptions{Dir: dir, Name: "example.com/broken", Mains: []string{"example.com/broken"}, Exe: exe, Null: os.DevNull})
	r := measureSuite(t, s, "cli startup")
	wantState(t, r, "build", perf.StateFailed, "./main.go:3:15: undefined: greet (go build")
	wantState(t, r, "cli startup", perf.StateNotMeasured, "because build failed: ./main.go:3:15: undefined: greet")
}
