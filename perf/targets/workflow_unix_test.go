//go:build unix

package targets_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// A workflowStep is a step of a workflow or of a composite action, as far as it matters
// to who runs it.
type workflowStep struct {
	Name  string
	ID    string
	If    string
	Uses  string
	Run   string
	Shell string
	Dir   string            `yaml:"working-directory"`
	Env   map[string]string `yaml:"env"`
}

// A runner runs the shell steps of a job as GitHub's does: each in a shell of its own
// that ends at the first error, until one fails.
type runner struct {
	dir     string            // the checkout
	env     []string          // of every step
	values  map[string]string // of the expressions ${{ }} that may occur
	summary string
	stderr  string
	outputs string
}

// newRunner makes a runner in a checkout.
func newRunner(t *testing.T, dir string, env ...string) *runner {
	t.Helper()
	testenv.Tool(t, "bash")
	temp := t.TempDir()
	r := &runner{dir: dir, values: map[string]string{}, summary: filepath.Join(temp, "summary.md"), outputs: filepath.Join(temp, "output")}
	r.env = append([]string{
		"GITHUB_ACTIONS=true", "CI=true", "GITHUB_WORKSPACE=" + dir, "RUNNER_TEMP=" + temp,
		"GITHUB_STEP_SUMMARY=" + r.summary, "GITHUB_OUTPUT=" + r.outputs, "GITHUB_BASE_REF=", "CLNRM_DIR=", "CLNRM_REF=", "CLNRM_BIN=",
	}, env...)
	return r
}

// expression matches what GitHub replaces before a step runs.
var expression = regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)

// expand replaces the expressions in s.
func (r *runner) expand(t *testing.T, s string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(s, func(m string) string {
		key := expression.FindStringSubmatch(m)[1]
		v, ok := r.values[key]
		if !ok {
			t.Errorf("the expression %s is not known to this test", m)
		}
		return v
	})
}

// run runs the shell steps until one fails, and returns the exit status of the last one
// that ran: that of the job.
func (r *runner) run(t *testing.T, steps []workflowStep) int {
	t.Helper()
	ran := 0
	for _, s := range steps {
		if s.Run == "" {
			continue
		}
		if strings.Contains(s.Run, "${{") {
			t.Errorf("step %q puts an expression into its script, where it could be a command: pass it by env", s.Name)
		}
		ran++
		if status := r.step(t, s); status != 0 {
			return status
		}
	}
	if ran == 0 {
		t.Fatal("no step ran")
	}
	return 0
}

func (r *runner) step(t *testing.T, s workflowStep) int {
	t.Helper()
	args := []string{"-e"} // what GitHub takes where no shell is named
	if s.Shell == "bash" {
		args = []string{"--noprofile", "--norc", "-eo", "pipefail"}
	}
	cmd := exec.CommandContext(t.Context(), "bash", append(args, "-c", s.Run)...)
	cmd.Dir = filepath.Join(r.dir, r.expand(t, s.Dir))
	cmd.Env = append(os.Environ(), r.env...)
	for key, value := range s.Env {
		cmd.Env = append(cmd.Env, key+"="+r.expand(t, value))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	r.stderr = out.String()
	t.Logf("step %q ended with %d", s.Name, cmd.ProcessState.ExitCode())
	return cmd.ProcessState.ExitCode()
}

// workflow reads the jobs of the workflow that users copy.
func workflow(t *testing.T) map[string]struct{ Steps []workflowStep } {
	t.Helper()
	var w struct {
		Env  map[string]string
		Jobs map[string]struct{ Steps []workflowStep }
	}
	decodeYAML(t, "../../.github/workflows/perf.yml", &w)
	for key, value := range w.Env {
		if value != "" {
			t.Errorf("the workflow sets %s=%q, and this test does not", key, value)
		}
	}
	return w.Jobs
}

// action reads the steps of the composite action, and its inputs.
func action(t *testing.T) (steps []workflowStep, defaults map[string]string) {
	t.Helper()
	var a struct {
		Inputs map[string]struct{ Default string }
		Runs   struct{ Steps []workflowStep }
	}
	decodeYAML(t, "../../.github/actions/gate/action.yml", &a)
	defaults = map[string]string{}
	for name, input := range a.Inputs {
		defaults["inputs."+name] = input.Default
	}
	return a.Runs.Steps, defaults
}

func decodeYAML(t *testing.T, file string, to any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readText(t, file)), to); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// gitIn runs git in a consumer's repository.
func (c consumer) git(t *testing.T, args ...string) {
	t.Helper()
	checkout{c.dir}.git(t, args...)
}

// TestWorkflow runs the steps of both jobs in a Go module whose branch is slower.
func TestWorkflow(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "git")
	c := newConsumer(t, importTargets)
	const spin = "package main\n\nimport \"time\"\n\n// The work is real, and takes as long as it is told to.\nfunc main() {\n\tfor end := time.Now().Add(%s); time.Now().Before(end); {\n\t}\n}\n"
	c.write(t, "main.go", strings.Replace(spin, "%s", "5*time.Millisecond", 1))
	c.write(t, ".gitignore", ".perf/\nperf-report/\n")
	c.git(t, "init", "--quiet", "-b", "main")
	c.git(t, "add", ".")
	c.git(t, "commit", "--quiet", "-m", "first")
	jobs := workflow(t)

	r := newRunner(t, c.dir, append(c.env, "GITHUB_BASE_REF=main", "GATE_FLAGS=-budget=20s -workload=cli", "SUITE_FLAGS=-only=cli")...)
	c.git(t, "checkout", "--quiet", "-b", "slower")
	c.write(t, "main.go", strings.Replace(spin, "%s", "15*time.Millisecond", 1))
	c.git(t, "commit", "--quiet", "-am", "slower")
	if status := r.run(t, jobs["gate"].Steps); status != perf.ExitGate {
		t.Fatalf("the gate of a branch that is three times as slow ends with %d:\n%s", status, r.stderr)
	}
	if summary := readText(t, r.summary); !strings.Contains(summary, "### ❌") || !strings.Contains(summary, "SLOWER") {
		t.Errorf("the summary is\n%s", summary)
	}
	if !strings.Contains(r.stderr, "\n::error title=cli startup") {
		t.Errorf("there is no annotation:\n%s", r.stderr)
	}
	for _, name := range []string{"gate.md", "gate.xml", "result.json", "bench.txt"} {
		readText(t, filepath.Join(c.dir, "perf-report", name))
	}
}

// cheapSuite is a magefile with two workloads that take a moment: which ones are measured
// is not what the workflow is about, and builds of a program take half a minute.
const cheapSuite = `import (
	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
	//mage:import
	"github.com/seanchatmangpt/clnrm-perf/perf/targets"
)

func init() {
	targets.Use(suite.Suite{
		Name: "cheap", Subject: "the go command",
		Workloads: []suite.Workload{
			{Name: "cli startup", Command: suite.Command{Args: []string{"go", "version"}}, Min: 20, Max: 20},
			{Name: "help", Command: suite.Command{Args: []string{"go", "help"}}, Min: 20, Max: 20},
		},
		Objectives: []suite.Objective{{Name: "answer", Workload: "cli startup", Metric: perf.Wall, Quantile: 0.5, Confidence: 0.95, Target: 3600, Critical: 7200}},
	})
}
`

// TestWorkflowOnMain runs the job that refreshes the baseline, and once more: that time
// there is one to compare with, and what was only part of the suite does not replace it.
func TestWorkflowOnMain(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, cheapSuite)
	jobs := workflow(t)
	r := newRunner(t, c.dir, append(c.env, "GATE_FLAGS=", "SUITE_FLAGS=-mode=quick")...)
	steps := jobs["suite"].Steps
	for i := range steps {
		// Full mode takes minutes; quick mode measures the same.
		steps[i].Run = strings.Replace(steps[i].Run, "benchmarkAll", "benchmarks", 1)
	}
	if status := r.run(t, steps); status != 0 {
		t.Fatalf("the suite ends with %d:\n%s", status, r.stderr)
	}
	baseline := onlyFile(t, filepath.Join(c.dir, "baselines", "*", "*", "main.json"))
	whole := readText(t, baseline)
	r.env = append(r.env, "SUITE_FLAGS=-mode=quick -only=cli")
	if status := r.run(t, steps[3:]); status != 0 { // the gate is built
		t.Errorf("a part of the suite ends with %d:\n%s", status, r.stderr)
	}
	if readText(t, baseline) != whole {
		t.Error("a part of the suite has replaced the baseline")
	}
	if summary := readText(t, r.summary); strings.Count(summary, "### ") != 3 {
		t.Errorf("two runs and a comparison do not make the summary\n%s", summary)
	}
}

// sourceTree copies this module to where GitHub puts an action's repository.
func sourceTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"perf", "magefiles", ".github", "baselines"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("../..", name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := copyFile(filepath.Join("../..", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestAction runs the steps of the composite action in a Cargo project: a gate that
// holds, one that is breached, one whose process is killed in its middle, and one that
// cannot start.
func TestAction(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "cargo")
	if testing.Short() {
		t.Skip("compiles the gate and a crate; left out by -short")
	}
	dir := t.TempDir()
	writeText(t, dir, "Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
	writeText(t, dir, "Cargo.lock", "version = 3\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n")
	writeText(t, dir, "src/main.rs", `// Ends the process that started it, where it is told to: the gate.
fn main() {
    if std::env::var("KILL_THE_GATE").is_ok() {
        let parent = std::os::unix::process::parent_id().to_string();
        std::process::Command::new("kill").args(["-9", &parent]).status().unwrap();
    }
    println!("usage: app");
}
`)
	steps, defaults := action(t)
	r := newRunner(t, dir, "GITHUB_ACTION_PATH="+filepath.Join(sourceTree(t), ".github", "actions", "gate"))
	run := func(flags string, env ...string) int {
		t.Helper()
		r.values = map[string]string{"inputs.target": "cleanroomSloCheck", "inputs.flags": flags, "inputs.report": defaults["inputs.report"], "inputs.working-directory": defaults["inputs.working-directory"]}
		kept := r.env
		defer func() { r.env = kept }()
		r.env = append(r.env[:len(r.env):len(r.env)], env...)
		_ = os.Remove(r.outputs)
		return r.run(t, steps)
	}
	if status := run("-only=cli startup"); status != 0 {
		t.Fatalf("a gate that holds ends with %d:\n%s", status, r.stderr)
	}
	steps = steps[2:] // the gate is built
	if !strings.Contains(readText(t, r.outputs), "status=0\n") || !strings.Contains(readText(t, r.summary), "### ✅") {
		t.Errorf("outputs %q, summary\n%s", readText(t, r.outputs), readText(t, r.summary))
	}
	if status := run("-only=cli startup\n-set=cli startup=1us\n"); status != perf.ExitGate || !strings.Contains(r.stderr, "\n::error title=cli startup") {
		t.Errorf("a breached gate ends with %d:\n%s", status, r.stderr)
	}
	// What the run before has left must not stand for this one.
	if status := run("-only=cli startup", "KILL_THE_GATE=1"); status == 0 || !strings.Contains(r.stderr, "::error title=no verdict::") {
		t.Errorf("a gate that was killed ends with %d:\n%s", status, r.stderr)
	}
	if !strings.Contains(readText(t, r.outputs), "status=137\n") {
		t.Errorf("outputs %q of a killed gate", readText(t, r.outputs))
	}
	if status := run("-no-such-flag"); status != perf.ExitUsage {
		t.Errorf("a flag that is none ends with %d", status)
	}
}
