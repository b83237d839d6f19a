package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLifecycle(t *testing.T) {
	e := realEngine(t)
	s := probeSpec(t, probeImage(t, e))
	began := time.Now()
	p, err := Lifecycle(t.Context(), e, s)
	wall := time.Since(began)
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]time.Duration{"image": p.Image, "create": p.Create, "attach": p.Attach, "start": p.Start,
		"ready": p.Ready, "stop": p.Stop, "remove": p.Remove} {
		if d <= 0 || d > wall {
			t.Errorf("%s took %v of %v", name, d, wall)
		}
	}
	if !p.ImageWarm {
		t.Error("the image that is there was loaded again")
	}
	if p.Total() > wall || p.ContainerStart() >= p.Total() || p.Began.Before(began) {
		t.Errorf("total %v and start %v of %v", p.Total(), p.ContainerStart(), wall)
	}
	if p.Killed || p.ExitCode != 0 {
		t.Errorf("the probe ended with %d, killed: %v", p.ExitCode, p.Killed)
	}
	if p.Use != nil {
		t.Error("its use was read, and nobody asked")
	}
	if e.Info().SharesClock {
		if !p.HasProgram || p.BeforeMain <= 0 || p.Program <= 0 || p.BeforeMain+p.Program != p.Ready {
			t.Errorf("ready after %v is not %v before main and %v of the program (%s)", p.Ready, p.BeforeMain, p.Program, p.NoProgram)
		}
	} else if p.HasProgram || p.NoProgram == "" {
		t.Errorf("the clock of another kernel was believed: %+v", p)
	}
}

// TestLifecycleDelays sees that time goes where it is spent.
func TestLifecycleDelays(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	a := probeImage(t, e)
	p, err := Lifecycle(t.Context(), e, probeSpec(t, a, "-delay=400ms", "-stop-delay=500ms"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Ready < 400*time.Millisecond || p.Stop < 500*time.Millisecond {
		t.Errorf("ready after %v, ended after %v", p.Ready, p.Stop)
	}
	if e.Info().SharesClock && (p.Program < 400*time.Millisecond || p.BeforeMain+p.Program != p.Ready) {
		t.Errorf("the program took %v to be ready", p.Program)
	}
	if p.Total() < p.Ready+p.Stop {
		t.Errorf("the total of %v leaves out waiting", p.Total())
	}
}

func TestLifecycleIgnoresTerm(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	s := probeSpec(t, probeImage(t, e), "-ignore-term")
	s.Grace = time.Second
	p, err := Lifecycle(t.Context(), e, s)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Killed || p.ExitCode != 137 || p.Stop < time.Second {
		t.Errorf("a program that ignores SIGTERM: killed %v, exit status %d, stop %v", p.Killed, p.ExitCode, p.Stop)
	}
}

func TestLifecycleFails(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	a := probeImage(t, e)
	with := func(change func(*Spec), flags ...string) Spec {
		s := probeSpec(t, a, flags...)
		if change != nil {
			change(&s)
		}
		return s
	}
	tests := []struct {
		name  string
		spec  Spec
		phase string
		says  []string
		is    error
	}{
		{"never ready", with(func(s *Spec) { s.ReadyTimeout = 8 * time.Second }, "-silent", "-say=still loading"), "ready",
			[]string{"not ready after 8s", `begins with "READY"`, "still loading"}, nil},
		{"another marker", with(func(s *Spec) { s.ReadyTimeout, s.Marker = 8*time.Second, "Listening" }), "ready",
			[]string{`"Listening"`, "READY main="}, nil},
		{"dies at once", with(nil, "-say=no configuration", "-exit=3"), "ready",
			[]string{"exit status 3, before it was ready", "no configuration"}, nil},
		{"bad flag", with(nil, "-nonsense"), "ready", []string{"exit status 2", "provided but not defined: -nonsense"}, nil},
		{"no such program", with(func(s *Spec) { s.Config.Entrypoint = []string{"/nothing"} }), "start", []string{"/nothing"}, nil},
		{"no such image", with(func(s *Spec) { s.Archive, s.Config.Image = nil, "clnrm-perf/never:made" }), "create",
			[]string{"clnrm-perf/never:made"}, ErrNotFound},
		{"no image", with(func(s *Spec) {
			s.Archive = &Archive{Name: "clnrm-perf/test-broken:1", Content: "none", Tar: []byte("broken")}
		}), "image",
			[]string{"load image"}, nil},
		{"too little memory", with(func(s *Spec) { s.Config.Memory = 8 << 20 }, "-memory=64"), "ready", []string{"more memory than it may have"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // each has a container of its own
			p, err := Lifecycle(t.Context(), e, tt.spec)
			var failed *LifecycleError
			if !errors.As(err, &failed) {
				t.Fatalf("%+v, %v", p, err)
			}
			if failed.Phase != tt.phase || failed.LeftBehind != nil {
				t.Errorf("it failed in phase %q (left behind: %v): %v", failed.Phase, failed.LeftBehind, err)
			}
			for _, says := range tt.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q is not in: %v", says, err)
				}
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("it is not %v: %v", tt.is, err)
			}
		})
	}
}

// TestLifecycleNameTaken sees that the container that has the name is left alone.
func TestLifecycleNameTaken(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	a := probeImage(t, e)
	s := probeSpec(t, a)
	s.Config.Name = "clnrm-perf-test-taken"
	other, err := e.Create(t.Context(), Config{Image: a.Name, Name: s.Config.Name, Labels: containerLabels(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lifecycle(t.Context(), e, s); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), s.Config.Name) {
		t.Errorf("a taken name: %v", err)
	}
	if c, err := e.Container(t.Context(), s.Config.Name); err != nil || c.ID != other {
		t.Errorf("the container that had the name is %+v, %v", c, err)
	}
	if err := e.Remove(t.Context(), other); err != nil {
		t.Error(err)
	}
}

// An interceptor is an engine at which something happens before or after calls.
type interceptor struct {
	Engine
	before, after func(call string)
}

func (i interceptor) around(call string) func() {
	if i.before != nil {
		i.before(call)
	}
	return func() {
		if i.after != nil {
			i.after(call)
		}
	}
}

func (i interceptor) Create(ctx context.Context, c Config) (string, error) {
	defer i.around("create")()
	return i.Engine.Create(ctx, c)
}

func (i interceptor) Attach(ctx context.Context, id string, stdout, stderr io.Writer) (*Attachment, error) {
	defer i.around("attach")()
	return i.Engine.Attach(ctx, id, stdout, stderr)
}

func (i interceptor) Start(ctx context.Context, id string) error {
	defer i.around("start")()
	return i.Engine.Start(ctx, id)
}

func (i interceptor) Stop(ctx context.Context, id string, grace time.Duration) error {
	defer i.around("stop")()
	return i.Engine.Stop(ctx, id, grace)
}

func (i interceptor) Remove(ctx context.Context, id string) error {
	defer i.around("remove")()
	return i.Engine.Remove(ctx, id)
}

// TestLifecycleCancelled cancels at every step, before the call and in its middle.
func TestLifecycleCancelled(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	s := probeSpec(t, probeImage(t, e))
	for _, call := range []string{"create", "attach", "start", "stop", "remove"} {
		for _, delay := range []time.Duration{0, 2 * time.Millisecond, 30 * time.Millisecond} {
			ctx, cancel := context.WithCancel(t.Context())
			slow := interceptor{Engine: e, before: func(c string) {
				if c == call {
					time.AfterFunc(delay, cancel)
				}
			}}
			_, err := Lifecycle(ctx, slow, s)
			// A step that was through before the cancellation has succeeded.
			if delay == 0 && call != "remove" && err == nil || err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled %v after the call to %s: %v", delay, call, err)
			}
			var failed *LifecycleError
			if errors.As(err, &failed) && failed.LeftBehind != nil {
				t.Errorf("cancelled %v after the call to %s, it left one behind: %v", delay, call, failed.LeftBehind)
			}
			cancel()
			leftBehind(t, e)
		}
	}
}

// endsEarly is an engine at which a container is stopped by somebody else as soon as
// it is ready.
type endsEarly struct{ Engine }

func (e endsEarly) Attach(ctx context.Context, id string, stdout, stderr io.Writer) (*Attachment, error) {
	return e.Engine.Attach(ctx, id, writer(func(b []byte) (int, error) {
		if err := e.Stop(ctx, id, 5*time.Second); err != nil {
			return 0, err
		}
		return stdout.Write(b)
	}), stderr)
}

type writer func(b []byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// TestLifecycleEndsByItself: the stop that follows would take no time, and be the
// fastest sample of all.
func TestLifecycleEndsByItself(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	p, err := Lifecycle(t.Context(), endsEarly{e}, probeSpec(t, probeImage(t, e)))
	var failed *LifecycleError
	if !errors.As(err, &failed) || failed.Phase != "stop" || !strings.Contains(err.Error(), "by itself") {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestLifecycleUse(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	a := probeImage(t, e)
	s := probeSpec(t, a, "-memory=64", "-cpu=300ms")
	s.Use = true
	p, err := Lifecycle(t.Context(), e, s)
	if err != nil {
		t.Fatal(err)
	}
	u := p.Use
	t.Logf("%+v", *u)
	if u.MemorySource == "" || u.Memory < 64<<20 || u.Memory > 100<<20 {
		t.Errorf("64 MiB are %d bytes by %q", u.Memory, u.MemorySource)
	}
	if u.CPUSource == "" || u.CPU < 300*time.Millisecond || u.CPU > 3*time.Second {
		t.Errorf("300 ms of processor time are %v by %q", u.CPU, u.CPUSource)
	}
	if u.PeakSource == "" {
		if len(u.Missing) == 0 || u.Peak != 0 {
			t.Errorf("the peak is absent without a reason: %+v", u)
		}
	} else if u.Peak < u.Memory || u.Peak > 120<<20 {
		t.Errorf("the peak of 64 MiB is %d bytes by %q", u.Peak, u.PeakSource)
	}
	// From the cgroup the same comes out, where it can be read.
	if runtime.GOOS != "linux" || !e.Info().SharesClock {
		return
	}
	blind := noStats{e}
	p, err = Lifecycle(t.Context(), blind, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *p.Use)
	if len(p.Use.Missing) > 0 && os.Geteuid() == 0 {
		t.Errorf("the cgroup does not tell %v", p.Use.Missing)
	}
	if p.Use.PeakSource != "" && (p.Use.Peak < 64<<20 || p.Use.Peak > 120<<20) {
		t.Errorf("the peak is %d by %s", p.Use.Peak, p.Use.PeakSource)
	}
}

// noStats is an engine whose statistics are empty.
type noStats struct{ Engine }

func (noStats) Stats(context.Context, string) (Stats, error) { return Stats{}, nil }

// TestLifecycleLeaksNothing looks at descriptors and goroutines after many
// lifecycles, failed ones included, several at once.
func TestLifecycleLeaksNothing(t *testing.T) {
	e := realEngine(t)
	a := probeImage(t, e)
	batch := func() {
		var all sync.WaitGroup
		for i := range 12 {
			s := probeSpec(t, a)
			if i%3 == 2 {
				s = probeSpec(t, a, "-exit=1")
			}
			all.Go(func() {
				if _, err := Lifecycle(t.Context(), e, s); (err != nil) != (i%3 == 2) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := e.Close(); err != nil { // idle connections are no leak
			t.Error(err)
		}
	}
	batch()
	before := resources(t)
	batch()
	batch()
	waitFor(t, fmt.Sprintf("no more than %v goroutines and descriptors", before), time.Minute, func() bool {
		after := resources(t)
		return after[0] <= before[0] && after[1] <= before[1]
	})
}

// resources counts the goroutines and, on Linux, the descriptors of this process.
func resources(t *testing.T) [2]int {
	t.Helper()
	n := [2]int{runtime.NumGoroutine(), 0}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		n[1] = len(open)
	}
	return n
}
