package report

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

func timesRun() *perf.Result {
	r := emptyRun()
	r.Suite, r.Mode = "time", "ad hoc"
	r.Workloads = []perf.WorkloadResult{ok("grep -c func main.go",
		measured(perf.Wall, 50, 0.000936, 0.00095, 0.001012, 0.0009, 0.004672), measured(perf.User, 50, 0.0004, 0.00041, 0.00042, 0.0003, 0.001),
		measured(perf.CPU, 50, 0.0008, 0.00081, 0.00082, 0.0007, 0.003), measured(perf.Utilisation, 50, 0.8, 0.85, 0.9, 0.7, 1),
		measured(perf.PeakMemory, 6, 2e6, 2e6, 2.1e6, 2e6, 2.2e6), measured(perf.PageFaults, 50, 757300, 757400, 757500, 757000, 758000),
		once(perf.BytesRead, 0), measured(perf.ContextSwitches, 50, 0, 1, 12, 0, 1200), once(perf.RunDelay, 2.1e-6))}
	return r
}

func TestTimes(t *testing.T) {
	several := emptyRun()
	several.Workloads = []perf.WorkloadResult{
		ok("sort --parallel=1 big.txt", measured(perf.Wall, 10, 4.96, 5, 5.1, 4.9, 5.4), measured(perf.CPU, 10, 4.9, 5, 5.05, 4.8, 5.1)),
		ok("sort --parallel=2 big.txt", measured(perf.Wall, 10, 2.6, 2.71, 2.8, 2.5, 3.4), measured(perf.Utilisation, 10, 1.8, 1.9, 1.95, 1.5, 2)),
		ok("sort --parallel=4 --temporary-directory=/somewhere/deep/below a-file-with-a-name.txt", once(perf.Wall, 0.000999)),
	}
	shell := timesRun()
	shell.Workloads = append(shell.Workloads, ok(suite.ShellItself, measured(perf.Wall, 30, 0.0005, 0.00051, 0.00052, 0.0004, 0.001)))
	failed := emptyRun()
	failed.Workloads = []perf.WorkloadResult{{Name: "no-such-program", State: perf.StateFailed, Reason: "starting no-such-program: it is not found in PATH"}}
	hostile := timesRun()
	hostile.Workloads[0].Name = nasty
	hostile.Workloads[0].Metrics[1].Name = nasty
	for name, r := range map[string]*perf.Result{"times": timesRun(), "times-several": several, "times-shell": shell, "times-failed": failed, "times-nasty": hostile} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, func(w io.Writer, st Style) error { return Times(w, r, st) })
		})
	}
}

// compared is a comparison of two medians, with an interval around their ratio.
func compared(workload string, m perf.Metric, gate bool, old, now, spread float64, v perf.Verdict) perf.Comparison {
	ratio := now / old
	low, high := ratio*(1-spread), ratio*(1+spread)
	return perf.Comparison{
		Workload: workload, Metric: m.Name, Unit: m.Unit, Better: m.Better, Gate: gate, Design: perf.Unpaired, Alpha: 0.01, MinEffect: 0.10,
		Old: perf.Arm{Ref: "main", Samples: make(perf.Sample, 30), Center: &old}, New: perf.Arm{Ref: "id", Samples: make(perf.Sample, 57), Center: &now},
		Ratio: &ratio, Low: &low, High: &high, Verdict: v,
	}
}

func comparisonRun() *perf.Result {
	r := goodRun()
	slower := compared("cli startup", perf.Wall, true, 0.00095, 0.0012, 0.05, perf.Slower)
	unsure := compared("test suite", perf.Wall, true, 5, 5.1, 0.12, perf.VerdictUnsure)
	unsure.Reason = "the interval 0.898 to 1.142 reaches across a limit of ±10 %: more runs on both sides narrow it, an interleaved comparison of both in one session does better"
	gone := compared("self-test", perf.Wall, true, 0.36, 0.36, 0, perf.VerdictUnsure)
	gone.New, gone.Ratio, gone.Low, gone.High = perf.Arm{}, nil, nil, nil
	gone.Reason = "NOT MEASURED: the run has no wall for self-test, which is failed exit status 1"
	fresh := compared("validate", perf.Wall, true, 0.36, 0.36, 0, perf.Invalid)
	fresh.Old, fresh.Ratio, fresh.Low, fresh.High = perf.Arm{}, nil, nil, nil
	fresh.Reason = "the baseline has no workload validate: save a new one"
	r.Comparisons = []perf.Comparison{
		compared("cli startup", perf.CPU, false, 0.0008, 0.00076, 0.02, perf.Faster), slower,
		compared("build", perf.Wall, true, 24, 24, 0, perf.NoChange), compared("build", perf.PageFaults, false, 757400, 762926, 0.01, perf.NoChange),
		unsure, compared("self-test", perf.PeakMemory, true, 25e6, 81e6, 0.1, perf.Slower), gone, fresh,
	}
	return r
}

func TestComparison(t *testing.T) {
	foreign := comparisonRun()
	foreign.Warnings = []perf.Warning{{Kind: perf.WarnEnvironment, Text: "the baseline is of another machine (Apple M4, darwin-arm64-10c-16g-1234abcd), so no time gates"}}
	for i := range foreign.Comparisons {
		foreign.Comparisons[i].Gate = foreign.Comparisons[i].Metric == perf.PeakMemory.Name
	}
	hostile := comparisonRun()
	hostile.Suite, hostile.Comparisons[1].Workload, hostile.Comparisons[1].Metric, hostile.Comparisons[1].Reason = nasty, nasty, nasty, nasty
	none := goodRun()
	old := goodRun()
	old.ID, old.Created = "20261101T101112Z-ffffff", when.AddDate(0, 0, -22)
	for name, r := range map[string]*perf.Result{"comparison": comparisonRun(), "comparison-foreign": foreign, "comparison-nasty": hostile, "comparison-none": none} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, func(w io.Writer, st Style) error { return Comparison("main", old)(w, r, st) })
		})
	}
}

func TestComparisonHeadline(t *testing.T) {
	r := comparisonRun()
	if got, want := ComparisonHeadline(r), "cli startup wall is SLOWER, self-test peak memory is SLOWER"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.Comparisons = r.Comparisons[4:5]
	if got, want := ComparisonHeadline(r), "test suite wall is UNDECIDED"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.Comparisons = nil
	if got := ComparisonHeadline(r); !strings.HasPrefix(got, "nothing was compared") {
		t.Errorf("%q", got)
	}
}

func planSuite() suite.Suite {
	s := suite.Cleanroom("/src/project", "")
	s.Workloads[1].Prepare = []suite.Command{{Args: []string{"rm", "-rf", suite.Work + "/home dir"}, Env: []string{"A=b c", "D="}}}
	s.Workloads[1].Conclude = []suite.Command{{Args: []string{"true"}, Dir: "/elsewhere"}}
	s.Workloads[1].Min, s.Workloads[1].Max = 7, 7
	s.Objectives[1].Quantile = 0.99
	return s
}

func TestPlan(t *testing.T) {
	s := planSuite()
	only, wanted, err := s.Select("cli")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, n := range s.Names() {
		all[n] = true
	}
	golden(t, "plan", func(w io.Writer, st Style) error { return Plan(w, s, suite.Quick, s.Plan(suite.Quick, all), st) })
	golden(t, "plan-only", func(w io.Writer, st Style) error { return Plan(w, only, suite.Full, only.Plan(suite.Full, wanted), st) })
	hostile := suite.Suite{Name: "x", Subject: nasty, Dir: nasty, Workloads: []suite.Workload{{
		Name: nasty, Command: suite.Command{Args: []string{nasty, strings.Repeat("日本", 400)}, Env: []string{"A=" + nasty}, Dir: "/" + nasty},
	}}}
	golden(t, "plan-nasty", func(w io.Writer, st Style) error {
		return Plan(w, hostile, suite.Quick, hostile.Plan(suite.Quick, map[string]bool{nasty: true}), st)
	})
}

func TestBaselines(t *testing.T) {
	entry := func(name string, age time.Duration) baseline.Entry {
		return baseline.Entry{Suite: "cleanroom", Fingerprint: testMachine().Fingerprint, Name: name, Mode: "quick", Created: when.Add(-age), Commit: "f50fa9363cc1f53d1c9f"}
	}
	list := []baseline.Entry{entry("main", 0), entry("release-1.0", 26*time.Hour), entry("old", 400*24*time.Hour), entry("clock", -time.Hour), entry("zone", 3*24*time.Hour)}
	list[1].Fingerprint, list[1].Dirty = "darwin-arm64-10c-16g-1234abcd", true
	list[2].Mode, list[2].Commit = "full", ""
	list[4].Created = list[4].Created.In(time.FixedZone("east", 7200))
	golden(t, "baselines", func(w io.Writer, st Style) error { return Baselines(w, list, testMachine().Fingerprint, when, st) })
	part := *goodRun()
	part.ID, part.Only, part.Mode = "20261123T030405Z-part00", []string{"cli startup"}, "full"
	golden(t, "runs", func(w io.Writer, st Style) error { return Runs(w, []*perf.Result{&part, badRun()}, st) })
	golden(t, "baselines-none", func(w io.Writer, st Style) error { return Baselines(w, nil, "x", when, st) })
	golden(t, "baseline-saved", func(w io.Writer, _ Style) error { return BaselineSaved(w, badRun(), "baselines/clnrm/x/main.json") })
	golden(t, "note", func(w io.Writer, _ Style) error { return Note(w, "skipped a run:\n"+nasty) })
}

func TestDoctor(t *testing.T) {
	tools := []measure.Tool{
		{Name: "docker engine", Enables: "container lifecycles", Install: "sudo apt-get install docker.io", Note: "no socket at /var/run/docker.sock"},
		{Name: "go", Found: true, Usable: true, Path: "/usr/bin/go", Version: "1.26.8", Enables: "building these targets and Go subjects; their benchmarks", Install: "not shown"},
		{Name: "perf", Found: true, Path: "/usr/bin/perf", Enables: "CPU profiles by perf record", Install: "sudo apt-get install linux-perf", Note: nasty},
		{Name: "cargo-instruments", Enables: "nothing that is not here already", Install: "not available on this system (macOS only)"},
	}
	conditions := []measure.Condition{
		{Name: "CPU governor", Value: "powersave", Effect: "the first runs after a pause are slow", Remedy: "sudo cpupower frequency-set -g performance"},
		{Name: "turbo", Value: "not offered by this system"},
		{Name: "proportional set size", Value: "offered"},
		{Name: "load", Value: "3.2 on 2 cores", Effect: nasty},
	}
	golden(t, "doctor", func(w io.Writer, st Style) error { return Doctor(w, testMachine(), tools, conditions, st) })
}
