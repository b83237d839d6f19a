package experiment

import (
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// The benchmarks of a Cargo project are run by cargo, and what ran is counted: a target
// that leaves nothing has failed, whatever its exit status.
func TestCargoBenchmarks(t *testing.T) {
	testenv.Tool(t, "cargo")
	s := suite.Cargo(suite.CargoOptions{Dir: project(t, "crates/benched"), Name: "benched", Benches: []string{"sums", "nothing", "missing"}, Exe: exe})
	r := measureSuite(t, s, "micro benchmarks sums,micro benchmarks nothing,micro benchmarks missing")
	sums := r.Workload("micro benchmarks sums")
	if sums.State != perf.StateOK || !sums.OneShot {
		t.Fatalf("%s: %s", sums.State, sums.Reason)
	}
	for _, name := range []string{"sums/1000", "sums/10000"} {
		m, _ := sums.Series(name)
		rate, _ := sums.Series(name + " throughput of elements")
		if len(m.Samples) != 15 || m.Unit != "sec/op" || m.Better != perf.Lower || len(rate.Samples) != 15 || rate.Better != perf.Higher {
			t.Errorf("%s: %d samples in %s, %d of its throughput", name, len(m.Samples), m.Unit, len(rate.Samples))
		}
	}
	for name, want := range map[string]string{
		"micro benchmarks nothing": "no benchmark ran, although cargo bench",
		"micro benchmarks missing": "no bench target named `missing`",
	} {
		if w := r.Workload(name); w.State != perf.StateFailed || !strings.Contains(w.Reason, want) {
			t.Errorf("%s is %s: %s; want %q", name, w.State, w.Reason, want)
		}
	}
}
