package suite

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"time"
)

// SubjectPackage is the import path of the embedded subject.
const SubjectPackage = "github.com/seanchatmangpt/clnrm-perf/perf/subject/cleanroom"

// memoryRuns is how many memory runs a cheap workload gets: as many as two sessions
// need for an interval of their ratio.
const memoryRuns = 5

// validateFiles is how many test files the workload validate reads.
const validateFiles = 200

// cargoCause names the cause in the output of cargo, see [Workload.Cause]. rustc puts the
// place below the error, libtest the test before its verdict. "could not compile" and
// "test failed, to rerun" come after what they sum up.
const cargoCause = `(?m)^(error(?:\[E\d+\])?: .*)(?:\n\s*(--> \S+))?|^(test \S.* \.\.\. FAILED)$`

// GoCause finds the cause in the output of the go command and of Go tests, see
// [Workload.Cause]. A compiler's line begins with the file; what a test logs is indented.
const GoCause = `(?m)^\S*\.go:\d+(?::\d+)?: .*|^\s*--- FAIL: .*|^panic: .*`

// goFetch makes the go command fetch the modules that the packages need. Not go mod
// download: that fetches what other systems need, too, and fails without a network
// where all that this build needs is at hand. With -e, what is wrong with the source
// is left to the build to say.
func goFetch(dir, packages string) Command {
	return Command{Args: []string{"go", "list", "-e", "-deps", packages}, Dir: dir}
}

// emptyGoCache is the environment in which the go command finds nothing that it has made
// before. A cache that GOCACHEPROG serves would take the place of the folder.
func emptyGoCache() []string { return []string{"GOCACHE=" + Work + "/gocache", "GOCACHEPROG="} }

// Cleanroom is the suite of the embedded subject, a small cleanroom test runner in
// Go that needs nothing but the Go toolchain. exe is what the system appends to the
// name of a program (".exe" on Windows, else empty).
func Cleanroom(dir, exe string) Suite {
	bin := Work + "/bin/cleanroom" + exe
	test := Work + "/bin/cleanroom.test" + exe
	goBuild := []string{"CGO_ENABLED=0"}
	clean := []string{"HOME=" + Work + "/home", "CLEANROOM_CACHE=" + Work + "/cache"}
	reload := reloader{bin: bin, env: []string{"CLEANROOM_CACHE=" + Work + "/cache"}, needs: []string{"build"}, stages: cleanroomStages(), content: cleanroomFile}
	return Suite{
		Name: "cleanroom", Subject: "the embedded cleanroom subject", Dir: dir,
		Workloads: append([]Workload{
			{
				Name:     "build",
				Command:  Command{[]string{"go", "build", "-trimpath", "-o", bin, SubjectPackage}, dir, goBuild},
				Setup:    []Command{goFetch(dir, SubjectPackage)},
				Fresh:    []string{Work + "/gocache"},
				CleanEnv: emptyGoCache(),
				Creates:  []string{bin}, Cause: GoCause,
				OneShot: true, Cost: 20 * time.Second, Timeout: 15 * time.Minute,
			},
			{
				Name:    "cli startup",
				Command: Command{[]string{bin, "--help"}, dir, clean},
				Needs:   []string{"build"},
				Warmup:  3, Min: 30, Memory: memoryRuns, Timeout: time.Minute,
			},
			{
				Name: "test suite",
				// Without the tests that start containers: those measure the engine, and some
				// kill what they start.
				Command: Command{[]string{test, "-test.v", "-test.count=1", "-test.short"}, path.Join(dir, "perf/subject/cleanroom"), nil},
				Setup:   []Command{{[]string{"go", "test", "-c", "-o", test, SubjectPackage}, dir, goBuild}},
				Cause:   GoCause,
				Warmup:  1, Memory: 1, Timeout: 10 * time.Minute,
				Tests: &Tests{Passed: Count{`^\s*--- PASS: `}, Failed: Count{`^\s*--- FAIL: `}},
				Items: &Items{Unit: "tests", Count: Count{`^\s*--- (?:PASS|FAIL): `}},
			},
			profilable(selfTest(bin, dir, clean)),
			profilable(validate(bin, dir, clean)),
			lifecycle(),
		}, reload.workloads()...),
		Objectives: append([]Objective{buildTime(), cliStartup(), containerStart(), containerLifecycle(), testSuite(), memory()}, reload.objectives()...),
	}
}

// profilable is a workload of the embedded subject that writes profiles of itself.
func profilable(w Workload) Workload {
	w.Profiles = "CLEANROOM_PROFILES"
	return w
}

// selfTest and validate are the same commands of the embedded subject and of clnrm.
func selfTest(bin, dir string, env []string) Workload {
	return Workload{
		Name:    "self-test",
		Command: Command{[]string{bin, "self-test"}, dir, env},
		Needs:   []string{"build"}, MakesContainers: true,
		Warmup: 1, Memory: memoryRuns, Timeout: 10 * time.Minute,
		Tests: &Tests{Passed: Count{`Total: \d+ tests, (\d+) passed`}, Failed: Count{`Total: \d+ tests, \d+ passed, (\d+) failed`}},
		Items: &Items{Unit: "tests", Count: Count{`Total: (\d+) tests`}},
	}
}

func validate(bin, dir string, env []string) Workload {
	files := make([]File, validateFiles)
	args := []string{bin, "validate"}
	for i := range files {
		files[i] = File{fmt.Sprintf("%s/validate/case%03d.clnrm.toml", Work, i), testFile(i)}
		args = append(args, files[i].Name)
	}
	return Workload{
		Name:    "validate",
		Command: Command{args, dir, env},
		Needs:   []string{"build"},
		Files:   files,
		Warmup:  1, Memory: memoryRuns, Timeout: 10 * time.Minute,
		Items: &Items{Unit: "files", Number: validateFiles},
	}
}

// lifecycle times containers by themselves. It needs no build, and so it is measured
// also where the subject does not compile.
func lifecycle() Workload {
	return Workload{
		Name:      "container lifecycle",
		Container: &Container{Network: "none", Ready: time.Minute, Grace: 10 * time.Second},
		Warmup:    1, Memory: 3, Timeout: 2 * time.Minute,
	}
}

// testFile is a test file of the form that clnrm and the embedded subject accept.
// Files differ in size, as those of a project do.
func testFile(i int) string {
	text := fmt.Sprintf("[meta]\nname = \"case %d\"\nversion = \"1.0.0\"\n", i)
	for step := range 1 + i%5 {
		text += fmt.Sprintf("\n[[steps]]\nname = \"step %d\"\ncommand = [\"echo\", \"case %d step %d\"]\nexpected_output_regex = \"step [0-9]+\"\n", step, i, step)
	}
	return text
}

// ClnrmImage is the image that clnrm makes containers of, if nothing names another.
const ClnrmImage = "alpine:latest"

// ClnrmOptions say which clnrm is measured.
type ClnrmOptions struct {
	Dir string // the checkout
	// Binary is a clnrm that is already built; then nothing is built. It is the only
	// way by which a binary that the run did not build is measured.
	Binary string
	Exe    string // what the system appends to the name of a program
}

// Clnrm is the suite of a clnrm checkout. It calls cargo and clnrm by themselves:
// each call of cargo-make starts three version commands first, and several of its
// performance tasks name targets that do not exist.
func Clnrm(o ClnrmOptions) Suite {
	bin := Work + "/target/release/clnrm" + o.Exe
	env := []string{"NO_COLOR=1", "HOME=" + Work + "/home"}
	s := Suite{Name: "clnrm", Subject: "clnrm in " + o.Dir, Dir: o.Dir,
		DefaultImage: &DefaultImage{"CLEANROOM_CONTAINERS_DEFAULT_IMAGE", ClnrmImage}}
	if o.Binary != "" {
		bin = o.Binary
		s.Subject = "clnrm, the binary " + o.Binary
	} else {
		s.Workloads = append(s.Workloads, cargoBuild(o.Dir, 3*time.Minute, "--all-features"))
		s.Workloads[0].Creates = []string{bin}
		s.Objectives = append(s.Objectives, buildTime())
	}
	runs := []Workload{
		{
			Name:    "cli startup",
			Command: Command{[]string{bin, "--help"}, o.Dir, env},
			Needs:   []string{"build"},
			Warmup:  3, Min: 30, Memory: memoryRuns, Timeout: time.Minute,
		},
		selfTest(bin, o.Dir, env), validate(bin, o.Dir, env), lifecycle(),
	}
	reload := reloader{bin: bin, env: []string{"NO_COLOR=1"}, needs: []string{"build"}, stages: clnrmStages(), content: clnrmFile}
	runs = append(runs, reload.workloads()...)
	s.Objectives = append(append(s.Objectives, cliStartup(), containerStart(), containerLifecycle(), memory()), reload.objectives()...)
	if o.Binary != "" {
		for i := range runs {
			runs[i].Needs = nil
		}
		s.Workloads = runs
		return s
	}
	// The tests come last. They are built with the default features, and so cargo
	// replaces the program in the target directory, which is no longer the one that
	// the build made. A target directory of their own would build everything twice.
	s.Workloads = append(append(s.Workloads, runs...), cargoTest(o.Dir), cargoBench(o.Dir, microBenchmarks, clnrmBench))
	s.Objectives = append(s.Objectives, testSuite())
	return s
}

// clnrmBench is the one benchmark of clnrm that cargo finds, and microBenchmarks what it
// is called here.
const (
	clnrmBench      = "hot_reload_critical_path"
	microBenchmarks = "micro benchmarks"
)

// CargoOptions say which crate is measured.
type CargoOptions struct {
	Dir  string
	Name string
	// Bins are the names of its programs. With exactly one, its --help is the
	// workload "cli startup"; of several, none is the obvious one.
	Bins []string
	// Benches are the names of its benchmarks that use Criterion.
	Benches []string
	Exe     string
}

// Cargo is the suite of a Cargo project: its clean release build, its tests, the startup
// of its program, if it has exactly one, and its benchmarks that use Criterion.
func Cargo(o CargoOptions) Suite {
	s := Suite{Name: fileName(o.Name), Subject: "the Cargo project " + o.Name, Dir: o.Dir}
	s.Workloads = []Workload{cargoBuild(o.Dir, time.Minute)}
	s.Objectives = []Objective{buildTime()}
	if len(o.Bins) == 1 {
		bin := Work + "/target/release/" + o.Bins[0] + o.Exe
		s.Workloads[0].Creates = []string{bin}
		s.Workloads = append(s.Workloads, helpOf(bin, o.Dir))
		s.Objectives = append(s.Objectives, cliStartup())
	}
	s.Workloads = append(s.Workloads, cargoTest(o.Dir))
	s.Objectives = append(s.Objectives, testSuite())
	for _, bench := range o.Benches {
		name := microBenchmarks
		if len(o.Benches) > 1 {
			name += " " + bench
		}
		s.Workloads = append(s.Workloads, cargoBench(o.Dir, name, bench))
	}
	return s
}

// cargoBench runs one benchmark target. Criterion repeats by itself, so the workload runs
// once; the folder for its files is a new one, because the usual one keeps benchmarks that
// are no more.
func cargoBench(dir, name, bench string) Workload {
	home := Work + "/criterion/" + bench
	env := []string{"CARGO_TARGET_DIR=" + Work + "/target", "CRITERION_HOME=" + home, "CARGO_TERM_COLOR=never"}
	args := []string{"cargo", "bench", "--offline", "--bench", bench}
	return Workload{
		Name:    name,
		Command: Command{args, dir, env},
		Setup:   []Command{{[]string{"cargo", "fetch"}, dir, nil}, {append(slices.Clone(args), "--no-run"), dir, env}},
		Fresh:   []string{home}, Criterion: home, Cause: cargoCause,
		OneShot: true, Cost: 2 * time.Minute, Timeout: time.Hour,
	}
}

func cargoBuild(dir string, cost time.Duration, flags ...string) Workload {
	args := append([]string{"cargo", "build", "--release", "--offline"}, flags...)
	return Workload{
		Name:    "build",
		Command: Command{args, dir, []string{"CARGO_TARGET_DIR=" + Work + "/target", "CARGO_TERM_COLOR=never"}},
		Setup:   []Command{{Args: []string{"cargo", "fetch"}, Dir: dir}},
		Fresh:   []string{Work + "/target"}, Cause: cargoCause,
		OneShot: true, Cost: cost, Timeout: time.Hour,
	}
}

// cargoTest counts what every test binary of the project says at its end, so that a
// filter that matches nothing cannot pass for success.
func cargoTest(dir string) Workload {
	env := []string{"CARGO_TARGET_DIR=" + Work + "/target", "CARGO_TERM_COLOR=never"}
	return Workload{
		Name:    "test suite",
		Command: Command{[]string{"cargo", "test", "--release", "--offline"}, dir, env},
		Setup:   []Command{{[]string{"cargo", "fetch"}, dir, nil}, {[]string{"cargo", "test", "--release", "--offline", "--no-run"}, dir, env}},
		Cause:   cargoCause,
		Warmup:  1, Memory: 1, Timeout: time.Hour,
		Tests: &Tests{Passed: Count{`^test result: .* (\d+) passed;`}, Failed: Count{`^test result: .* (\d+) failed;`}},
		Items: &Items{Unit: "tests", Count: Count{`^test result: .* (\d+) passed;`}},
	}
}

func helpOf(bin, dir string) Workload {
	return Workload{
		Name:    "cli startup",
		Command: Command{[]string{bin, "--help"}, dir, nil},
		Needs:   []string{"build"},
		Warmup:  3, Min: 30, Memory: memoryRuns, Timeout: time.Minute,
	}
}

// GoModuleOptions say which module is measured.
type GoModuleOptions struct {
	Dir  string
	Name string // its module path
	// Mains are the import paths of its programs. With exactly one, its --help is the
	// workload "cli startup".
	Mains []string
	Exe   string
	Null  string // the system's null device; empty means /dev/null
}

// GoModule is the suite of a Go module: a build with an empty cache, its tests, and
// the startup of its program, if it has exactly one.
func GoModule(o GoModuleOptions) Suite {
	s := Suite{Name: fileName(lastElement(o.Name)), Subject: "the Go module " + o.Name, Dir: o.Dir}
	build := Workload{
		Name: "build",
		// Without -o, the program of a module of one package would be written into the
		// user's checkout; the null device makes go build link it and write nothing.
		Command:  Command{Args: []string{"go", "build", "-o", cmp.Or(o.Null, "/dev/null"), "./..."}, Dir: o.Dir},
		Setup:    []Command{goFetch(o.Dir, "./...")},
		Fresh:    []string{Work + "/gocache"},
		CleanEnv: emptyGoCache(), Cause: GoCause,
		OneShot: true, Cost: 30 * time.Second, Timeout: time.Hour,
	}
	s.Objectives = []Objective{buildTime()}
	var startup []Workload
	if len(o.Mains) == 1 {
		bin := Work + "/bin/" + lastElement(o.Mains[0]) + o.Exe
		help := helpOf(bin, o.Dir)
		help.Setup = []Command{{Args: []string{"go", "build", "-o", bin, o.Mains[0]}, Dir: o.Dir}}
		startup = append(startup, help)
		s.Objectives = append(s.Objectives, cliStartup())
	}
	tests := Workload{
		Name:    "test suite",
		Command: Command{Args: []string{"go", "test", "-count=1", "-json", "./..."}, Dir: o.Dir},
		Setup:   []Command{{Args: []string{"go", "test", "-count=1", "-run=^$", "./..."}, Dir: o.Dir}},
		Cause:   GoCause,
		Warmup:  1, Memory: 1, Timeout: time.Hour,
		Tests: &Tests{Passed: Count{`"Action":"pass".*"Test":`}, Failed: Count{`"Action":"fail".*"Test":`}},
		Items: &Items{Unit: "tests", Count: Count{`"Action":"(?:pass|fail)".*"Test":`}},
	}
	s.Workloads = append(append([]Workload{build}, startup...), tests)
	s.Objectives = append(s.Objectives, testSuite())
	return s
}
