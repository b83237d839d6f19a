package report_test

import (
	"fmt"
	"os"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
)

// A result is printed as people read it, here without colours.
func Example() {
	estimate, low, high := 0.0021, 0.00199, 0.00235
	r := &perf.Result{
		Schema: perf.Schema, ID: "20261123T020304Z-0a1b2c", Suite: "parser", Mode: "quick", Complete: true,
		Created: time.Date(2026, 11, 23, 2, 3, 4, 0, time.UTC),
		Subject: perf.Subject{Name: "the parser", Commit: "f50fa9363cc1f53d"},
		Machine: perf.Machine{Fingerprint: "linux-amd64-2c-32g-0badcafe", OS: "linux", Arch: "amd64", CPU: "AMD EPYC 7B13", Cores: 2, MemoryClass: "32 GiB"},
		Workloads: []perf.WorkloadResult{
			{Name: "parse", Command: []string{"parser", "big.json"}, State: perf.StateOK},
			{Name: "print", Command: []string{"printer"}, State: perf.StateFailed, Reason: "printer exited with status 1: no such file"},
		},
		Objectives: []perf.ObjectiveResult{{
			Name: "parse time", Workload: "parse", Metric: "wall", Unit: perf.Second, Quantile: 0.5, Confidence: 0.95,
			N: 57, Target: 2, Critical: 5, State: perf.Met, Estimate: &estimate, Low: &low, High: &high,
		}},
	}
	if err := report.Result(os.Stdout, r, report.Style{}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// parser (quick mode): the parser at f50fa9363cc1
	// on AMD EPYC 7B13, 2 cores, 32 GiB, linux/amd64; fingerprint linux-amd64-2c-32g-0badcafe
	//
	//             measured  interval         runs  target  critical  state
	// parse time   2.10 ms  1.99 to 2.35 ms    57     2 s       5 s  MET
	//
	// interval: of objectives, two one-sided bounds, each of 95 % confidence by itself
	//
	// FAILED print: printer exited with status 1: no such file
}
