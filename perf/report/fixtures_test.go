package report

import (
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// nasty is a name as nobody should give it and as results of others may hold it.
const nasty = "\x1b[2J\x1b[31mred\x1b[0m <b>&amp;\nline\ttab\r\u202eoverride\u200b \x1b]0;title\x07日本語 é\U0001f600 \xff"

var when = time.Date(2026, 11, 23, 2, 3, 4, 0, time.UTC)

func testMachine() perf.Machine {
	return perf.Machine{
		Fingerprint: "linux-amd64-2c-32g-0badcafe", OS: "linux", Arch: "amd64", CPU: "AMD EPYC 7B13",
		Cores: 2, MemoryClass: "32 GiB", Virtualisation: "kvm",
	}
}

// emptyRun is a result with nothing measured.
func emptyRun() *perf.Result {
	return &perf.Result{
		Schema: perf.Schema, ID: "20261123T020304Z-0a1b2c", Suite: "cleanroom", Mode: "quick", Created: when, Complete: true,
		Subject: perf.Subject{Name: "the embedded cleanroom subject", Commit: "f50fa9363cc1f53d1c9fc87d1af0a8c1fc9cb3c1"},
		Machine: testMachine(),
	}
}

// measured is a series of n values of which the reader is shown these five.
func measured(m perf.Metric, n int, low, center, high, least, most float64) perf.Series {
	s := &perf.Summary{N: n, Center: center, Low: &low, High: &high, Min: least, Max: most, Confidence: 0.96}
	return perf.Series{Metric: m, Samples: slices.Repeat(perf.Sample{center}, n), Summary: s}
}

// once is a series of a single value.
func once(m perf.Metric, v float64) perf.Series {
	return perf.Series{Metric: m, Samples: perf.Sample{v}, Summary: &perf.Summary{N: 1, Center: v, Min: v, Max: v}}
}

func ok(name string, metrics ...perf.Series) perf.WorkloadResult {
	return perf.WorkloadResult{Name: name, Command: []string{name}, State: perf.StateOK, Metrics: metrics}
}

// An objective that is met, on the wall time of the workload of its name.
func objective(name string, target, critical float64) perf.ObjectiveResult {
	return perf.ObjectiveResult{
		Name: name, Workload: name, Metric: perf.Wall.Name, Unit: perf.Second, Quantile: 0.5, Confidence: 0.95,
		Target: target, Critical: critical, State: perf.Met,
	}
}

func judged(o perf.ObjectiveResult, state perf.ObjectiveState, n int, low, estimate, high float64, reason string) perf.ObjectiveResult {
	o.State, o.N, o.Low, o.Estimate, o.High, o.Reason = state, n, &low, &estimate, &high, reason
	return o
}

// judgedOnce is an objective on something too costly to repeat.
func judgedOnce(o perf.ObjectiveResult, state perf.ObjectiveState, n int, estimate float64, reason string) perf.ObjectiveResult {
	o.State, o.N, o.Estimate, o.Reason = state, n, &estimate, reason
	return o
}

func unmeasured(o perf.ObjectiveResult, reason string) perf.ObjectiveResult {
	o.State, o.Reason = perf.NotMeasured, reason
	return o
}

func memoryObjective() perf.ObjectiveResult {
	o := objective("memory", 100e6, 200e6)
	o.Workload, o.Metric, o.Unit, o.Quantile = "self-test", perf.PeakMemory.Name, perf.Byte, 1
	return o
}

// testRate is a throughput that says of what.
var testRate = perf.Metric{Name: "throughput", Unit: "tests/sec", Better: perf.Higher}

// goodRun is a run in which all went well.
func goodRun() *perf.Result {
	r := emptyRun()
	build := ok("build", once(perf.Wall, 23.978), once(perf.CPU, 17.552), once(perf.Utilisation, 0.732), once(perf.PageFaults, 762926))
	build.OneShot = true
	r.Workloads = []perf.WorkloadResult{
		build,
		ok("cli startup", measured(perf.Wall, 57, 0.001985, 0.0021, 0.00235, 0.0016, 0.0082), measured(perf.CPU, 57, 0.00099, 0.000998, 0.001012, 0.0009, 0.004672),
			measured(perf.Utilisation, 57, 0.41, 0.475, 0.52, 0.2, 0.9), measured(perf.PeakMemory, 6, 5.01e6, 5.1e6, 5.2e6, 5e6, 5.3e6)),
		ok("test suite", measured(perf.Wall, 12, 4.96, 5, 5.10, 4.9, 5.4), measured(perf.CPU, 12, 6.8, 7, 7.1, 6.6, 7.2), measured(perf.Throughput, 12, 18.1, 18.6, 19, 17.9, 19.1)),
		ok("self-test", measured(perf.Wall, 30, 0.35, 0.360, 0.371, 0.34, 0.5), measured(perf.PeakMemory, 6, 24e6, 25e6, 26e6, 23e6, 27e6), measured(testRate, 30, 8990, 9100, 9200, 8800, 9300)),
	}
	r.Objectives = []perf.ObjectiveResult{
		judgedOnce(objective("build time", 120, 180), perf.Met, 1, 23.978, "1 run, no interval"),
		judged(objective("cli startup", 2, 5), perf.Met, 57, 0.001985, 0.0021, 0.00235, ""),
		judged(objective("test suite", 30, 60), perf.Met, 12, 4.96, 5, 5.10, ""),
		judged(memoryObjective(), perf.Met, 6, 23e6, 25e6, 41.2e6, ""),
	}
	r.Objectives[0].Workload = "build"
	return r
}

// badRun is one in which nearly everything went wrong, each in its own way.
func badRun() *perf.Result {
	r := goodRun()
	r.Exit, r.Subject.Dirty, r.Suite = perf.ExitGate, true, "clnrm"
	r.Workloads[2].State = perf.StateFailed
	r.Workloads[2].Reason = "cargo test --release exited with status 101. Its last lines:\nthread 'parses' panicked at src/lib.rs:14:\n\tassertion failed: \x1b[31mleft\x1b[0m == right\n\nerror: test failed\n"
	r.Workloads[2].Metrics = r.Workloads[2].Metrics[:1]
	r.Workloads[3] = perf.WorkloadResult{Name: "self-test", State: perf.StateNotMeasured, Reason: "because build failed: error[E0425]: cannot find value `x`"}
	r.Workloads[1].Warnings = []perf.Warning{{Kind: perf.WarnContention, Text: "the command waited for a CPU 12 % of its time: trust cpu more than wall"}}
	r.Warnings = []perf.Warning{{Kind: perf.WarnEnvironment, Text: "CPU governor is powersave: the first runs are slow; remedy: cpupower frequency-set -g performance"}}
	hot := objective("hot reload p99", 5, 10)
	hot.Quantile, hot.Workload = 0.99, "hot reload"
	hot = judged(hot, perf.Undecided, 120, 0.1, 0.31, 0.5, "120 values cannot bound the 0.99 quantile from above: needs 299")
	hot.High, hot.Needed = nil, 299
	r.Workloads = append(r.Workloads, ok("hot reload", measured(perf.Wall, 120, 0.1, 0.11, 0.12, 0.09, 0.5)))
	r.Objectives = []perf.ObjectiveResult{
		judgedOnce(r.Objectives[0], perf.Breached, 2, 191.2, "over the critical 180 s twice in a row (2 runs, no interval)"),
		judged(objective("cli startup", 0.002, 0.005), perf.OverTarget, 57, 0.0024, 0.0026, 0.0031, "the median is over the target 2 ms"),
		unmeasured(objective("test suite", 30, 60), "test suite failed: cargo test --release exited with status 101"),
		hot,
		unmeasured(memoryObjective(), "because build failed: error[E0425]: cannot find value `x`"),
		unmeasured(objective("container start", 3, 10), "no Docker engine answers at unix:///var/run/docker.sock\nstart one: sudo systemctl start docker"),
	}
	r.Objectives[0].Source = perf.Source{File: "magefiles/magefile.go", Line: 12}
	r.Objectives[1].Source = perf.Source{File: "-set"}
	return r
}

// reloadRun is a run with reloads: of a subject that never renders, and of a larger file
// in which a line did not come.
func reloadRun() *perf.Result {
	r := emptyRun()
	stage := func(name string) perf.Metric { return perf.Metric{Name: name, Unit: perf.Second, Better: perf.Lower} }
	small := ok("hot reload", measured(perf.Wall, 59, 1.10, 1.12, 1.15, 1.09, 1.9), measured(stage("detect"), 59, 0.0003, 0.000332, 0.0004, 0.0002, 0.002),
		measured(stage("fixed sleep"), 59, 0.1, 0.1003, 0.101, 0.1, 0.11), measured(stage("execute"), 59, 1, 1.02, 1.03, 0.99, 1.8))
	large := ok("hot reload medium", measured(perf.Wall, 3, 6.2, 6.3, 6.4, 6.1, 6.5), measured(stage("fixed sleep"), 3, 0.1, 0.1003, 0.101, 0.1, 0.11))
	failed := perf.WorkloadResult{Name: "hot reload complex", State: perf.StateFailed, Reason: "it did not notice within 10s that reload.clnrm.toml was saved"}
	for _, w := range []*perf.WorkloadResult{&small, &large, &failed} {
		w.Stages, w.Absent = []string{"detect", "fixed sleep", "render", "execute"}, []string{"render"}
	}
	r.Workloads = []perf.WorkloadResult{small, large, failed}
	tail := objective("hot reload p95", 3, 5)
	tail.Workload, tail.Quantile = "hot reload", 0.95
	detect := objective("hot reload detect", 0.1, 0.2)
	detect.Workload, detect.Metric = "hot reload", "detect"
	r.Objectives = []perf.ObjectiveResult{
		judged(tail, perf.Met, 59, 1.3, 1.4, 1.9, ""),
		judged(detect, perf.Met, 59, 0.0003, 0.000332, 0.0004, ""),
	}
	return r
}

// nastyRun has the nasty name wherever a result of somebody else may have one.
func nastyRun() *perf.Result {
	r := goodRun()
	long := strings.Repeat("very long ", 20) + "end"
	r.ID, r.Suite, r.Mode = "id", nasty, nasty
	r.Subject = perf.Subject{Name: nasty, Commit: nasty}
	r.Machine = perf.Machine{Fingerprint: nasty, OS: nasty, Arch: nasty, CPU: nasty, MemoryClass: nasty, Virtualisation: nasty}
	r.Workloads[0].Name, r.Objectives[0].Name, r.Objectives[0].Workload = nasty, nasty, nasty
	r.Workloads[1].Name, r.Objectives[1].Name, r.Objectives[1].Workload = long, long, long
	r.Workloads[2].State, r.Workloads[2].Reason = perf.StateFailed, nasty
	r.Objectives[2].Unit = nasty
	r.Workloads[3].Name = "日本語のテスト"
	r.Workloads[3].Metrics[2].Unit = nasty + "/sec"
	r.Workloads[3].Stages, r.Workloads[3].Absent = []string{nasty, nasty + "2"}, []string{nasty}
	r.Workloads[3].Warnings = []perf.Warning{{Kind: nasty, Text: nasty}}
	r.Warnings = []perf.Warning{{Kind: nasty, Text: nasty}}
	return r
}
