package targets_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// A consumer is somebody else's repository, whose magefile imports the targets.
type consumer struct {
	dir string
	env []string
}

// newConsumer makes the repository, with what its magefile has behind the package
// clause. Everything comes from this tree and the module cache, nothing from the
// network.
func newConsumer(t *testing.T, magefile string) consumer {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles a magefile and measures a build; left out by -short")
	}
	testenv.Tool(t, "go")
	c := consumer{dir: t.TempDir()}
	c.env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "MAGEFILE_CACHE="+t.TempDir(), "CLNRM_DIR=", "CLNRM_REF=", "CLNRM_BIN=")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	const own = "github.com/seanchatmangpt/clnrm-perf"
	text := strings.Replace(string(mod), "module "+own, "module example.com/greet // greets", 1)
	c.write(t, "go.mod", text+"\nrequire "+own+" v0.0.0\n\nreplace "+own+" => "+filepath.ToSlash(root)+"\n")
	if err := copyFile(filepath.Join(root, "go.sum"), filepath.Join(c.dir, "go.sum")); err != nil {
		t.Fatal(err)
	}
	c.write(t, "main.go", "package main\n\nfunc main() { println(\"usage: greet\") }\n")
	c.write(t, "magefiles/magefile.go", "//go:build mage\n\npackage main\n\n"+magefile)
	return c
}

func (c consumer) write(t *testing.T, name, text string) {
	t.Helper()
	name = filepath.Join(c.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// mage runs go tool mage in the repository, as its owner would.
func (c consumer) mage(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"tool", "mage"}, args...)...)
	cmd.Dir, cmd.Env = c.dir, c.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

const importTargets = `import (
	//mage:import
	_ "github.com/seanchatmangpt/clnrm-perf/perf/targets"
)
`

func TestConsumer(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, importTargets)
	c.mage(t, "-l").want(t, 0, "benchmarks", "benchmarkAll", "benchHotReload", "cleanroomSloCheck", "plan", "doctor", "time", "baseline:save", "baseline:compare")
	c.mage(t, "-h", "benchmarks").want(t, 0, "-only", "Example")
	c.mage(t, "plan").want(t, 0, "example.com/greet", "go build", "go test", "--help")
	if list := results(t, c.dir); len(list) != 0 {
		t.Errorf("plan has left %d results", len(list))
	}

	c.mage(t, "benchmarks", "-only=build").want(t, 0, "build", "MET", "exit status 0")
	nothingLeft(t, c.dir)
	list := results(t, c.dir)
	if len(list) != 1 || list[0].Suite != "greet" || list[0].Workload("build") == nil || list[0].Workload("build").State != perf.StateOK {
		t.Fatalf("results in the consumer's root: %+v, want one with its build", list)
	}
	for _, name := range []string{"greet", "greet.exe"} {
		if _, err := os.Stat(filepath.Join(c.dir, name)); err == nil {
			t.Errorf("the build has left its program %s in the checkout", name)
		}
	}

	c.mage(t, "cleanroomSloCheck", "-only=cli startup", "-set=cli startup=1us").want(t, perf.ExitGate, "BREACHED")
	c.mage(t, "cleanroomSloCheck", "-only=test suite").want(t, perf.ExitFailure, "no test ran")
	c.mage(t, "benchmarks", "-only=biuld").want(t, perf.ExitUsage, `did you mean "build"?`)
	c.mage(t, "benchHotReload").want(t, perf.ExitUsage, "watches nothing")
	empty := t.TempDir()
	c.mage(t, "-w", empty, "benchmarks").want(t, perf.ExitUsage, "shows neither a Cargo.toml nor a go.mod", "targets.Use")
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("a call that makes no sense has left %v (%v)", left, err)
	}
}

// TestConsumerThatDoesNotCompile checks that the compiler's words reach the reader.
func TestConsumerThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, dir, "go.mod", "module example.com/greet\n\ngo 1.26\n")
	writeText(t, dir, "main.go", "package main\n\nfunc main() { greet() }\n")
	o := call(t, dir, nil, "benchmarks", "-only=build,cli startup")
	o.want(t, perf.ExitFailure, "FAILED build: ./main.go:3:15: undefined: greet", "because build failed: ./main.go:3:15: undefined: greet")
	nothingLeft(t, dir)
}

func TestConsumerWithANamespace(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, strings.Replace(importTargets, "//mage:import", "//mage:import perf", 1)+`
// Benchmarks are the consumer's own, and do not clash.
func Benchmarks() {}
`)
	c.mage(t, "-l").want(t, 0, "perf:benchmarks", "perf:cleanroomSloCheck", "perf:baseline:list")
	c.mage(t, "perf:plan", "-only=build").want(t, 0, "go build")
	c.mage(t, "perf:benchmarks", "-only=nothing").want(t, perf.ExitUsage, `unknown workload "nothing"`)
}

// TestConsumerWithItsOwnSuite measures what a magefile hands to Use.
func TestConsumerWithItsOwnSuite(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, `import (
	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
	//mage:import
	"github.com/seanchatmangpt/clnrm-perf/perf/targets"
)

func init() {
	targets.Use(suite.Suite{
		Name: "mine", Subject: "the go command",
		Workloads:  []suite.Workload{{Name: "version", Command: suite.Command{Args: []string{"go", "version"}}, Min: 5, Max: 5}},
		Objectives: []suite.Objective{{Name: "answer", Workload: "version", Metric: perf.Wall, Quantile: 0.5, Confidence: 0.95, Target: 3600, Critical: 7200}},
	})
}
`)
	c.mage(t, "plan").want(t, 0, "the go command", "go version")
	r := c.mage(t, "cleanroomSloCheck", "-json").decoded(t)
	if r.Suite != "mine" || r.Exit != 0 || len(r.Objectives) != 1 || r.Objectives[0].State != perf.Met {
		t.Errorf("suite %q, exit %d, objectives %+v", r.Suite, r.Exit, r.Objectives)
	}
	if s, _ := r.Workload("version").Series("wall"); len(s.Samples) != 5 {
		t.Errorf("%d runs, and the suite asks for 5", len(s.Samples))
	}
}

// A checkout is a git repository of the small clnrm.
type checkout struct{ dir string }

func newCheckout(t *testing.T) checkout {
	t.Helper()
	testenv.Tool(t, "cargo")
	testenv.Tool(t, "git")
	c := checkout{filepath.Join(t.TempDir(), "clnrm")}
	if err := os.CopyFS(c.dir, os.DirFS("../experiment/testdata/crates/clnrm")); err != nil {
		t.Fatal(err)
	}
	c.git(t, "init", "--quiet")
	c.git(t, "add", ".")
	c.git(t, "commit", "--quiet", "-m", "first")
	return c
}

func (c checkout) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits a program of its own and returns the hash.
func (c checkout) commit(t *testing.T, program string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, "src", "main.rs"), []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	c.git(t, "commit", "--quiet", "-a", "-m", "another program")
	return c.git(t, "rev-parse", "HEAD")
}

// state is what a measurement must not change.
func (c checkout) state(t *testing.T) string {
	t.Helper()
	return c.git(t, "status", "--porcelain") + c.git(t, "worktree", "list") + c.git(t, "rev-parse", "HEAD")
}

// TestClnrmAtARef measures the first of two commits; the second, which is checked
// out, does not even compile.
func TestClnrmAtARef(t *testing.T) {
	t.Parallel()
	c := newCheckout(t)
	first := c.git(t, "rev-parse", "HEAD")
	c.commit(t, "fn main() { nothing() }\n")
	before := c.state(t)

	dir := t.TempDir()
	env := []string{"CLNRM_DIR=" + c.dir, "CLNRM_REF=HEAD~1"}
	o := call(t, dir, env, "benchmarks", "-only=self-test", "-json")
	o.want(t, 0)
	if r := o.decoded(t); r.Subject.Commit != first || r.Subject.Dirty || r.Subject.Name != "clnrm at HEAD~1" || r.Workload("self-test").State != perf.StateOK {
		t.Errorf("subject %+v, self-test %s; want commit %s, measured", r.Subject, r.Workload("self-test").Reason, first)
	}
	nothingLeft(t, dir)
	if after := c.state(t); after != before {
		t.Errorf("the user's repository is not as it was:\n%s\nnow\n%s", before, after)
	}

	o = call(t, t.TempDir(), env[:1], "benchmarks", "-only=self-test,cli startup")
	o.want(t, perf.ExitFailure, "FAILED build: error[E0425]", "NOT MEASURED self-test: because build failed: error[E0425]: cannot find function `nothing` in this scope --> src")
	dir = t.TempDir()
	call(t, dir, []string{env[0], "CLNRM_REF=v9.9"}, "benchmarks").want(t, perf.ExitUsage, `CLNRM_REF: there is no commit "v9.9"`)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("an unknown ref has left %v (%v)", left, err)
	}
}

// TestCargoProject measures the benchmarks of a Cargo project as its root shows them.
func TestCargoProject(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "cargo")
	dir := filepath.Join(t.TempDir(), "benched")
	if err := os.CopyFS(dir, os.DirFS("../experiment/testdata/crates/benched")); err != nil {
		t.Fatal(err)
	}
	call(t, dir, nil, "plan").want(t, 0, "cargo bench --offline --bench sums", "cargo bench --offline --bench nothing")
	if plan := call(t, dir, nil, "plan"); strings.Contains(plan.stdout, "nightly") {
		t.Errorf("a benchmark of the test harness is planned:\n%s", plan.stdout)
	}
	call(t, dir, nil, "benchmarks", "-only=micro benchmarks sums").want(t, 0, "sums/1000", "elements/s")
	call(t, dir, nil, "benchmarks", "-only=micro benchmarks nothing").want(t, 1, "no benchmark ran")
}
