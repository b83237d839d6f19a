package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// scaleEngine has every image, and a clock of its own, as one in a virtual machine.
type scaleEngine struct{ fakeEngine }

func (scaleEngine) Info() container.Info {
	return container.Info{OS: "linux", Arch: "amd64", Local: true}
}

func (scaleEngine) Image(context.Context, string) (container.Image, error) {
	return container.Image{ID: "sha256:abc"}, nil
}

// server is an engine that works on so many starts at a time and takes so long for each.
// Under synctest its time is exact.
type server struct {
	places       chan struct{}
	service      time.Duration
	busy, most   atomic.Int64
	failAt       int64 // fail when so many are under way; 0: never
	ignoresEnd   bool  // go on although the context has ended
	lives        atomic.Int64
	networkLives [2]atomic.Int64 // none, bridge
}

func newServer(places int, service time.Duration) *server {
	return &server{places: make(chan struct{}, places), service: service}
}

func (s *server) life(ctx context.Context, spec container.Spec) (container.Phases, error) {
	began := time.Now()
	s.lives.Add(1)
	if spec.Config.Network == "bridge" {
		s.networkLives[1].Add(1)
	} else {
		s.networkLives[0].Add(1)
	}
	n := s.busy.Add(1)
	defer s.busy.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	if s.failAt > 0 && n >= s.failAt {
		return container.Phases{}, fmt.Errorf("the %dth at once is refused", n)
	}
	select {
	case s.places <- struct{}{}:
	case <-ctx.Done():
		return container.Phases{}, ctx.Err()
	}
	defer func() { <-s.places }()
	timer := time.NewTimer(s.service)
	defer timer.Stop()
	done := ctx.Done()
	if s.ignoresEnd {
		done = nil
	}
	select {
	case <-timer.C:
	case <-done:
		return container.Phases{}, ctx.Err()
	}
	ready := time.Since(began)
	return container.Phases{Began: began, ImageWarm: true, Create: time.Millisecond, Ready: ready, Start: ready - time.Millisecond, NoProgram: "it tells no time"}, nil
}

// scaled runs a Scale on a server, in levels 1, 2, 4 and 8 of two networks.
func scaled(ctx context.Context, s *server, change func(*Scale)) (*perf.Result, error) {
	scale := Scale{
		Containers: Containers{Engine: scaleEngine{}}, Spec: container.Spec{Config: container.Config{Image: "a"}},
		Levels: []int{1, 2, 4, 8}, Networks: []string{"none", "bridge"}, Seed: 7, Life: s.life,
	}
	if change != nil {
		change(&scale)
	}
	r := &perf.Result{Schema: perf.Schema, ID: "a", Suite: "containers", Created: time.Now(), Machine: perf.Machine{Fingerprint: "m"}}
	err := scale.Run(ctx, r)
	if err == nil {
		err = r.CheckValid()
	}
	return r, err
}

// throughput is the median of a workload's.
func throughput(t *testing.T, r *perf.Result, workload string) float64 {
	t.Helper()
	w := r.Workload(workload)
	if w == nil {
		t.Fatalf("there is no workload %s", workload)
	}
	s, ok := w.Series(perf.Throughput.Name)
	if !ok || s.Summary == nil {
		t.Fatalf("%s has no throughput: %s %s", workload, w.State, w.Reason)
	}
	return s.Summary.Center
}

// An engine that works on two at a time, and takes 100 ms for each, finishes 10 a second
// of one at a time and 20 of two or more.
func TestScaleMeasuresAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(2, 100*time.Millisecond)
		r, err := scaled(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Complete || len(r.Workloads) != 8 || s.most.Load() != 8 {
			t.Errorf("complete: %v, %d workloads, %d at once", r.Complete, len(r.Workloads), s.most.Load())
		}
		for workload, want := range map[string]float64{"none x1": 10, "none x2": 20, "none x4": 20, "bridge x8": 20} {
			if got := throughput(t, r, workload); got < 0.999*want || got > 1.001*want {
				t.Errorf("%s: %v a second, want %v", workload, got, want)
			}
		}
		w := r.Workload("none x8")
		rates, _ := w.Series(perf.Throughput.Name)
		lives, _ := w.Series(perf.ContainerReady.Name)
		if len(rates.Samples) != ScaleRounds || rates.Summary.Low == nil || len(lives.Samples) != ScaleRounds*16 {
			t.Errorf("%d visits and %d lives, interval from %v", len(rates.Samples), len(lives.Samples), rates.Summary.Low)
		}
		sc := r.Scaling[0]
		if sc.Seed != 7 {
			t.Errorf("the seed that replays it is %d", sc.Seed)
		}
		if sc.Name != "network none" || len(sc.Levels) != 4 || sc.Contention.Estimate == nil || sc.Confidence != confidence {
			t.Errorf("the scaling is %+v", sc)
		}
		for _, says := range []string{"A start takes", "at 8 in parallel", "finishes 20.0 a second from 2 in parallel on", "8 under way at 20.0 a second are 400 ms for each"} {
			if !strings.Contains(sc.Answer, says) {
				t.Errorf("%q is not in: %s", says, sc.Answer)
			}
		}
		if !slices.ContainsFunc(sc.Advice, func(a string) bool { return strings.Contains(a, "begin at most 2 at once") }) {
			t.Errorf("the advice is %q", sc.Advice)
		}
	})
}

// The rounds go through all cells, the first from the lowest level up, and no two alike.
func TestScaleInterleaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rounds [][]string
		_, err := scaled(t.Context(), newServer(8, time.Millisecond), func(s *Scale) {
			s.Rounds = 3
			s.Hooks.Progress = func(p ScaleProgress) {
				if p.Done > 0 {
					return
				}
				for len(rounds) < p.Round {
					rounds = append(rounds, nil)
				}
				rounds[p.Round-1] = append(rounds[p.Round-1], p.Workload)
			}
		})
		if err != nil || len(rounds) != 3 {
			t.Fatalf("%d rounds, %v", len(rounds), err)
		}
		for i, round := range rounds {
			if all := slices.Compact(slices.Sorted(slices.Values(round))); len(all) != 8 || len(round) != 8 {
				t.Errorf("round %d visits %q", i+1, round)
			}
		}
		for i, name := range rounds[0] {
			if want := fmt.Sprintf(" x%d", 1<<(i/2)); !strings.HasSuffix(name, want) {
				t.Errorf("the first round is %q", rounds[0])
			}
		}
		if slices.Equal(rounds[1], rounds[2]) || slices.Equal(rounds[0], rounds[1]) {
			t.Errorf("the order is not random: %q", rounds)
		}
	})
}

// What does not fit into the budget is not begun, and says so.
func TestScaleBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r, err := scaled(t.Context(), newServer(1, 100*time.Millisecond), func(s *Scale) { s.Budget = 5500 * time.Millisecond })
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("it took %v", took)
		}
		if w := r.Workload("none x1"); w.State != perf.StateOK {
			t.Errorf("the lowest level is %s: %s", w.State, w.Reason)
		}
		top := r.Workload("none x8")
		if top.State != perf.StateNotMeasured || !strings.Contains(top.Reason, "left of the budget of 5.5s") {
			t.Errorf("the highest level is %s: %s", top.State, top.Reason)
		}
		if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0].Text, "did not fit into the budget") {
			t.Errorf("the warnings are %v", r.Warnings)
		}
	})
}

// A level that fails is FAILED and is not visited again; the lower ones are.
func TestScaleFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(8, time.Millisecond)
		s.failAt = 4
		r, err := scaled(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		four, two := r.Workload("none x4"), r.Workload("none x2")
		if four.State != perf.StateFailed || !strings.Contains(four.Reason, "th at once is refused") || !strings.Contains(four.Reason, "lifecycles failed") {
			t.Errorf("x4 is %s: %s", four.State, four.Reason)
		}
		if rates, _ := two.Series(perf.Throughput.Name); two.State != perf.StateOK || len(rates.Samples) != ScaleRounds {
			t.Errorf("x2 is %s with %d visits", two.State, len(rates.Samples))
		}
		if w := r.Workload("none x8"); w.State != perf.StateNotMeasured || !strings.HasPrefix(w.Reason, "because none x4 failed: ") {
			t.Errorf("x8 is %s: %s", w.State, w.Reason)
		}
		if (Policy{}).Status(r) != perf.ExitFailure {
			t.Error("a lifecycle that failed is no failure")
		}
	})
}

// Where not even one container lives, everything in its network waits for it in vain.
func TestScaleFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1, time.Millisecond)
		r, err := scaled(t.Context(), s, func(sc *Scale) {
			sc.Life = func(ctx context.Context, spec container.Spec) (container.Phases, error) {
				switch spec.Config.Network {
				case "bridge":
					return container.Phases{}, &container.EngineError{Op: "start", On: "it", Kind: container.ErrNotFound, Err: errors.New("network bridge not found")}
				case "none":
					return container.Phases{}, errors.New("it ended by itself")
				}
				return s.life(ctx, spec)
			}
			sc.Networks = append(sc.Networks, "mine")
		})
		if err != nil {
			t.Fatal(err)
		}
		for workload, want := range map[string]struct {
			state  perf.State
			reason string
		}{
			"none x1":   {perf.StateFailed, "it ended by itself"},
			"none x4":   {perf.StateNotMeasured, "because none x1 failed: it ended by itself"},
			"bridge x1": {perf.StateNotMeasured, "the engine has no network bridge"},
			"mine x8":   {perf.StateOK, ""},
		} {
			if w := r.Workload(workload); w.State != want.state || !strings.HasPrefix(w.Reason, want.reason) {
				t.Errorf("%s is %s: %s", workload, w.State, w.Reason)
			}
		}
	})
}

// A mode that this engine cannot reach is not measured, and says why.
func TestScaleUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := scaled(t.Context(), newServer(1, time.Millisecond), func(s *Scale) { s.Networks = []string{"host", "none"} })
		if err != nil {
			t.Fatal(err)
		}
		for _, level := range []string{"host x1", "host x8"} {
			if w := r.Workload(level); w.State != perf.StateNotMeasured || !strings.Contains(w.Reason, "virtual machine") {
				t.Errorf("%s is %s: %s", level, w.State, w.Reason)
			}
		}
		if w := r.Workload("none x8"); w.State != perf.StateOK {
			t.Errorf("none is %s: %s", w.State, w.Reason)
		}
	})
	r, err := scaled(t.Context(), newServer(1, time.Millisecond), func(s *Scale) { s.Engine, s.Absent = nil, errors.New("no engine answers") })
	if err != nil || !r.Complete || len(r.Workloads) != 8 {
		t.Fatalf("without an engine: %d workloads, %v", len(r.Workloads), err)
	}
	for _, w := range r.Workloads {
		if w.State != perf.StateNotMeasured || w.Reason != "no engine answers" {
			t.Errorf("%s is %s: %s", w.Name, w.State, w.Reason)
		}
	}
}

// Ctrl-C leaves what was measured, and waits for what is under way no longer than a
// cleanup may take.
func TestScaleInterrupted(t *testing.T) {
	for name, deaf := range map[string]bool{"lifecycles that end": false, "lifecycles that do not": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(8, 10*time.Second)
				s.ignoresEnd = deaf
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var at time.Time
				r, err := scaled(ctx, s, func(sc *Scale) {
					sc.Hooks.Progress = func(p ScaleProgress) {
						if p.Workload == "none x4" && at.IsZero() {
							time.AfterFunc(time.Second, func() {
								at = time.Now()
								cancel()
							})
						}
					}
				})
				if !errors.Is(err, context.Canceled) || r.Complete {
					t.Fatalf("complete: %v, %v", r.Complete, err)
				}
				if took := time.Since(at); took > cleanupTime {
					t.Errorf("it took %v to end", took)
				}
				if w := r.Workload("none x1"); w.State != perf.StateOK || len(w.Metrics) == 0 {
					t.Errorf("what was measured before is %s: %s", w.State, w.Reason)
				}
				if w := r.Workload("none x8"); w.State != perf.StateNotMeasured || w.Reason != "the run was interrupted before it" {
					t.Errorf("what was not is %s: %s", w.State, w.Reason)
				}
				if err := r.CheckValid(); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				time.Sleep(time.Minute) // of the bubble: what is under way ends in the background
			})
		})
	}
}

// brokenEngine answers no question about images.
type brokenEngine struct{ scaleEngine }

func (brokenEngine) Image(context.Context, string) (container.Image, error) {
	return container.Image{}, errors.New("the engine's disk is broken")
}

// Where the run ends by an error, that is why nothing was measured, and no interruption.
func TestScaleThatCannotBegin(t *testing.T) {
	r, err := scaled(t.Context(), newServer(1, time.Millisecond), func(s *Scale) { s.Engine = brokenEngine{} })
	if err == nil || r.Complete {
		t.Fatalf("complete: %v, %v", r.Complete, err)
	}
	if w := r.Workload("none x1"); w.State != perf.StateNotMeasured || w.Reason != "the run ended before it: the engine's disk is broken" {
		t.Errorf("%s: %s", w.State, w.Reason)
	}
}

// emptyEngine has no image, and gets none.
type emptyEngine struct{ scaleEngine }

func (emptyEngine) Image(context.Context, string) (container.Image, error) {
	return container.Image{}, container.ErrNotFound
}

func (emptyEngine) PullImage(_ context.Context, ref string, _ func(container.PullEvent)) error {
	return fmt.Errorf("%s: manifest unknown", ref)
}

// Nothing is pulled unasked, and an image that cannot be pulled is not measured.
func TestScaleWithoutImage(t *testing.T) {
	for pull, says := range map[bool]string{false: "the engine has no image a, and nothing is pulled unasked: -pull", true: "the registry has no such tag"} {
		r, err := scaled(t.Context(), newServer(1, time.Millisecond), func(s *Scale) { s.Engine, s.Pull = emptyEngine{}, pull })
		if err != nil || !r.Complete {
			t.Fatal(err)
		}
		if w := r.Workload("none x1"); w.State != perf.StateNotMeasured || !strings.Contains(w.Reason, says) {
			t.Errorf("pull %v: %s, %s", pull, w.State, w.Reason)
		}
		if ScaleMeasured(r) {
			t.Error("it counts as measured")
		}
	}
}

// A triage has the law of the containers and what N at once take by their throughput; what
// does not fit into its budget is named.
func TestTriageLifecycles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(2, 100*time.Millisecond)
		scale := Scale{Containers: Containers{Engine: scaleEngine{}}, Spec: container.Spec{Config: container.Config{Image: "a"}},
			Levels: containerLevels(2), Networks: []string{"none"}, Budget: 20 * time.Second, Life: s.life}
		got, err := scale.triage(t.Context(), perf.Machine{Cores: 2})
		if err != nil || got.Containers == nil || got.Containers.Contention.Estimate == nil || got.Containers.Contention.Low == nil || got.Containers.Answer == "" || len(got.Containers.Where) != 4 {
			t.Fatalf("%+v, %v", got.Containers, err)
		}
		if gain, n := got.Gain(); len(got.Parallel) != 4 || gain < 1.95 || gain > 2.05 || n < 2 {
			t.Errorf("%d at once do %v times the work: %+v", n, gain, got.Parallel)
		}
		a := &Triage{Usage: TriageUsage{Phases: map[string]float64{"ready": 0.1}, Wall: 0.1, Waiting: 0.1}, Scale: got}
		a.Diagnose()
		if p := strategy(t, a, "parallel execution"); p.Fit != FitYes || !strings.Contains(p.Evidence[0], "by the Universal Scalability Law only one at a time") {
			t.Errorf("%+v", p)
		}
		if len(a.Classes) == 0 || a.Classes[0].String() != "Docker operations: engine, undivided" {
			t.Errorf("the classes are %+v", a.Classes)
		}
		s.service, scale.Budget = 400*time.Millisecond, 3*time.Second // the first level is slower than was guessed
		if got, err = scale.triage(t.Context(), perf.Machine{}); err == nil || !strings.Contains(err.Error(), "it would take about") || len(got.Parallel) == 0 {
			t.Errorf("a small budget: %+v, %v", got.Parallel, err)
		}
	})
}
