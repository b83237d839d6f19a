package experiment

import (
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// session0 is a result of one workload whose wall time is level, in seconds.
func session0(id, fingerprint string, level float64) *perf.Result {
	var wall, memory perf.Sample
	for i := range 30 {
		wall = append(wall, level*(1+0.001*float64(i%7)))
		memory = append(memory, 50e6)
	}
	return &perf.Result{
		ID: id, Machine: perf.Machine{Fingerprint: fingerprint, Toolchain: map[string]string{"go": "1.26"}}, Created: time.Unix(1e9, 0),
		Workloads: []perf.WorkloadResult{{Name: "start", State: perf.StateOK, Metrics: []perf.Series{
			{Metric: perf.Wall, Samples: wall}, {Metric: perf.User, Samples: wall}, {Metric: perf.PeakMemory, Samples: memory},
		}}},
	}
}

// find returns the comparison of a metric of the workload start.
func find(t *testing.T, list []perf.Comparison, metric string) perf.Comparison {
	t.Helper()
	for _, c := range list {
		if c.Workload == "start" && c.Metric == metric {
			return c
		}
	}
	t.Fatalf("%s is not compared", metric)
	return perf.Comparison{}
}

func TestCompareVerdictsAndStatus(t *testing.T) {
	gate := Policy{Gate: true}
	for _, tc := range []struct {
		name    string
		level   float64
		verdict perf.Verdict
		status  int
	}{
		{"the same", 1, perf.NoChange, 0},
		{"half as slow again", 1.5, perf.Slower, 3},
		{"twice as fast", 0.5, perf.Faster, 0},
	} {
		list := CompareUnpaired("main", session0("old", "m", 1), session0("new", "m", tc.level))
		wall := find(t, list, "wall")
		if wall.Verdict != tc.verdict || !wall.Gate || wall.Old.Ref != "main" || wall.New.Ref != "new" {
			t.Errorf("%s: %s, gate %v, %s against %s", tc.name, wall.Verdict, wall.Gate, wall.New.Ref, wall.Old.Ref)
		}
		if wall.Old.Center == nil || wall.Ratio == nil || *wall.Ratio < tc.level*0.99 || *wall.Ratio > tc.level*1.01 {
			t.Errorf("%s: ratio %v of %v", tc.name, wall.Ratio, wall.Old.Center)
		}
		if find(t, list, "user").Gate {
			t.Errorf("%s: user time gates", tc.name)
		}
		if got := gate.ComparisonStatus(list); got != tc.status {
			t.Errorf("%s: status %d under a gate, want %d", tc.name, got, tc.status)
		}
		if got := (Policy{}).ComparisonStatus(list); got != 0 {
			t.Errorf("%s: status %d without a gate", tc.name, got)
		}
	}
}

func TestCompareAcrossMachinesGatesNoTime(t *testing.T) {
	old, now := session0("old", "m", 1), session0("new", "other", 3)
	list := CompareUnpaired("main", old, now)
	if c := find(t, list, "wall"); c.Gate || c.Verdict != perf.Slower {
		t.Errorf("wall: gate %v, %s; want it shown and not gated", c.Gate, c.Verdict)
	}
	if !find(t, list, "peak memory").Gate {
		t.Error("memory does not gate across machines")
	}
	if got := (Policy{Gate: true}).ComparisonStatus(list); got != 0 {
		t.Errorf("status %d: a slower machine is no regression", got)
	}
	var texts []string
	for _, w := range CompareWarnings("main", old, now, time.Unix(1e9, 0)) {
		texts = append(texts, w.Text)
	}
	if !strings.Contains(strings.Join(texts, "\n"), "another machine") {
		t.Errorf("warnings %q do not tell of the other machine", texts)
	}
}

func TestCompareMissing(t *testing.T) {
	drop := func(r *perf.Result) *perf.Result { r.Workloads[0].Metrics = r.Workloads[0].Metrics[1:]; return r }
	none := func(r *perf.Result) *perf.Result { r.Workloads = nil; return r }
	gate := Policy{Gate: true}
	for _, tc := range []struct {
		name     string
		old, now *perf.Result
		status   int
		reason   string
	}{
		{"not in the baseline", drop(session0("old", "m", 1)), session0("new", "m", 1), 1, "the baseline has no wall"},
		{"not in the run", session0("old", "m", 1), drop(session0("new", "m", 1)), 4, "NOT MEASURED"},
		{"no workload in the run", session0("old", "m", 1), none(session0("new", "m", 1)), 1, "NOT MEASURED"},
		{"no workload in the baseline", none(session0("old", "m", 1)), session0("new", "m", 1), 1, "no workload start"},
	} {
		list := CompareUnpaired("main", tc.old, tc.now)
		if got := gate.ComparisonStatus(list); got != tc.status {
			t.Errorf("%s: status %d, want %d", tc.name, got, tc.status)
		}
		if c := find(t, list, "wall"); !strings.Contains(c.Reason, tc.reason) {
			t.Errorf("%s: reason %q, want %q in it", tc.name, c.Reason, tc.reason)
		}
	}
	if got := (Policy{}).ComparisonStatus(nil); got != perf.ExitFailure {
		t.Errorf("nothing compared: status %d, want 1 with and without a gate", got)
	}
}

// A run of part of the suite must not pass for the whole before a gate.
func TestCompareWithARunOfPartOfTheSuite(t *testing.T) {
	old := session0("old", "m", 1)
	old.Workloads = append(old.Workloads, perf.WorkloadResult{Name: "build", State: perf.StateOK, Metrics: []perf.Series{{Metric: perf.Wall, Samples: perf.Sample{9}}}})
	now := session0("new", "m", 1)
	now.Only = []string{"start"}
	list := CompareUnpaired("main", old, now)
	if got := (Policy{Gate: true}).ComparisonStatus(list); got != perf.ExitUnjudged {
		t.Errorf("status %d under a gate, want 4: the build was not measured", got)
	}
	if got := (Policy{}).ComparisonStatus(list); got != perf.ExitOK {
		t.Errorf("status %d without a gate, want 0", got)
	}
	if last := list[len(list)-1]; last.Workload != "build" || !strings.Contains(last.Reason, "-only") {
		t.Errorf("%s: %q, want the restriction named", last.Workload, last.Reason)
	}
}

func TestCompareOfAFailedWorkloadDecidesNothing(t *testing.T) {
	now := session0("new", "m", 3)
	now.Workloads[0].State, now.Workloads[0].Reason = perf.StateFailed, "it broke"
	list := CompareUnpaired("main", session0("old", "m", 1), now)
	if c := find(t, list, "wall"); c.Verdict != perf.Invalid || !strings.Contains(c.Reason, "it broke") {
		t.Errorf("%s: %q; the runs that happened to go well decide nothing", c.Verdict, c.Reason)
	}
	if got := (Policy{Gate: true}).ComparisonStatus(list); got != perf.ExitFailure {
		t.Errorf("status %d for a workload that failed, want 1", got)
	}
}

func TestCompareWarnings(t *testing.T) {
	old, now := session0("old", "m", 1), session0("new", "m", 1)
	now.Machine.Toolchain = map[string]string{"go": "1.27"}
	now.Mode, old.Mode = "full", "quick"
	var texts []string
	for _, w := range CompareWarnings("main", old, now, old.Created.Add(90*24*time.Hour)) {
		texts = append(texts, w.Text)
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"go was 1.26", "quick mode", "90 days"} {
		if !strings.Contains(all, want) {
			t.Errorf("warnings %q lack %q", texts, want)
		}
	}
}

// A machine that was busy for one of the sessions is no regression of the subject; a
// change that is larger than the other work can explain still is.
func TestCompareOfABusySession(t *testing.T) {
	for _, tc := range []struct {
		level, contention float64
		want              perf.Verdict
	}{
		{1.3, 0, perf.Slower}, {1.3, 0.3, perf.VerdictUnsure}, {3, 0.3, perf.Slower}, {3, 5, perf.Slower},
		{0.7, 0, perf.Faster}, {0.7, 0.3, perf.VerdictUnsure}, {1.05, 0.3, perf.NoChange},
	} {
		now := session0("new", "m", tc.level)
		now.Workloads[0].Contention = tc.contention
		c := find(t, CompareUnpaired("main", session0("old", "m", 1), now), "wall")
		if c.Verdict != tc.want {
			t.Errorf("%v times the wall time with contention %v: %s, want %s (%s)", tc.level, tc.contention, c.Verdict, tc.want, c.Reason)
		}
		if tc.want == perf.VerdictUnsure && !strings.Contains(c.Reason, "30 % of the time") {
			t.Errorf("reason %q does not name the other work", c.Reason)
		}
	}
}
