package perf_test

import (
	"fmt"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A result is built, written as JSON and read again.
func Example() {
	machine := perf.Machine{OS: "linux", Arch: "amd64", CPU: "AMD EPYC 7B13", Cores: 2, MemoryClass: "32 GiB"}
	machine.Fingerprint = machine.ComputeFingerprint()
	result := &perf.Result{
		Schema:   perf.Schema,
		ID:       "20261123T020304Z-0a1b2c",
		Suite:    "cleanroom",
		Created:  time.Date(2026, 11, 23, 2, 3, 4, 0, time.UTC),
		Complete: true,
		Machine:  machine,
		Workloads: []perf.WorkloadResult{{
			Name:    "cli startup",
			Command: []string{"cleanroom", "--help"},
			State:   perf.StateOK,
			Metrics: []perf.Series{{Metric: perf.Wall, Samples: perf.Sample{0.0021, 0.0019}}},
		}},
	}
	data, err := result.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := perf.DecodeResult(data, "result.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	wall, _ := back.Workload("cli startup").Series("wall")
	scale := perf.NewScale(wall.Unit, wall.Samples...)
	for _, v := range wall.Samples {
		fmt.Println(scale.Format(v))
	}
	// Output:
	// 2.10 ms
	// 1.90 ms
}

// What cannot be read is named by file, line and reason.
func ExampleDecodeResult() {
	_, err := perf.DecodeResult([]byte("{\n\"schema\": \"clnrm-perf/result/v2\"\n}"), "baseline.json")
	fmt.Println(err)
	// Output:
	// baseline.json:2: written by a newer clnrm-perf: schema "clnrm-perf/result/v2", and this version reads up to "clnrm-perf/result/v1"; update the module
}

// Limits are given as people write them.
func ExampleParseQuantity() {
	for _, text := range []string{"1m30s", "100MB", "250/s", "5 parsec"} {
		value, unit, err := perf.ParseQuantity(text)
		fmt.Println(value, unit, err)
	}
	// Output:
	// 90 sec <nil>
	// 1e+08 B <nil>
	// 250 /sec <nil>
	// 0  "5 parsec" has the unknown unit "parsec": use ns, us, ms, s, m, h, B, kB, MB, GB, KiB, MiB, GiB or /s
}

// When several statuses apply, the gate's goes before a failure's.
func ExampleWorstExit() {
	fmt.Println(perf.WorstExit(perf.ExitOK, perf.ExitFailure, perf.ExitGate))
	// Output: 3
}
