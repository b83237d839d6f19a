package experiment

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/clnrmtest"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// childEnv makes the test binary play the measured command: its value is what to do.
const childEnv = "CLNRM_PERF_TEST_CHILD"

func TestMain(m *testing.M) {
	if options, ok := os.LookupEnv(clnrmtest.Env); ok {
		os.Exit(clnrmtest.Main(options, os.Args[1:], os.Stdout))
	}
	if do, ok := os.LookupEnv(childEnv); ok {
		os.Exit(child(do, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// child prints its arguments, one a line, and does what it is told.
func child(do string, args []string) int {
	for _, a := range args {
		fmt.Println(a)
	}
	switch do {
	case "fail":
		fmt.Fprintln(os.Stderr, "the reason it broke")
		return 3
	case "append":
		f, err := os.OpenFile(args[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return 1
		}
		_, err = fmt.Fprintln(f, args[1])
		return exitCode(errors.Join(err, f.Close()))
	case "append env":
		args[1] += " " + os.Getenv("OF_ALL") + " " + os.Getenv("OF_BUILDS")
		return child("append", args)
	case "getenv":
		fmt.Println(args[0] + "=" + os.Getenv(args[0]))
		return 1
	case "touch":
		return exitCode(os.WriteFile(args[0], nil, 0o644))
	case "hang":
		conn, err := net.Dial("tcp", args[0])
		if err != nil {
			return exitCode(err)
		}
		_, err = conn.Read(make([]byte, 1))
		return exitCode(err)
	case "hash":
		return playHashes(args)
	case "burn":
		for parent := os.Getppid(); os.Getppid() == parent; {
			playHashes([]string{"100000"})
		}
	case "unfinished":
		fmt.Print("Total: 5 tests, 5 passed, 0 failed")
	}
	return 0
}

// playHashes computes as many hashes as args[0] says, and with a second argument up to
// that share more or fewer, at random.
func playHashes(args []string) int {
	n, err := strconv.ParseFloat(args[0], 64)
	if err != nil {
		return exitCode(err)
	}
	if len(args) > 1 {
		share, err := strconv.ParseFloat(args[1], 64)
		if err != nil {
			return exitCode(err)
		}
		n *= 1 + share*(2*rand.Float64()-1)
	}
	var sum [sha256.Size]byte
	for range int(n) {
		sum = sha256.Sum256(sum[:])
	}
	return 0
}

func exitCode(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// play is a command in which the test binary does what it is told.
func play(t *testing.T, do string, args ...string) suite.Command {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return suite.Command{Args: append([]string{exe}, args...), Env: []string{childEnv + "=" + do}}
}

// measureOne runs a suite of one workload as processes.
func measureOne(t *testing.T, w suite.Workload) (*perf.WorkloadResult, Processes) {
	t.Helper()
	p := Processes{Work: filepath.Join(t.TempDir(), "work"), Logs: t.TempDir()}
	w.Name = "w"
	if w.Min == 0 {
		w.Min, w.Max = 2, 2
	}
	r := new(perf.Result)
	s := suite.Suite{Name: "s", Workloads: []suite.Workload{w}}
	if err := (Engine{New: p.Runner}).Run(t.Context(), plan(s), r); err != nil {
		t.Fatal(err)
	}
	return r.Workload("w"), p
}

func TestProcessMetrics(t *testing.T) {
	w, _ := measureOne(t, suite.Workload{Command: play(t, "nothing"), Memory: 1, Items: &suite.Items{Unit: "files", Number: 7}})
	if w.State != perf.StateOK {
		t.Fatalf("%s: %s", w.State, w.Reason)
	}
	for _, name := range []string{"wall", "user", "system", "cpu", "cpu utilisation", "throughput"} {
		if s, ok := w.Series(name); !ok || len(s.Samples) != 2 || s.Summary == nil {
			t.Errorf("%s: %v, want 2 samples and a summary", name, s)
		}
	}
	wall, _ := w.Series("wall")
	rate, _ := w.Series("throughput")
	if rate.Unit != "files/sec" {
		t.Errorf("throughput in %s, want files/sec", rate.Unit)
	}
	if got, want := rate.Samples[0], 7/wall.Samples[0]; got != want {
		t.Errorf("throughput %v, want 7 files over the wall time: %v", got, want)
	}
}

func TestHookOrder(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	say := func(word string) suite.Command { return play(t, "append", log, word) }
	measureOne(t, suite.Workload{
		Command: say("run"), Warmup: 1, Memory: 1,
		Setup: []suite.Command{say("setup")}, Prepare: []suite.Command{say("prepare")}, Conclude: []suite.Command{say("conclude")}, Cleanup: []suite.Command{say("cleanup")},
	})
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(string(data))
	want := []string{"setup"}
	for range 4 { // a warm-up, two timed runs, a memory run
		want = append(want, "prepare", "run", "conclude")
	}
	want = append(want, "cleanup")
	if !slices.Equal(got, want) {
		t.Errorf("order:\n got %q\nwant %q", got, want)
	}
}

func TestFailedCommand(t *testing.T) {
	w, p := measureOne(t, suite.Workload{Command: play(t, "fail")})
	if w.State != perf.StateFailed || !strings.Contains(w.Reason, "exit status 3") || !strings.Contains(w.Reason, "the reason it broke") {
		t.Errorf("%s: %q, want the status and the last lines", w.State, w.Reason)
	}
	log, err := os.ReadFile(filepath.Join(p.Logs, "w.log"))
	if err != nil || !strings.Contains(string(log), "the reason it broke") {
		t.Errorf("log %q (%v), want the command's output", log, err)
	}
}

func TestLogOfAnOddName(t *testing.T) {
	p := Processes{Work: t.TempDir(), Logs: t.TempDir()}
	w := suite.Workload{Name: "cat /dev/zero; " + strings.Repeat("x", 300), Command: play(t, "fail"), Min: 1, Max: 1}
	r := new(perf.Result)
	if err := (Engine{New: p.Runner}).Run(t.Context(), plan(suite.Suite{Name: "s", Workloads: []suite.Workload{w}}), r); err != nil {
		t.Fatal(err)
	}
	logs, err := os.ReadDir(p.Logs)
	if err != nil || len(logs) != 1 || !strings.HasPrefix(logs[0].Name(), "cat--dev-zero") {
		t.Errorf("logs %v (%v), want one whose name a file can have", logs, err)
	}
}

// Long commands of a scan differ behind what a file name holds.
func TestLogsOfLikeNames(t *testing.T) {
	p := Processes{Work: filepath.Join(t.TempDir(), "work"), Logs: t.TempDir()}
	s := suite.Suite{Name: "s"}
	like := "./" + strings.Repeat("x", maxLogName)
	for _, name := range []string{like + " 1", like + " 2"} {
		s.Workloads = append(s.Workloads, suite.Workload{Name: name, Command: play(t, "fail", "output of "+name), Min: 1, Max: 1})
	}
	r := new(perf.Result)
	if err := (Engine{New: p.Runner}).Run(t.Context(), plan(s), r); err != nil {
		t.Fatal(err)
	}
	for _, w := range r.Workloads {
		_, after, _ := strings.Cut(w.Reason, "(more of its output: ")
		path, _, _ := strings.Cut(after, ")")
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), "output of "+w.Name+"\n") {
			t.Errorf("%s: its log %s holds %q (%v)", w.Name, path, data, err)
		}
		if strings.HasPrefix(filepath.Base(path), ".") {
			t.Errorf("%s: its log %s is hidden", w.Name, path)
		}
	}
}

func TestWorkingDirectoryInTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	c := play(t, "getenv", "PWD")
	c.Dir = dir
	w, _ := measureOne(t, suite.Workload{Command: c})
	if !strings.Contains(w.Reason, "PWD="+dir) {
		t.Errorf("%q: want PWD to be the command's folder %s", w.Reason, dir)
	}
}

// What builds have beside the rest is not in the environment of what is measured.
func TestBuildEnv(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	say := func(word string) suite.Command { return play(t, "append env", log, word) }
	p := Processes{Work: filepath.Join(t.TempDir(), "work"), Logs: t.TempDir(), Env: []string{"OF_ALL=1"}, BuildEnv: []string{"OF_BUILDS=1"}}
	s := suite.Suite{Name: "s", Workloads: []suite.Workload{
		{Name: "needed", Command: say("needed"), Min: 1, Max: 1},
		{Name: "w", Command: say("run"), Needs: []string{"needed"}, Min: 1, Max: 1,
			Setup: []suite.Command{say("setup")}, Prepare: []suite.Command{say("prepare")}},
	}}
	steps := s.Plan(suite.Full, map[string]bool{"w": true})
	if err := (Engine{New: p.Runner}).Run(t.Context(), steps, new(perf.Result)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(log)
	if want := "needed 1 1\nsetup 1 1\nprepare 1 1\nrun 1 \n"; string(data) != want {
		t.Errorf("the environment was\n%s(%v), want\n%s", data, err, want)
	}
}

func TestFailedHook(t *testing.T) {
	w, _ := measureOne(t, suite.Workload{Command: play(t, "nothing"), Prepare: []suite.Command{play(t, "fail")}})
	if w.State != perf.StateFailed || !strings.Contains(w.Reason, "in its prepare: ") {
		t.Errorf("%s: %q, want the hook named", w.State, w.Reason)
	}
}

// A hook that hangs is ended as a run is.
func TestHookTimeout(t *testing.T) {
	w, _ := measureOne(t, suite.Workload{Command: play(t, "nothing"), Prepare: []suite.Command{play(t, "burn")}, HookTimeout: 50 * time.Millisecond})
	if w.State != perf.StateFailed || !strings.Contains(w.Reason, "in its prepare: ") || !strings.Contains(w.Reason, "timed out after 50ms") {
		t.Errorf("%s: %q, want the hook ended", w.State, w.Reason)
	}
}

// A command that is named after itself is named once.
func TestFailureIsNamedOnce(t *testing.T) {
	rec := newRecording(&suite.Step{Workload: suite.Workload{Name: "false"}})
	rec.end(t.Context(), errors.New("false: exit status 1"))
	if got := rec.result.Reason; got != "exit status 1" {
		t.Errorf("the reason is %q", got)
	}
}

func TestCommandNotFound(t *testing.T) {
	w, _ := measureOne(t, suite.Workload{Command: suite.Command{Args: []string{"no-such-command-here"}}})
	if w.State != perf.StateFailed || !strings.Contains(w.Reason, "no-such-command-here") {
		t.Errorf("%s: %q, want the command named", w.State, w.Reason)
	}
}

func TestCountsTests(t *testing.T) {
	tests := &suite.Tests{Passed: suite.Count{Pattern: `Total: \d+ tests, (\d+) passed`}, Failed: suite.Count{Pattern: `passed, (\d+) failed`}}
	lines := &suite.Tests{Passed: suite.Count{Pattern: `^PASS `}, Failed: suite.Count{Pattern: `^FAIL `}}
	for _, tc := range []struct {
		name   string
		tests  *suite.Tests
		cmd    suite.Command
		state  perf.State
		reason string
	}{
		{"numbers", tests, play(t, "nothing", "Total: 30 tests, 30 passed, 0 failed"), perf.StateOK, ""},
		{"without a newline at the end", tests, play(t, "unfinished"), perf.StateOK, ""},
		{"lines", lines, play(t, "nothing", "PASS a", "PASS b"), perf.StateOK, ""},
		{"none", lines, play(t, "nothing", "ok, 0 tests"), perf.StateFailed, "no test ran"},
		{"zero", tests, play(t, "nothing", "Total: 0 tests, 0 passed, 0 failed"), perf.StateFailed, "no test ran"},
		{"one failed, exit 0", lines, play(t, "nothing", "PASS a", "FAIL b"), perf.StateFailed, "1 of its tests failed"},
	} {
		w, _ := measureOne(t, suite.Workload{Command: tc.cmd, Tests: tc.tests, Items: &suite.Items{Unit: "tests", Count: tc.tests.Passed}})
		if w.State != tc.state || !strings.Contains(w.Reason, tc.reason) {
			t.Errorf("%s: %s, %q; want %s with %q", tc.name, w.State, w.Reason, tc.state, tc.reason)
		}
	}
}

func TestCreates(t *testing.T) {
	made := suite.Work + "/bin/made"
	touch := play(t, "touch", made)
	if w, _ := measureOne(t, suite.Workload{Command: touch, Creates: []string{made}}); w.State != perf.StateOK {
		t.Errorf("%s: %s", w.State, w.Reason)
	}
	w, _ := measureOne(t, suite.Workload{Command: play(t, "nothing"), Creates: []string{made}})
	if w.State != perf.StateFailed || !strings.Contains(w.Reason, "did not make") {
		t.Errorf("%s: %q: a build that makes nothing must not pass", w.State, w.Reason)
	}
}

func TestFreshEmptiesOnlyBelowWork(t *testing.T) {
	fresh := suite.Work + "/cache"
	dirty := []suite.Command{play(t, "touch", fresh+"/left")}
	w, p := measureOne(t, suite.Workload{Command: play(t, "nothing"), Fresh: []string{fresh}, Conclude: dirty})
	if w.State != perf.StateOK {
		t.Fatalf("%s: %s", w.State, w.Reason)
	}
	if _, err := os.Stat(filepath.Join(p.Work, "cache", "left")); err != nil {
		t.Errorf("the conclude of the last run left no file: %v", err)
	}
	outside := t.TempDir()
	keep := filepath.Join(outside, "keep")
	if err := os.WriteFile(keep, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{outside, suite.Work + "/../" + filepath.Base(outside), suite.Work} {
		w, _ := measureOne(t, suite.Workload{Command: play(t, "nothing"), Fresh: []string{dir}})
		if w.State != perf.StateFailed || !strings.Contains(w.Reason, "does not lie below") {
			t.Errorf("Fresh %s: %s, %q; only what lies in the folder of the run may be removed", dir, w.State, w.Reason)
		}
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("a file outside of the run's folder is gone: %v", err)
	}
}

func TestEnvironmentHasEachKeyOnce(t *testing.T) {
	got := environment([]string{"A=1", "HOME=/root", "AB=2"}, []string{"HOME=/one", "HOME=/two", "C=3"})
	want := []string{"A=1", "AB=2", "HOME=/two", "C=3"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCounterSplitsLinesAcrossChunks(t *testing.T) {
	var c lineCounts
	c.passed = newCounter(suite.Count{Pattern: `^ok (\d+)$`})
	for _, chunk := range []string{"o", "k 1", "2\nok", " 3\n", "ok 4"} {
		c.output(1, []byte(chunk), time.Time{})
	}
	c.output(2, []byte("ok 100\n"), time.Time{})
	c.flush()
	if c.passed.n != 12+3+4+100 {
		t.Errorf("counted %d, want 119", c.passed.n)
	}
	c.output(1, []byte(strings.Repeat("x", 10*maxLine)), time.Time{})
	if len(c.partial[1]) > maxLine {
		t.Errorf("%d bytes of a line that never ends are kept", len(c.partial[1]))
	}
}
