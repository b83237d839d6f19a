package targets_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// playEnv makes the test binary play a program: its value is which.
const playEnv = "CLNRM_PERF_TEST_PLAY"

func TestMain(m *testing.M) {
	if part, ok := os.LookupEnv(playEnv); ok {
		os.Exit(play(part, os.Args[1:]))
	}
	// What the tests break on purpose is not for the summary of the job that runs them.
	for _, name := range []string{"GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_BASE_REF"} {
		_ = os.Unsetenv(name)
	}
	status := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(status)
}

// play is the program that the test binary becomes.
func play(part string, args []string) int {
	switch part {
	case "waiter":
		return playWaiter(args)
	case "polite waiter":
		return playPoliteWaiter(args)
	case "exit":
		fmt.Println("about to fail")
		return 7
	}
	return 0
}

// playPoliteWaiter is a waiter that SIGTERM ends.
func playPoliteWaiter(args []string) int {
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return 1
	}
	_, _ = conn.Read(make([]byte, 1)) // nobody ever writes
	return 0
}

// playWaiter connects to the address in args[0] and lives until it is killed. Told to
// "spawn", it first starts another one in a session of its own.
func playWaiter(args []string) int {
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return 1
	}
	if len(args) > 1 {
		child := exec.Command(os.Args[0], args[0])
		child.SysProcAttr = ownSession()
		if err := child.Start(); err != nil {
			return 1
		}
	}
	ignoreTerm()
	_, _ = conn.Read(make([]byte, 1)) // nobody ever writes
	return 0
}

// built is a repository that imports the targets, and the gate compiled from it. It
// is made once, because compiling takes a second or two.
var built struct {
	sync.Once
	dir, gate, clnrm string
	err              error
}

// gate returns the compiled targets and the repository that they were compiled in.
func gate(t *testing.T) (binary, repository string) {
	t.Helper()
	built.Do(func() { built.err = buildGate() })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.gate, built.dir
}

// buildGate makes a repository with a copy of this one's magefile, which imports the
// targets as any repository does, and compiles it.
func buildGate() (err error) {
	if built.dir, err = os.MkdirTemp("", "clnrm-perf-gate"); err != nil {
		return err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	const own = "github.com/seanchatmangpt/clnrm-perf"
	text := strings.Replace(string(mod), "module "+own, "module example.com/consumer", 1) +
		"\nrequire " + own + " v0.0.0\n\nreplace " + own + " => " + root + "\n"
	err = errors.Join(
		os.WriteFile(filepath.Join(built.dir, "go.mod"), []byte(text), 0o644),
		copyFile(filepath.Join(root, "go.sum"), filepath.Join(built.dir, "go.sum")),
		os.Mkdir(filepath.Join(built.dir, "magefiles"), 0o755),
		copyFile(filepath.Join(root, "magefiles", "magefile.go"), filepath.Join(built.dir, "magefiles", "magefile.go")))
	if err != nil {
		return err
	}
	built.gate, built.clnrm = filepath.Join(built.dir, "gate"+exe), filepath.Join(built.dir, "clnrm"+exe)
	return errors.Join(
		compile(built.dir, "go", "tool", "mage", "-compile", built.gate),
		compile(".", "go", "build", "-o", built.clnrm, "./testdata/clnrm"))
}

func compile(dir string, args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// outcome is what a call of the gate did.
type outcome struct {
	stdout, stderr string
	status         int
}

// call runs the gate in dir, with env added.
func call(t *testing.T, dir string, env []string, args ...string) outcome {
	t.Helper()
	binary, _ := gate(t)
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// want checks exit status and that stdout and stderr together hold the words.
func (o outcome) want(t *testing.T, status int, words ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("exit status %d, want %d", o.status, status)
	}
	all := o.stdout + o.stderr
	for _, w := range words {
		if !strings.Contains(all, w) {
			t.Errorf("no %q in the output", w)
		}
	}
	if t.Failed() {
		t.Fatalf("stdout:\n%s\nstderr:\n%s", o.stdout, o.stderr)
	}
}

// fakeClnrm is the environment in which a small program is the clnrm to measure. It is
// compiled by itself: the test binary, with the race detector in it, takes so long to
// start that its spread would decide how long these tests run.
func fakeClnrm(t *testing.T) []string {
	t.Helper()
	gate(t)
	return []string{"CLNRM_BIN=" + built.clnrm}
}

// sharedRuns makes a run of a part of the small clnrm's suite, and then one of the whole,
// which takes long: it has containers, and hot reloads. The tests of what comes after a run
// take copies of both.
var sharedRuns = sync.OnceValues(func() (whole outcome, err error) {
	dir := sharedDir()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return outcome{}, err
	}
	for _, args := range [][]string{{"benchmarks", "-only=cli startup,self-test,validate"}, {"benchmarks", "-set=memory=900MB"}} {
		cmd := exec.Command(built.gate, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CLNRM_BIN="+built.clnrm)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			return outcome{}, fmt.Errorf("%q: %w\n%s%s", args, err, stdout.String(), stderr.String())
		}
		whole = outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	}
	return whole, nil
})

// sharedDir is where the shared runs lie.
func sharedDir() string { return filepath.Join(built.dir, "shared") }

// Which of the shared runs a test takes.
const part, whole = false, true

// copyRuns copies shared runs into dir, and returns what the call that made the whole one
// said.
func copyRuns(t *testing.T, dir string, which ...bool) outcome {
	t.Helper()
	gate(t)
	o, err := sharedRuns()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results(t, sharedDir()) {
		if !slices.Contains(which, r.Whole()) {
			continue
		}
		folder := filepath.Join(".perf", "runs", r.ID)
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join(sharedDir(), folder))); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// results reads every result that lies in dir.
func results(t *testing.T, dir string) []*perf.Result {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ".perf", "runs", "*", "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []*perf.Result
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		r, err := perf.DecodeResult(data, f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// decoded reads the JSON on stdout, which must be all that is there.
func (o outcome) decoded(t *testing.T) *perf.Result {
	t.Helper()
	if !json.Valid([]byte(o.stdout)) {
		t.Fatalf("stdout is not JSON alone:\n%s", o.stdout)
	}
	r, err := perf.DecodeResult([]byte(o.stdout), "stdout")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// nothingLeft checks that no folder of work remains.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, ".perf", "runs", "*", "work"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}
