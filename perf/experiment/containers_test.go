package experiment

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// realContainers are those of the engine that the docker command would use.
func realContainers(t *testing.T) Containers {
	t.Helper()
	settings := container.Settings{Host: os.Getenv("DOCKER_HOST"), Timeout: 30 * time.Second}
	testenv.Working(t, "docker", func() error {
		e, err := container.Connect(context.Background(), settings)
		if err != nil {
			return err
		}
		return e.Close()
	})
	e, err := container.Connect(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := container.NewOwner("test-" + strings.ToLower(t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		swept, err := container.RemoveRun(context.Background(), e, container.Attribution{Owner: owner})
		if err != nil || len(swept.Removed)+len(swept.Left) > 0 {
			t.Errorf("the workload has left %v and %v (%v)", swept.Removed, swept.Left, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return Containers{Engine: e, Owner: owner}
}

func lifecycleSuite(image string) suite.Suite {
	return suite.Suite{Name: "s", Workloads: []suite.Workload{{
		Name: "life", Min: 3, Max: 3, Memory: 1, Timeout: 2 * time.Minute,
		Container: &suite.Container{Image: image, Network: "none", Ready: time.Minute, Grace: 5 * time.Second},
	}}, Objectives: []suite.Objective{
		{Name: "start", Workload: "life", Metric: perf.ContainerStart, Quantile: 0.5, Confidence: 0.8, Target: 60, Critical: 120},
		{Name: "total", Workload: "life", Metric: perf.Wall, Quantile: 0.5, Confidence: 0.8, Target: 1e-6, Critical: 1e-5},
	}}
}

func (c Containers) measure(t *testing.T, s suite.Suite) *perf.Result {
	t.Helper()
	if err := s.CheckValid(); err != nil {
		t.Fatal(err)
	}
	r := new(perf.Result)
	if err := (Engine{New: c.Runners(Processes{Work: t.TempDir()})}).Run(t.Context(), plan(s), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestContainerLifecycle runs real containers, and holds their phases against the whole.
func TestContainerLifecycle(t *testing.T) {
	r := realContainers(t).measure(t, lifecycleSuite(""))
	w := r.Workload("life")
	if w.State != perf.StateOK {
		t.Fatalf("%s: %s", w.State, w.Reason)
	}
	sample := func(m perf.Metric) perf.Sample {
		s, _ := w.Series(m.Name)
		if len(s.Samples) != 3 {
			t.Fatalf("%s: %d samples, want 3", m.Name, len(s.Samples))
		}
		return s.Samples
	}
	wall, start := sample(perf.Wall), sample(perf.ContainerStart)
	create, ready, run, stop, remove := sample(perf.ContainerCreate), sample(perf.ContainerReady), sample(perf.ContainerRun), sample(perf.ContainerStop), sample(perf.ContainerRemove)
	for i := range wall {
		// Connecting to the output lies between create and start.
		if sum := create[i] + max(ready[i], run[i]) + stop[i] + remove[i]; wall[i] < sum || wall[i] > 1.5*sum {
			t.Errorf("run %d: the whole is %v and its phases %v", i, wall[i], sum)
		}
		if start[i] < create[i]+ready[i] || start[i] > wall[i] {
			t.Errorf("run %d: create to ready is %v, of which create %v and ready %v; the whole is %v", i, start[i], create[i], ready[i], wall[i])
		}
	}
	if m, _ := w.Series(perf.PeakMemory.Name); len(m.Samples) != 1 || m.Samples[0] < 100<<10 {
		t.Errorf("peak memory of the container: %v, want one of 100 KiB at least; %v", m.Samples, w.Warnings)
	}
	if r.Objectives[0].State != perf.Met || r.Objectives[1].State != perf.Breached {
		t.Errorf("objectives: %+v", r.Objectives)
	}
}

func TestContainersWithoutAnEngine(t *testing.T) {
	for name, c := range map[string]Containers{
		"no engine": {Absent: errors.New("no container engine at unix:///x: start it")},
		"no go":     {Engine: fakeEngine{}, Go: "/no/such/go"},
	} {
		r := c.measure(t, lifecycleSuite(""))
		if w := r.Workloads[0]; w.State != perf.StateNotMeasured || w.Reason == "" {
			t.Errorf("%s: %s: %s", name, w.State, w.Reason)
		}
		gate := Policy{Gate: true}
		if status := gate.Status(r); status != perf.ExitUnjudged {
			t.Errorf("%s: the gate gives %d", name, status)
		}
		gate.AllowUnmeasured = []string{"start", "total"}
		if status := gate.Status(r); status != perf.ExitOK {
			t.Errorf("%s: the gate gives %d, though both may be unmeasured", name, status)
		}
	}
}

// fakeEngine says of itself what a real one would, and does nothing.
type fakeEngine struct{ container.Engine }

func (fakeEngine) Info() container.Info { return container.Info{OS: "linux", Arch: "amd64"} }

func TestImageThatIsMissing(t *testing.T) {
	w := realContainers(t).measure(t, lifecycleSuite("clnrm-perf/no-such-image:1")).Workloads[0]
	if w.State != perf.StateNotMeasured || !strings.Contains(w.Reason, "no image clnrm-perf/no-such-image:1") {
		t.Errorf("%s: %s", w.State, w.Reason)
	}
}

// TestRecordedContainers follows a command that makes two containers a run, and leaves
// the second one behind.
func TestRecordedContainers(t *testing.T) {
	c := realContainers(t)
	image := probeImage(t, c)
	made := 0
	inner := Runner{Run: func(ctx context.Context) (Observation, error) {
		for n := range 2 {
			id, err := c.Engine.Create(ctx, container.Config{Image: image, Network: "none", Labels: c.Owner.Labels()})
			if err != nil {
				return Observation{}, err
			}
			made++
			if err := c.Engine.Start(ctx, id); err != nil {
				return Observation{}, err
			}
			if n == 0 {
				if err := c.Engine.Remove(ctx, id); err != nil {
					return Observation{}, err
				}
			}
		}
		return Observation{Wall: time.Second, Values: []Value{{perf.Wall, 1}}}, nil
	}}
	r := new(perf.Result)
	s := suite.Suite{Name: "s", Workloads: []suite.Workload{{Name: "a", Command: suite.Command{Args: []string{"a"}}, Min: 2, Max: 2}}}
	if err := (Engine{New: func(suite.Step) Runner { return c.Recorded(inner) }}).Run(t.Context(), plan(s), r); err != nil {
		t.Fatal(err)
	}
	w := r.Workloads[0]
	for metric, n := range map[perf.Metric]int{perf.Containers: 1, perf.SubjectStart: 4, perf.SubjectLife: 2, perf.SubjectRemove: 2} {
		if got, _ := w.Series(metric.Name); len(got.Samples) != n {
			t.Errorf("%s: %d samples, want %d", metric.Name, len(got.Samples), n)
		}
	}
	if got, _ := w.Series(perf.Containers.Name); len(got.Samples) == 1 && got.Samples[0] != 2 {
		t.Errorf("%v containers a run, want 2", got.Samples)
	}
	left := 0
	for _, warning := range w.Warnings {
		if strings.Contains(warning.Text, "it left a container behind, which was removed") {
			left++
		}
	}
	if left != 2 || made != 4 {
		t.Errorf("%d of %d containers were removed as left behind, want 2 of 4: %+v", left, made, w.Warnings)
	}
}

// listeningEngine notes how long somebody listens to its events, of which there are none.
type listeningEngine struct {
	fakeEngine
	listens *[]context.Context
}

func (listeningEngine) Info() container.Info { return container.Info{SharesClock: true} }

func (e listeningEngine) Events(ctx context.Context, f container.EventFilter) (*container.EventStream, error) {
	events := make(chan container.Event)
	if !f.Until.IsZero() {
		close(events)
		return &container.EventStream{C: events}, nil
	}
	*e.listens = append(*e.listens, ctx)
	context.AfterFunc(ctx, func() { close(events) })
	return &container.EventStream{C: events}, nil
}

// TestRecordingEnds: also where what else is measured at the end fails.
func TestRecordingEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, want := range []error{nil, broken} {
		var listens []context.Context
		inner := Runner{Extra: func(context.Context) (Observation, error) { return Observation{}, want }}
		r := Containers{Engine: listeningEngine{listens: &listens}}.Recorded(inner)
		if err := r.Setup(t.Context()); err != nil || len(listens) != 1 {
			t.Fatalf("%d listen: %v", len(listens), err)
		}
		if _, err := r.Extra(t.Context()); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
		if listens[0].Err() == nil {
			t.Errorf("somebody listens still after %v", want)
		}
	}
}

// TestContainersByAnotherClock: of containers that no run seems to have made the reader is
// told why.
func TestContainersByAnotherClock(t *testing.T) {
	began := time.Now()
	list := []container.Timeline{{ID: "1", Create: began.Add(time.Hour), Start: began.Add(time.Hour + time.Second)}}
	r := recorded{Containers: Containers{Engine: fakeEngine{}}, runs: []span{{began, began.Add(time.Minute)}}}
	var o Observation
	if r.count(&o, list); len(o.Values) != 0 || len(o.Warnings) != 1 || !strings.Contains(o.Warnings[0].Text, "clock") {
		t.Errorf("%+v", o)
	}
	r.Engine, o = listeningEngine{}, Observation{}
	if r.count(&o, list); len(o.Values)+len(o.Warnings) != 0 {
		t.Errorf("of a container that was made outside of the runs, by the same clock: %+v", o)
	}
}

// probeImage is the image of the probe under this test's mark, removed at its end.
func probeImage(t *testing.T, c Containers) string {
	t.Helper()
	l := &lifecycles{Containers: c, w: lifecycleSuite("").Workloads[0]}
	if err := l.setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.cleanup(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l.spec.Config.Image
}
