package perf

import (
	"math"
	"time"
)

// value returns a pointer to v, for the numbers of a result that may be missing.
func value(v float64) *float64 { return &v }

// fullResult returns a result in which every key has a value other than its zero.
func fullResult() *Result {
	return &Result{
		Schema: Schema, ID: "20261123T020304Z-0a1b2c", Suite: "cleanroom", Mode: "quick",
		Created:  time.Date(2026, 11, 23, 2, 3, 4, 500e6, time.UTC),
		Complete: true, Only: []string{"cli startup"},
		Tool:    Tool{"v0.1.0"},
		Subject: Subject{Name: "cleanroom", Commit: "f50fa93", Dirty: true},
		Exit:    ExitGate,
		Machine: Machine{
			Fingerprint: "linux-amd64-2c-32g-0badcafe", OS: "linux", Arch: "amd64", CPU: "A CPU @ speed",
			Cores: 2, MemoryClass: "32 GiB", Virtualisation: "kvm", Kernel: "6.1.0",
			Toolchain: map[string]string{"go": "1.26.8", "cargo": "1.90.0"},
		},
		Workloads: []WorkloadResult{
			{Name: "build", Command: []string{"go", "build", "./..."}, State: StateOK, Cores: 2, Contention: 0.3, OneShot: true,
				Metrics: []Series{{Metric: Wall, Samples: Sample{12.5}, Summary: &Summary{N: 1, Center: 12.5, Low: value(12), High: value(13), Min: 12.5, Max: 12.5, Confidence: 0.95}}}},
			{Name: "cli startup", Command: []string{"sh", "-c", "cleanroom --help > /dev/null && true"}, State: StateOK, Source: Source{File: "cli_test.go", Line: 12},
				Metrics: []Series{
					{Metric: Wall, Samples: Sample{0.0021, 0.0019, 0.0023, math.Copysign(0, -1), 1e-300}},
					{Metric: PeakMemory, OrigUnit: "MB", Samples: Sample{4_100_000, 4_200_000}},
				},
				Warnings: []Warning{{WarnContention, "another process had the CPU; close it"}}},
			{Name: "self-test", Command: []string{"cleanroom", "self-test"}, State: StateFailed,
				Reason: "exit status 1: want [ 1, 2 ], got [  3  ]"},
			{Name: "container lifecycle", State: StateNotMeasured, Reason: "no engine answers"},
			{Name: "hot reload", Command: []string{"clnrm", "run", "--watch", "watched"}, State: StateOK,
				Stages: []string{"detect", "render", "parse"}, Absent: []string{"render"},
				Metrics: []Series{{Metric: Metric{"detect", Second, Lower}, Samples: Sample{0.004}}, {Metric: Metric{"parse", Second, Lower}, Samples: Sample{0.001}}}},
		},
		Objectives: []ObjectiveResult{
			{Name: "cli startup", Workload: "cli startup", Metric: "wall", Unit: Second, Quantile: 0.5, Confidence: 0.95,
				N: 20, Target: 2, Critical: 5, State: Met, Estimate: value(0.0021), Low: value(0.002), High: value(0.0023),
				Needed: 5, Reason: "the upper bound is below the target", Source: Source{"magefiles/magefile.go", 12}},
			{Name: "container start", Workload: "container lifecycle", Metric: "start", Unit: Second, Quantile: 0.5,
				Confidence: 0.95, Target: 3, Critical: 10, State: NotMeasured, Reason: "no engine answers"},
		},
		Comparisons: []Comparison{{
			Workload: "cli startup", Metric: "cpu", Unit: Second, Better: Lower, Gate: true, Design: Paired,
			Old: Arm{"main", Sample{0.002, 0.0021}, value(0.00205)}, New: Arm{"HEAD", Sample{0.0022, 0.0023}, value(0.00225)}, Order: "ABBA",
			Seed: 1<<64 - 1, Verdict: Slower, Alpha: 0.01, MinEffect: 0.02, Ratio: value(1.1), Low: value(1.05),
			High: value(1.15), Evidence: value(143.2), Pairs: 2, Reason: "the interval lies above 1.02",
			GateReason: "it computes on one thread", Exact: true, Needed: 4, Voids: []Void{{Pair: 1, Reason: "exit status 1"}},
			Control: &Control{Sample{0.002}, Sample{0.0021}, value(0.9)}, CPUs: []int{1}, Builds: 1,
			Profile: &ProfileDiff{Kind: "cpu", Old: "profiles/x/old.pb.gz", New: "profiles/x/new.pb.gz", Diff: "profiles/x/diff.svg", Runs: 5, Unit: Second,
				OldWeight: 0.002, NewWeight: 0.003, Movers: []Mover{{"main.f", 0.001, 0.001}}},
		}},
		Scaling: []Scaling{
			{
				Name: "network none", Seed: 7, Levels: []ScalingLevel{{1, "none x1", false}, {1, "none x1 cold", true}, {8, "none x8", false}, {64, "none x64", false}},
				Lambda: value(4.6), Contention: Bounded{value(0.45), value(0.41), value(0.49)}, Coherency: Bounded{value(1e-4), value(1e-5), value(3e-4)},
				Best: Bounded{value(74), value(43), value(234)}, Misfit: value(0.06), Confidence: 0.95,
				Where: []ScalingWhere{{
					Parallel: 8, Workload: "none x8", Lives: 16, Parts: []ScalingPart{{"create", "whole", "disk and file systems", 0.008}, {"start", "runtime", "the engine's processor time", 0.19}},
					Processors: value(1.7), Programs: []ScalingProgram{{"runc", 0.08, 0.02, 0.004, 0.001}}, Control: &ScalingControl{16, 0.001, 0.002, 0.0005},
				}, {
					Parallel: 1, Workload: "none x1", Lives: 8, Undivided: "it takes the rights of root", Parts: []ScalingPart{{"create", "whole", "engine, undivided", 0.008}},
					NoControl: "the program is in the image alone",
				}},
				Answer: "a start takes 6 s at 64 in parallel", Advice: []string{"start at most 8 at once"},
			},
			{Name: "network host", Levels: []ScalingLevel{{Parallel: 1, Workload: "host x1"}}, Reason: "one level is no law"},
		},
		Warnings: []Warning{{WarnEnvironment, "the governor is powersave; set it to performance"}},
	}
}

// minimalResult returns a result with nothing in it but what no result lacks.
func minimalResult() *Result {
	return &Result{
		Schema: Schema, ID: "a", Suite: "s", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine: Machine{Fingerprint: "linux-amd64-2c-32g-0badcafe"},
	}
}
