package targets_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

func TestBenchmarksOfABinary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := copyRuns(t, dir, whole)
	o.want(t, 0, "cli startup", "MET", "self-test throughput", "tests/s", "exit status 0")
	nothingLeft(t, sharedDir())
	list := results(t, dir)
	if len(list) != 1 || !list[0].Whole() || list[0].Suite != "clnrm" {
		t.Fatalf("results: %+v, want one whole run of clnrm", list)
	}
	for _, w := range list[0].Workloads {
		if w.State != perf.StateOK {
			t.Errorf("%s: %s: %s", w.Name, w.State, w.Reason)
		}
	}
	if list[0].Workload("build") != nil {
		t.Error("a binary that the user named was built")
	}
}

func TestGateStatuses(t *testing.T) {
	t.Parallel()
	env := fakeClnrm(t)
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		words  []string
	}{
		{"met", []string{"-only=cli startup"}, 0, []string{"MET"}},
		{"breached", []string{"-only=cli startup", "-set=cli startup=1us"}, 3, []string{"cli startup is BREACHED"}},
		{"over target", []string{"-only=cli startup", "-set=cli startup=1us/1h"}, 0, []string{"WARNING"}},
		{"over target, strict", []string{"-only=cli startup", "-set=cli startup=1us/1h", "-strict"}, 3, []string{"WARNING"}},
		{"nothing to judge", []string{"-only=validate"}, 1, []string{"no objective"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			call(t, dir, env, append([]string{"cleanroomSloCheck"}, tc.args...)...).want(t, tc.status, tc.words...)
			if r := results(t, dir); len(r) != 1 || r[0].Exit != tc.status {
				t.Errorf("the result says exit %d, and the gate %d", r[0].Exit, tc.status)
			}
		})
	}
}

func TestGateCannotMeasure(t *testing.T) {
	t.Parallel()
	// A clnrm that knows no self-test: the workload fails (1), which says more than
	// that its objective was not measured (4).
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"CLNRM_BIN=" + self, playEnv + "=exit"}
	call(t, t.TempDir(), env, "cleanroomSloCheck").want(t, 1, "FAILED cli startup", "exit status 7", "about to fail", "NOT MEASURED")
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	env := fakeClnrm(t)
	for _, tc := range []struct {
		args  []string
		words []string
	}{
		{[]string{"benchmarks", "-only=self-tset"}, []string{`unknown workload "self-tset"`, `did you mean "self-test"?`}},
		{[]string{"benchmarks", "-only=cli startup,nothing"}, []string{`unknown workload "nothing"`}},
		{[]string{"benchmarks", "-mode=fast"}, []string{`unknown mode "fast"`, "quick, full"}},
		{[]string{"benchmarks", "-set=memroy=1MB"}, []string{`did you mean "memory"?`}},
		{[]string{"benchmarks", "-set=memory=1MB,mem=2MB"}, []string{"set twice"}},
		{[]string{"benchmarks", "-set=memory=lots"}, []string{`"lots" is not a number`}},
		{[]string{"benchmarks", "-set=memory=2s"}, []string{"-set", "memory"}},
		{[]string{"benchmarks", "-set=memory=2MB/1MB"}, []string{"stricter"}},
		{[]string{"cleanroomSloCheck", "-allowUnmeasured=memroy"}, []string{`did you mean "memory"?`}},
		{[]string{"baseline:show", "none"}, []string{"none"}},
		{[]string{"baseline:save", "../x"}, []string{"../x"}},
		{[]string{"time", "echo 'unclosed"}, []string{"never closed"}},
		{[]string{"time", "echo a | wc"}, []string{"-shell"}},
		{[]string{"time", ""}, []string{"the command is empty"}},
		{[]string{"time", "true", "-runs=0"}, []string{"-runs=0"}},
		{[]string{"time", "true", "-budget=fast"}, []string{"-budget"}},
		{[]string{"time", "true", "-cpu=x"}, []string{"-cpu=x"}},
		{[]string{"time", "true", "-scan=n=1..3"}, []string{"{n} occurs neither"}},
		{[]string{"time", "true {n}", "-scan=n=3..1"}, []string{"rise"}},
		{[]string{"compare", "true", "echo 'unclosed"}, []string{"never closed"}},
		{[]string{"compare", "true", ""}, []string{"the command is empty"}},
		{[]string{"compare", "true", "true", "-budget=fast"}, []string{"-budget"}},
		{[]string{"compare", "true", "true", "-minEffect=lots"}, []string{"-minEffect=lots", "2%"}},
		{[]string{"compare", "true", "true", "-minEffect=0%"}, []string{"-minEffect=0%"}},
		{[]string{"compare", "true", "true", "-minEffect=2% 5"}, []string{"-minEffect=2% 5"}},
		{[]string{"compare", "true", "true", "-metric=instructions"}, []string{"unknown metric", "wall, cpu"}},
		{[]string{"compare", "true", "true", "-seed=-1"}, []string{"-seed=-1"}},
		{[]string{"compare", "true", "true", "-cpu=x"}, []string{"-cpu=x"}},
		{[]string{"selfTest", "-budget=1"}, []string{"-budget=1"}},
		{[]string{"compareRefs", "HEAD", "HEAD"}, []string{"CLNRM_BIN"}},
		{[]string{"regressions"}, []string{"CLNRM_BIN"}},
		{[]string{"no-such-target"}, []string{"no-such-target"}},
		{[]string{"benchmarks", "-nosuchflag=1"}, []string{"nosuchflag"}},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			dir := t.TempDir()
			call(t, dir, env, tc.args...).want(t, perf.ExitUsage, tc.words...)
			if r := results(t, dir); len(r) > 0 {
				t.Error("a call that makes no sense has left a result")
			}
		})
	}
}

func TestNothingToMeasure(t *testing.T) {
	t.Parallel()
	call(t, t.TempDir(), nil, "benchmarks").want(t, perf.ExitUsage, "neither a Cargo.toml nor a go.mod")
}

func TestJSONAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := call(t, dir, fakeClnrm(t), "benchmarks", "-only=cli startup", "-json").decoded(t)
	if len(r.Objectives) != 1 || r.Objectives[0].State != perf.Met || r.Exit != 0 || r.Whole() {
		t.Errorf("objectives %+v, exit %d, whole %v", r.Objectives, r.Exit, r.Whole())
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := call(t, dir, []string{playEnv + "=nothing"}, "time", self, "-runs=7", "-json")
	o.want(t, 0, "1 for warm-up")
	r := o.decoded(t)
	if r.Suite != "time" || len(r.Workloads) != 1 {
		t.Fatalf("suite %q, %d workloads", r.Suite, len(r.Workloads))
	}
	s, _ := r.Workloads[0].Series("wall")
	if len(s.Samples) != 7 {
		t.Errorf("%d runs, want exactly 7", len(s.Samples))
	}
	call(t, dir, nil, "baseline:save", "x").want(t, perf.ExitUsage, "neither a Cargo.toml nor a go.mod")
	call(t, dir, fakeClnrm(t), "baseline:save", "x").want(t, 1, "no ")
}

func TestTimeFailures(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		command string
		env     string
		words   []string
	}{
		{"not found", "no-such-command-at-all", "nothing", []string{"FAILED", "no-such-command-at-all", "PATH"}},
		{"exit status", self, "exit", []string{"FAILED", "exit status 7", "about to fail"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			call(t, dir, []string{playEnv + "=" + tc.env}, "time", tc.command).want(t, 1, tc.words...)
			nothingLeft(t, dir)
		})
	}
}

func TestTimeScan(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := call(t, t.TempDir(), []string{playEnv + "=nothing"}, "time", self+" {n}", "-scan=n=1..3", "-runs=2", "-memory=0", "-json")
	r := o.decoded(t)
	if len(r.Workloads) != 3 || !strings.HasSuffix(r.Workloads[2].Name, " 3") {
		t.Errorf("workloads %v, want one for each of 1, 2, 3", len(r.Workloads))
	}
	for _, w := range r.Workloads {
		if _, ok := w.Series("peak memory"); ok {
			t.Error("-memory=0 has measured memory")
		}
	}
}

func TestTimeWithShell(t *testing.T) {
	t.Parallel()
	r := call(t, t.TempDir(), nil, "time", "exit 0", "-shell", "-runs=3", "-json").decoded(t)
	if len(r.Workloads) != 2 || r.Workloads[1].Name != "(the shell itself)" {
		t.Fatalf("%d workloads; want the command and the shell itself", len(r.Workloads))
	}
	if s, _ := r.Workloads[1].Series("wall"); len(s.Samples) == 0 {
		t.Error("the shell was not measured")
	}
}

// A run, a baseline of it, another run, a comparison.
func TestBaselineRound(t *testing.T) {
	t.Parallel()
	dir, env := t.TempDir(), fakeClnrm(t)
	call(t, dir, env, "baseline:save", "main").want(t, 1)
	copyRuns(t, dir, part)
	call(t, dir, env, "baseline:save", "main").want(t, 1) // part of a suite is no baseline
	copyRuns(t, dir, whole)
	call(t, dir, env, "baseline:save", "main").want(t, 0, "saved run", filepath.Join("baselines", "clnrm"))
	call(t, dir, env, "baseline:list").want(t, 0, "main", "this one")
	call(t, dir, env, "baseline:show", "main").want(t, 0, "cli startup", "MET")
	call(t, dir, env, "baseline:show", "mian").want(t, perf.ExitUsage, `"main"`)
	// Only part of the suite has been run beside the baseline's own run.
	call(t, dir, env, "baseline:compare", "main").want(t, 0, "cli startup wall", "unpaired")
	call(t, dir, env, "benchmarks").want(t, 0)
	o := call(t, dir, env, "baseline:compare", "main", "-json")
	r := o.decoded(t)
	if len(r.Comparisons) == 0 {
		t.Fatal("nothing was compared")
	}
	for _, c := range r.Comparisons {
		if c.Design != perf.Unpaired || c.Workload == "cli startup" && c.Metric == "wall" && (c.Ratio == nil || !c.Gate || len(c.Old.Samples) == 0) {
			t.Errorf("comparison %+v", c)
		}
	}
}

// The run of a folder that was copied from another machine, and the baseline's own.
func TestBaselineIsNotComparedWithJustAnyRun(t *testing.T) {
	t.Parallel()
	dir, env := t.TempDir(), fakeClnrm(t)
	copyRuns(t, dir, part, whole)
	call(t, dir, env, "baseline:save", "main").want(t, 0)
	own := ""
	for _, r := range results(t, dir) {
		if r.Whole() {
			own = r.ID
			continue
		}
		r.Machine.Fingerprint = "plan9-mips-1c-1g-00000000"
		data, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, ".perf", "runs", r.ID, "result.json"), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	call(t, dir, env, "baseline:compare", "main", "-run="+own).want(t, perf.ExitUsage, own, "was made of")
	call(t, dir, env, "baseline:compare", "main").want(t, perf.ExitUsage, "plan9-mips-1c-1g-00000000", "-acrossMachines")
	call(t, dir, env, "baseline:compare", "main", "-acrossMachines").want(t, 0, "another machine", "no time gates")
}

func TestBaselineGateSeesSlower(t *testing.T) {
	t.Parallel()
	dir, env := t.TempDir(), fakeClnrm(t)
	copyRuns(t, dir, whole)
	call(t, dir, env, "baseline:save", "main").want(t, 0)
	path := onlyFile(t, filepath.Join(dir, "baselines", "*", "*", "main.json"))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := perf.DecodeResult(data, path)
	if err != nil {
		t.Fatal(err)
	}
	// The baseline was ten times as fast, which no other work on the machine explains.
	r.ID += "-faster"
	for _, w := range r.Workloads {
		for i, m := range w.Metrics {
			for j := range m.Samples {
				m.Samples[j] /= 10
			}
			w.Metrics[i].Summary = nil
		}
	}
	if data, err = r.Encode(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	call(t, dir, env, "baseline:compare", "main", "-gate").want(t, perf.ExitGate, "SLOWER", "%")
	call(t, dir, env, "baseline:compare", "main").want(t, 0, "SLOWER")
}

func TestBrokenBaseline(t *testing.T) {
	t.Parallel()
	dir, env := t.TempDir(), fakeClnrm(t)
	copyRuns(t, dir, whole)
	call(t, dir, env, "baseline:save", "main").want(t, 0)
	path := onlyFile(t, filepath.Join(dir, "baselines", "*", "*", "main.json"))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"truncated": string(whole[:len(whole)/2]),
		"newer":     strings.Replace(string(whole), "result/v1", "result/v9", 1),
		"NaN":       strings.Replace(string(whole), `"samples": [`, `"samples": [NaN, `, 1),
		"empty":     "",
	} {
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		o := call(t, dir, env, "baseline:compare", "main", "-gate")
		o.want(t, 1, "main.json")
		if strings.Contains(o.stderr, "panic") || strings.Contains(o.stderr, "goroutine") {
			t.Errorf("%s: panicked:\n%s", name, o.stderr)
		}
	}
}

func onlyFile(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %v (%v), want one file", pattern, files, err)
	}
	return files[0]
}

func TestPlanRunsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	call(t, dir, fakeClnrm(t), "plan").want(t, 0, "--help", "self-test", "judges", "cli startup")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("plan has written %v (%v)", entries, err)
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	call(t, t.TempDir(), nil, "doctor").want(t, 0, "docker engine", "perf", "heaptrack", "valgrind", "cargo", "xctrace", "CPU governor", "fingerprint")
}

func TestDoctorNoise(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	call(t, dir, nil, "doctor", "-noise", "-budget=1s").want(t, 0, "spread of pairs", "wall", "cpu", "detectable in 1 min", "What would improve it")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it has left %v (%v)", left, err)
	}
	call(t, dir, nil, "doctor", "-budget=1s").want(t, perf.ExitUsage, "-noise")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"benchmarks", "benchmarkAll", "benchContainers", "cleanroomSloCheck", "plan", "doctor", "time",
		"compare", "compareRefs", "regressions", "selfTest", "profile", "cleanroomProfile", "profileHeap", "profileOffCpu", "profileAll", "profileDiff", "flamegraph", "fold", "baseline:save", "baseline:list", "baseline:show", "baseline:compare"} {
		call(t, t.TempDir(), nil, "-h", target).want(t, 0, "Example", "Usage:")
	}
	list := call(t, t.TempDir(), nil, "-l")
	list.want(t, 0, "cleanroomSloCheck", "baseline:compare")
	if n := strings.Count(list.stdout, "\n"); n > 30 {
		t.Errorf("%d lines of targets; has a helper become one?\n%s", n, list.stdout)
	}
}

func TestHyphenatedAliases(t *testing.T) {
	t.Parallel()
	call(t, t.TempDir(), fakeClnrm(t), "cleanroom-slo-check", "-only=cli startup").want(t, 0, "MET")
}

// work is a command that computes for about factor times 10 ms: the targets themselves,
// as the self-test uses them.
func work(factor float64) string {
	return fmt.Sprintf("env CLNRM_PERF_SELF_TEST_HASHES=%d ", int(100_000*factor))
}

func TestCompare(t *testing.T) {
	binary, _ := gate(t)
	env := func(factor float64) string { return work(factor) + binary }
	dir := t.TempDir()
	testenv.Tool(t, "env")
	o := call(t, dir, nil, "compare", env(1), env(1.5), "-metric=cpu", "-budget=60s")
	o.want(t, perf.ExitGate, "SLOWER", "cpu *", "not gating", "old:", "evidence", "-seed=")
	r := call(t, dir, nil, "compare", env(1.5), env(1), "-metric=cpu", "-budget=60s", "-json", "-seed=11").decoded(t)
	if len(r.Comparisons) < 3 || r.Comparisons[0].Verdict != perf.Faster || !r.Comparisons[0].Gate || r.Comparisons[0].Seed != 11 || r.Exit != 0 {
		t.Fatalf("exit %d, comparisons %+v", r.Exit, r.Comparisons)
	}
	again := call(t, dir, nil, "compare", env(1.5), env(1), "-metric=cpu", "-budget=60s", "-json", "-seed=11").decoded(t)
	first, second := r.Comparisons[0].Order, again.Comparisons[0].Order
	if n := min(len(first), len(second)); n == 0 || first[:n] != second[:n] {
		t.Errorf("seed 11 gave\n%s and\n%s", first, second)
	}
	nothingLeft(t, dir)
}

// Each of the two commands has hooks around its runs, but what comes once before
// everything and once at the end is of the comparison.
func TestCompareSetsUpOnce(t *testing.T) {
	testenv.Tool(t, "sh")
	dir := t.TempDir()
	hook := func(name string) string { return fmt.Sprintf(`-%s=sh -c 'echo %s >>log'`, name, name) }
	call(t, dir, nil, "compare", "sh -c :", "sh -c :", hook("setup"), hook("cleanup"), "-budget=100ms").want(t, 0)
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if want := "setup\ncleanup\n"; err != nil || string(log) != want {
		t.Errorf("%q, %v; want %q", log, err, want)
	}
}

func TestCompareFailures(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	call(t, dir, []string{playEnv + "=exit"}, "compare", self, self).want(t, perf.ExitFailure, "FAILED", "3 runs in a row failed", "exit status 7", "about to fail")
	call(t, dir, nil, "compare", "no-such-command-at-all", "no-such-command-at-all").want(t, perf.ExitFailure, "FAILED", "PATH")
	for _, r := range results(t, dir) {
		if r.Exit != perf.ExitFailure || !r.Complete {
			t.Errorf("exit %d, complete %v", r.Exit, r.Complete)
		}
	}
	nothingLeft(t, dir)
}

// TestSelfTestTarget cannot ask for a verdict within a time on a machine that others use;
// what must not happen is that something comes out wrong.
func TestSelfTestTarget(t *testing.T) {
	dir := t.TempDir()
	o := call(t, dir, nil, "selfTest", "-budget=10s")
	if o.status != perf.ExitOK && o.status != perf.ExitUnjudged {
		t.Errorf("exit status %d\n%s\n%s", o.status, o.stdout, o.stderr)
	}
	o.want(t, o.status, "against itself", "5 % slower", "20 % slower", "INVALID", "is found here in 95 of 100")
	nothingLeft(t, dir)
}
