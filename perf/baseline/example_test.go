package baseline_test

import (
	"fmt"
	"os"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
)

// A run is kept under a name, listed and read again; a slip in the name is answered
// with what there is.
func Example() {
	dir, err := os.MkdirTemp("", "baselines")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	created := time.Date(2026, 11, 23, 2, 3, 4, 0, time.UTC)
	run := &perf.Result{
		Schema: perf.Schema, ID: baseline.NewID(created, 0x0a, 0x1b, 0x2c), Suite: "cleanroom", Created: created, Complete: true,
		Machine: perf.Machine{Fingerprint: "linux-amd64-2c-32g-0badcafe"},
		Workloads: []perf.WorkloadResult{{
			Name: "cli startup", State: perf.StateOK,
			Metrics: []perf.Series{{Metric: perf.Wall, Samples: perf.Sample{0.0021, 0.0019}}},
		}},
	}
	store := baseline.Store{Dir: dir}
	if _, err := store.Save(run, "main"); err != nil {
		fmt.Println(err)
		return
	}
	entries, _ := store.List()
	for _, e := range entries {
		fmt.Println(e.Suite, e.Fingerprint, e.Name, "is run", e.ID)
	}
	back, err := store.Load("cleanroom", run.Machine.Fingerprint, "main")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(back.Workload("cli startup").Metrics[0].Samples)

	store.Dir = "baselines" // so that the sentence does not hold a random folder
	_, err = store.Load("cleanroom", run.Machine.Fingerprint, "main")
	fmt.Println(err)
	// Output:
	// cleanroom linux-amd64-2c-32g-0badcafe main is run 20261123T020304Z-0a1b2c
	// [0.0021 0.0019]
	// no baseline "main" of suite "cleanroom" for machine linux-amd64-2c-32g-0badcafe in baselines; there is none at all; make it with: go tool mage baseline:save main
}

// A run writes what it has as often as it likes; the newest that came to its end is
// what a baseline is made of.
func ExampleRuns() {
	dir, err := os.MkdirTemp("", "runs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	runs := baseline.Runs{Dir: dir}
	now := time.Date(2026, 11, 23, 2, 3, 4, 0, time.UTC)
	for hour, complete := range []bool{true, false} {
		began := now.Add(time.Duration(hour) * time.Hour)
		res := &perf.Result{
			Schema: perf.Schema, ID: baseline.NewID(began, 1, 2, byte(hour)), Suite: "cleanroom", Created: began,
			Complete: complete, Machine: perf.Machine{Fingerprint: "linux-amd64-2c-32g-0badcafe"},
		}
		if _, err := runs.Write(res); err != nil {
			fmt.Println(err)
			return
		}
	}
	newest, skipped, err := runs.Newest((*perf.Result).Whole)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(newest.ID, len(skipped))
	// Output:
	// 20261123T020304Z-010200 0
}

func ExampleAge() {
	created := time.Date(2026, 11, 23, 2, 3, 4, 0, time.UTC)
	if w, old := baseline.Age("main", created, created.AddDate(0, 2, 0)); old {
		fmt.Println(w.Text)
	}
	// Output:
	// baseline "main" is 61 days old (made on 2026-11-23); measure again and replace it with: go tool mage baseline:save main
}
