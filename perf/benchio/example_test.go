package benchio_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/benchio"
)

func Example() {
	const output = `BenchmarkEncode-8  714387  1423 ns/op  120.5 MB/s
BenchmarkEncode-8  714387  1431 ns/op
BenchmarkEncode-8  714387
`
	im, err := benchio.Read(strings.NewReader(output), "new.txt", benchio.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range im.Runs[0].Workloads {
		for _, m := range w.Metrics {
			fmt.Println(w.Name, m.Name, m.Better, m.Samples)
		}
	}
	fmt.Println(im.Faults[0])

	_ = benchio.WriteCustom(os.Stdout, &perf.Result{Workloads: im.Runs[0].Workloads}, perf.Higher)
	// Output:
	// Encode-8 sec/op lower [1.423e-06 1.431e-06]
	// Encode-8 B/sec higher [1.205e+08]
	// new.txt:3: missing measurements
	// [
	//   {
	//     "name": "Encode-8",
	//     "unit": "B/sec",
	//     "value": 120500000
	//   }
	// ]
}
