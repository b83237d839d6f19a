package container

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// TestWatchEngine looks at the real engine during lifecycles, and divides their time.
func TestWatchEngine(t *testing.T) {
	e := realEngine(t)
	if os.Geteuid() != 0 || !e.Info().SharesClock {
		if _, err := WatchEngine(e); err == nil || !strings.Contains(err.Error(), "cannot be seen") {
			t.Errorf("what cannot be seen is refused by %v", err)
		}
		testenv.Missing(t, "local-engine", "only root sees the threads of an engine on the same kernel")
	}
	s := probeSpec(t, probeImage(t, e), "-delay=50ms")
	owner, err := testOwner()
	if err != nil {
		t.Fatal(err)
	}
	r := startRecording(t, e, owner)
	w, err := WatchEngine(e)
	if err != nil {
		t.Fatal(err)
	}
	const n = 4
	phases := make([]Phases, n)
	names := make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		spec := s.withDefaults()
		names[i] = spec.Config.Name
		all.Go(func() {
			var err error
			if phases[i], err = Lifecycle(t.Context(), e, spec); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	work := w.Stop()
	rec, err := r.Stop(testContext(t))
	if err != nil || t.Failed() {
		t.Fatal(err)
	}
	checkWork(t, work)
	for i, p := range phases {
		at := slices.IndexFunc(rec.Containers, func(l Timeline) bool { return l.Name == names[i] })
		if at < 0 {
			t.Fatalf("container %s was not heard of", names[i])
		}
		checkWhere(t, p, Where(p, rec.Containers[at], work))
	}
}

func checkWork(t *testing.T, w EngineWork) {
	t.Helper()
	var programs []string
	for _, p := range w.Parts {
		programs = append(programs, p.Program)
		t.Logf("%+v", p)
		if p.CPU < 0 || p.RunDelay < 0 || p.Processes < 1 || p.Program == "probe" {
			t.Errorf("%+v", p)
		}
	}
	for _, want := range []string{"dockerd", "containerd", "containerd-shim", "runc"} {
		if !slices.Contains(programs, want) {
			t.Errorf("%s was not seen among %q", want, programs)
		}
	}
	if w.Parts[0].CPU < 10*time.Millisecond {
		t.Errorf("the engine made containers in %v of processor time", w.Parts[0].CPU)
	}
	wall := w.Ended.Sub(w.Began)
	t.Logf("%d looks in %v took %v", w.Looks, wall, w.Own)
	if w.Looks < 5 || wall <= 0 {
		t.Errorf("%d looks in %v", w.Looks, wall)
	}
}

func checkWhere(t *testing.T, p Phases, shares []Share) {
	t.Helper()
	sums := map[string]time.Duration{}
	causes := map[Cause]time.Duration{}
	steps := map[string]bool{}
	for _, s := range shares {
		sums[s.Phase] += s.Time
		causes[s.Cause] += s.Time
		steps[s.Phase+" "+s.Step] = true
	}
	t.Logf("%v", causes)
	const rounding = time.Millisecond // of the wall clock against the monotonic one
	for phase, want := range map[string]time.Duration{"create": p.Create, "attach": p.Attach, "start": max(p.Start, p.Ready), "stop": p.Stop, "remove": p.Remove} {
		if got := sums[phase]; (got - want).Abs() > rounding {
			t.Errorf("the shares of %s are %v of %v", phase, got, want)
		}
	}
	for _, step := range []string{"start " + StepPrepare, "start " + StepRuntime, "start " + StepProgram, "stop " + StepTearDown} {
		if !steps[step] {
			t.Errorf("no event marks %s", step)
		}
	}
	if causes[CauseProgram] < 50*time.Millisecond || causes[CauseCPU] <= 0 {
		t.Errorf("the program's 50 ms and the engine's processor time are %v", causes)
	}
}

// TestOtherEnginesPrograms: an engine of another kind may work beside the one that is
// looked at.
func TestOtherEnginesPrograms(t *testing.T) {
	for _, tt := range []struct{ daemon, name, want string }{
		{"dockerd", "conmon", ""}, {"podman", "conmon", "conmon"}, {"dockerd", "fuse-overlayfs", "fuse-overlayfs"},
	} {
		l := &looker{daemon: 10, engine: tt.daemon, known: map[int]*process{}, buffer: make([]byte, 1<<10)}
		if got := l.program(os.Getpid(), tt.name, 1); got != tt.want {
			t.Errorf("%s beside %s is taken for %q", tt.name, tt.daemon, got)
		}
	}
	if storageOf([]byte("fuse-overlayfs\x00-o\x00lowerdir=/var/lib/containers/storage/overlay/l/A")) != "podman" || storageOf([]byte("fuse-overlayfs\x00-o\x00lowerdir=/var/lib/docker/fuse-overlayfs/a/diff")) != "" {
		t.Error("whose layers a file system stacks is not told apart")
	}
}

// TestWatchOtherEngine: an engine elsewhere cannot be looked at.
func TestWatchOtherEngine(t *testing.T) {
	if _, err := WatchEngine(elsewhere{}); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// elsewhere is an engine under another kernel.
type elsewhere struct{ Engine }

func (elsewhere) Info() Info { return Info{Endpoint: "tcp://192.0.2.1:2376"} }
