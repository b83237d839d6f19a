package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// series is a metric of so many values around a center.
func series(m perf.Metric, n int, center float64) perf.Series {
	s := perf.Series{Metric: m}
	for i := range n {
		s.Samples = append(s.Samples, center*(1+0.01*float64(i-n/2)))
	}
	least, most := slices.Min(s.Samples), slices.Max(s.Samples)
	s.Summary = &perf.Summary{N: n, Center: center, Min: least, Max: most}
	if n >= 6 {
		s.Summary.Low, s.Summary.High, s.Summary.Confidence = &least, &most, 0.95
	}
	return s
}

var livesRate = perf.Metric{Name: perf.Throughput.Name, Unit: "lifecycles/sec", Better: perf.Higher}

// scalingLevel is a level as containers were measured on two cores.
func scalingLevel(network string, n int, rate float64) perf.WorkloadResult {
	life := float64(n) / rate
	w := perf.WorkloadResult{Name: fmt.Sprintf("%s x%d", network, n), State: perf.StateOK}
	for m, share := range map[perf.Metric]float64{perf.Wall: 1, perf.ContainerStart: 0.7, perf.ContainerImage: 0.003, perf.ContainerCreate: 0.05,
		perf.ContainerNetwork: 0.1, perf.ContainerRun: 0.6, perf.ContainerReady: 0.65, perf.ContainerExec: 0.1, perf.ContainerStop: 0.17, perf.ContainerRemove: 0.03} {
		w.Metrics = append(w.Metrics, series(m, 12, share*life))
	}
	slices.SortFunc(w.Metrics, func(a, b perf.Series) int { return strings.Compare(a.Name, b.Name) })
	w.Metrics = append(w.Metrics, series(livesRate, 6, rate))
	return w
}

// scalingSeen is where a life of so many seconds went on two cores.
func scalingSeen(workload string, n int, life float64) perf.ScalingWhere {
	busy := 1.8
	w := perf.ScalingWhere{Parallel: n, Workload: workload, Lives: 100, Processors: &busy, Control: &perf.ScalingControl{Lives: 100, Start: 0.0006, Ready: 0.0013, Stop: 0.0002},
		Programs: []perf.ScalingProgram{{Program: "runc", CPU: 0.08}, {Program: "dockerd", CPU: 0.05}, {Program: "fuse-overlayfs"}}}
	for _, p := range []perf.ScalingPart{
		{Phase: "create", Step: "whole", Cause: "disk and file systems", Seconds: 0.04}, {Phase: "attach", Step: "whole", Cause: "engine, undivided", Seconds: 0.001},
		{Phase: "start", Step: "mount and connect", Cause: "network set-up", Seconds: 0.1}, {Phase: "start", Step: "runtime", Cause: "the engine's processor time", Seconds: 0.4},
		{Phase: "start", Step: "runtime", Cause: "waiting for a processor", Seconds: 0.3}, {Phase: "start", Step: "program", Cause: "the program itself", Seconds: 0.01},
		{Phase: "stop", Step: "tear down", Cause: "engine, undivided", Seconds: 0.149},
	} {
		p.Seconds *= life
		w.Parts = append(w.Parts, p)
	}
	return w
}

// scalingRun is a run of three networks, of which one cannot be reached.
func scalingRun() *perf.Result {
	r := &perf.Result{
		Schema: perf.Schema, ID: "20261129T120000Z-aaaaaa", Suite: "containers", Mode: "scale", Created: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), Complete: true,
		Subject: perf.Subject{Name: "the probe"},
		Machine: perf.Machine{Fingerprint: "linux-amd64-2c-32g-0badcafe", OS: "linux", Arch: "amd64", CPU: "A CPU", Cores: 2, MemoryClass: "32 GiB"},
	}
	v := func(x float64) *float64 { return &x }
	none := perf.Scaling{Name: "network none", Lambda: v(4.6), Contention: perf.Bounded{Estimate: v(0.44), Low: v(0.39), High: v(0.5)}, Coherency: perf.Bounded{Estimate: v(1e-4), Low: v(0), High: v(3e-4)},
		Best: perf.Bounded{Estimate: v(75), Low: v(40)}, Misfit: v(0.06), Confidence: 0.95,
		Answer: "A start takes 10.3 s at 100 in parallel, because this engine finishes 9.30 a second from 8 in parallel on: 100 under way at 9.30 a second are 10.8 s for each.",
		Advice: []string{"begin at most 8 at once: a start then takes 600 ms and not 10.3 s, and as many are finished a second", "use network host"}}
	bridge := perf.Scaling{Name: "network bridge", Lambda: v(4), Contention: perf.Bounded{Estimate: v(0)}, Coherency: perf.Bounded{Estimate: v(0.02)}, Best: perf.Bounded{Estimate: v(7.07)}, Misfit: v(0),
		Answer: "A start takes 14 s at 100 in parallel."}
	for i, n := range []int{1, 8, 100} {
		none.Levels = append(none.Levels, perf.ScalingLevel{Parallel: n, Workload: fmt.Sprintf("none x%d", n)})
		bridge.Levels = append(bridge.Levels, perf.ScalingLevel{Parallel: n, Workload: fmt.Sprintf("bridge x%d", n)})
		r.Workloads = append(r.Workloads, scalingLevel("none", n, []float64{4.61, 9.2, 9.3}[i]), scalingLevel("bridge", n, []float64{3.98, 7.1, 5.2}[i]))
	}
	cold := scalingLevel("none", 1, 3.1)
	cold.Name, cold.Metrics = "none x1 cold", cold.Metrics[:len(cold.Metrics)-1]
	r.Workloads = append(r.Workloads, cold)
	none.Levels = slices.Insert(none.Levels, 1, perf.ScalingLevel{Parallel: 1, Workload: cold.Name, Cold: true})
	host := perf.Scaling{Name: "network host", Reason: "too few levels of parallelism: the law takes 3, and there are 0"}
	for _, n := range []int{1, 8} {
		name := fmt.Sprintf("host x%d", n)
		r.Workloads = append(r.Workloads, perf.WorkloadResult{Name: name, State: perf.StateNotMeasured, Reason: "the engine runs in a virtual machine"})
		host.Levels = append(host.Levels, perf.ScalingLevel{Parallel: n, Workload: name})
	}
	none.Where = []perf.ScalingWhere{scalingSeen("none x1", 1, 0.21), scalingSeen("none x8", 8, 0.8), scalingSeen("none x100", 100, 10.3)}
	bridge.Where = []perf.ScalingWhere{{Parallel: 1, Workload: "bridge x1", Lives: 8, Undivided: "it takes the rights of root", NoControl: "the program is in the image alone",
		Parts: []perf.ScalingPart{{Phase: "create", Step: "whole", Cause: "engine, undivided", Seconds: 0.01}, {Phase: "start", Step: "program", Cause: "the program itself", Seconds: 0.004}}}}
	none.Seed, bridge.Seed, host.Seed = 7, 7, 7
	r.Scaling = []perf.Scaling{none, bridge, host}
	return r
}

// nastyScaling has names and reasons that would break out of where they are put.
func nastyScaling() *perf.Result {
	r := scalingRun()
	const nasty = "\x1b[31m</text><script>alert(1)</script> & \"x\" ]]> \u202e"
	r.Subject.Name, r.Complete = nasty, false
	r.Scaling[0].Name, r.Scaling[0].Answer, r.Scaling[0].Advice = nasty, nasty, []string{nasty}
	r.Scaling[0].Where[2].Parts[0].Phase, r.Scaling[0].Where[2].Parts[0].Step, r.Scaling[0].Where[2].Programs[0].Program = nasty, nasty, nasty
	r.Scaling[1].Where[0].Undivided, r.Scaling[1].Where[0].NoControl = nasty, nasty
	r.Scaling[2].Reason = nasty
	r.Workloads[len(r.Workloads)-1].Reason = nasty
	return r
}

func TestScaling(t *testing.T) {
	for name, r := range map[string]*perf.Result{"scaling": scalingRun(), "scaling-nasty": nastyScaling()} {
		if err := r.CheckValid(); err != nil {
			t.Fatal(err)
		}
		golden(t, name, func(w io.Writer, st Style) error { return Scaling(0)(w, r, st) })
	}
	golden(t, "scaling-blocks", func(w io.Writer, st Style) error { return Scaling(100)(w, scalingRun(), st) })
	golden(t, "scaling-none", func(w io.Writer, st Style) error {
		r := scalingRun()
		r.Workloads = r.Workloads[len(r.Workloads)-2:]
		return Scaling(0)(w, r, st)
	})
}

// A baseline of such a run is shown as the run was.
func TestResultOfScaling(t *testing.T) {
	var a, b bytes.Buffer
	if err := errors.Join(Result(&a, scalingRun(), Style{}), Scaling(0)(&b, scalingRun(), Style{})); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Error("Result prints it in another way")
	}
}

// The picture keeps within the width that there is, whatever that is.
func TestScalingPlotWidth(t *testing.T) {
	for width := range 200 {
		var b bytes.Buffer
		out := &writer{w: &b}
		scalingPlot(out, scalingRun(), width, Style{})
		limit := width
		if width == 0 {
			limit = plotPiped
		}
		for line := range strings.Lines(b.String()) {
			if n := columns(strings.TrimRight(line, "\n")); n > limit {
				t.Fatalf("at a width of %d there is a line of %d: %q", width, n, line)
			}
		}
		if drawn := b.Len() > 0; drawn != (width == 0 || width >= plotLeast) {
			t.Errorf("at a width of %d it is drawn: %v", width, drawn)
		}
	}
}

func TestScalingSVG(t *testing.T) {
	for name, r := range map[string]*perf.Result{"scaling": scalingRun(), "scaling-nasty": nastyScaling(), "scaling-empty": {Subject: perf.Subject{Name: "nothing"}}} {
		var b bytes.Buffer
		if err := ScalingSVG(&b, r); err != nil {
			t.Fatal(err)
		}
		checkGolden(t, name+".svg.golden", b.Bytes())
		// It is well-formed, needs nothing from elsewhere and runs nothing.
		for dec := xml.NewDecoder(&b); ; {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := token.(xml.StartElement); ok {
				checkSVGElement(t, name, e)
			}
		}
	}
}

func checkSVGElement(t *testing.T, name string, e xml.StartElement) {
	t.Helper()
	if e.Name.Local == "script" || e.Name.Local == "image" || e.Name.Local == "use" {
		t.Errorf("%s has an element %s", name, e.Name.Local)
	}
	for _, a := range e.Attr {
		if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") || a.Name.Local == "href" {
			t.Errorf("%s: %s has %s=%q", name, e.Name.Local, a.Name.Local, a.Value)
		}
	}
}

func TestScaleProgress(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var b bytes.Buffer
		s := NewStatus(&b, terminal)
		clock := time.Unix(0, 0)
		s.now = func() time.Time { clock = clock.Add(refresh); return clock }
		for round := 1; round <= 2; round++ {
			for done := range 3 {
				s.ScaleProgress(experiment.ScaleProgress{Workload: "bridge x64", Round: round, Rounds: 6, Done: done, Of: 64, Left: 90 * time.Second})
			}
		}
		want := "round 1 of 6, at most 1 min 30 s left\nround 2 of 6, at most 1 min 30 s left\n"
		if terminal {
			want = ""
			for round := 1; round <= 2; round++ {
				for done := range 3 {
					want += fmt.Sprintf("\rbridge x64: round %d of 6, %d of 64, at most 1 min 30 s left", round, done)
				}
			}
		}
		if got := b.String(); got != want {
			t.Errorf("on a terminal %v: %q, want %q", terminal, got, want)
		}
	}
}

// TestBestTextWithoutIntervals: an estimate that nothing bounds is not printed as a fact.
func TestBestTextWithoutIntervals(t *testing.T) {
	low := 40.0
	for _, tt := range []struct {
		s    perf.Scaling
		want string
	}{
		{perf.Scaling{}, "by these few visits throughput never falls, but no interval bounds that"},
		{perf.Scaling{Confidence: 0.95}, "throughput never falls"},
		{perf.Scaling{Confidence: 0.95, Best: perf.Bounded{Low: &low}}, "throughput never falls, or not below 40 in parallel"},
	} {
		if got := bestText(tt.s); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
