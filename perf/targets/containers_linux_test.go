package targets_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// A small run on a real engine, from its figures to its comparison with a baseline.
func TestBenchContainers(t *testing.T) {
	e := onEngine(t)
	dir := t.TempDir()
	r := call(t, dir, nil, "benchContainers", "-parallel=1,2,4", "-network=none", "-rounds=1", "-report=md=perf.md,junit=perf.xml", "-json").decoded(t)
	if len(r.Workloads) != 4 || len(r.Scaling) != 1 || !r.Whole() {
		t.Fatalf("%d workloads, %d scalings, whole: %v", len(r.Workloads), len(r.Scaling), r.Whole())
	}
	for _, name := range []string{"none x1", "none x1 cold", "none x2", "none x4"} {
		w := r.Workload(name)
		if w == nil || w.State != perf.StateOK {
			t.Fatalf("%s is %+v", name, w)
		}
		for _, m := range []perf.Metric{perf.Wall, perf.ContainerStart, perf.ContainerImage, perf.ContainerCreate, perf.ContainerRun, perf.ContainerReady, perf.ContainerExec, perf.ContainerStop, perf.ContainerRemove} {
			if s, ok := w.Series(m.Name); !ok || s.Summary == nil || !(s.Summary.Min > 0) {
				t.Errorf("%s has no %s: %+v", name, m.Name, s)
			}
		}
		if _, network := w.Series(perf.ContainerNetwork.Name); network != e.Info().SharesClock {
			t.Errorf("%s knows when the network was joined: %v", name, network)
		}
		if rate, ok := w.Series(perf.Throughput.Name); ok == strings.Contains(name, "cold") || ok && len(rate.Samples) != 1 {
			t.Errorf("%s has the throughput %+v", name, rate)
		}
	}
	warm, _ := r.Workload("none x1").Series(perf.ContainerImage.Name)
	cold, _ := r.Workload("none x1 cold").Series(perf.ContainerImage.Name)
	if cold.Summary.Min < 2*warm.Summary.Center {
		t.Errorf("a cold image takes %v, and a warm one %v", cold.Samples, warm.Summary.Center)
	}
	sc := r.Scaling[0]
	if sc.Contention.Estimate == nil || sc.Coherency.Estimate == nil || sc.Answer == "" {
		t.Errorf("the scaling is %+v", sc)
	}
	checkSeen(t, sc, e.Info().SharesClock)
	nothingOn(t, e, strings.ToLower(r.ID), 0)
	for file, says := range map[string]string{
		"perf.md": "Where the time of a life goes", "perf.xml": "scaling of network none", filepath.Join(".perf", "runs", r.ID, "scaling.svg"): "Universal Scalability Law",
	} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !strings.Contains(string(text), says) {
			t.Errorf("%s does not say %q (%v):\n%s", file, says, err, text)
		}
	}
	call(t, dir, nil, "baseline:save", "main", "-suite=containers").want(t, 0, "saved run")
	call(t, dir, nil, "baseline:show", "main", "-suite=containers").want(t, 0, "lives/s", "network none: A start takes", "where a life goes", "without a container")
	call(t, dir, nil, "benchContainers", "-parallel=1", "-network=none", "-rounds=1", "-exec=", "-cmd=-delay=1ms").want(t, 0, "only several levels can tell")
	call(t, dir, nil, "baseline:compare", "main", "-suite=containers").want(t, 0, "none x1 wall", "none x1 throughput")
}

// checkSeen sees that the time of each level is divided, by what root can see.
func checkSeen(t *testing.T, s perf.Scaling, shared bool) {
	t.Helper()
	if len(s.Where) != 3 {
		t.Fatalf("of %d levels it is known where the time goes", len(s.Where))
	}
	for _, w := range s.Where {
		seen := shared && os.Geteuid() == 0
		if seen != (w.Undivided == "") || seen != (w.Processors != nil && *w.Processors > 0) || seen != (len(w.Programs) > 0) || w.Lives < w.Parallel {
			t.Errorf("%s is divided: %+v", w.Workload, w)
		}
		if shared && (w.Control == nil || !(w.Control.Ready > 0)) {
			t.Errorf("%s has the control %+v (%s)", w.Workload, w.Control, w.NoControl)
		}
		sums, divided := map[string]float64{}, 0.0
		for _, p := range w.Parts {
			sums[p.Phase] += p.Seconds
			if p.Cause != string(container.CauseUndivided) && p.Cause != string(container.CauseProgram) {
				divided += p.Seconds
			}
		}
		for _, phase := range []string{"create", "start", "exec", "stop", "remove"} {
			if !(sums[phase] > 0) {
				t.Errorf("%s says nothing of the phase %s: %+v", w.Workload, phase, w.Parts)
			}
		}
		if seen != (divided > 0) {
			t.Errorf("%s: %v s of the engine's part are divided", w.Workload, divided)
		}
	}
}

// A container that dies at once fails the run, with its last lines.
func TestBenchContainersFails(t *testing.T) {
	t.Parallel()
	onEngine(t)
	call(t, t.TempDir(), nil, "benchContainers", "-parallel=1,2", "-network=none", "-cmd=-exit=3 -say=no-configuration").
		want(t, perf.ExitFailure, "FAILED none x1", "exit status 3", "no-configuration", "NOT MEASURED none x2", "because none x1 failed")
}
