package container

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestEngineStops ends an engine in the middle of many lifecycles, as a machine's
// administrator does and as the kernel does. All of them end and say so; once the engine
// is there again, what they left is removed, and the connection from before works.
func TestEngineStops(t *testing.T) {
	t.Parallel()
	n := 12
	if os.Getenv("PERF_LONG") != "" {
		n = 100
	}
	for name, sig := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGKILL": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rush.Lock()
			defer rush.Unlock()
			p := newPrivateEngine(t)
			e := p.start(t)
			owner := newOwner(t, "stops")
			a := ownedProbe(t, e, owner)
			s := Spec{Config: Config{Image: a.Name, Network: "none", Labels: owner.Labels(), Args: []string{"-silent"}}, Timeout: time.Minute} // never through before the engine stops
			errs := make(chan error, n)
			var all sync.WaitGroup
			for range n {
				all.Go(func() {
					_, err := Lifecycle(t.Context(), e, s)
					errs <- err
				})
			}
			waitFor(t, "the first containers", time.Minute, func() bool { return len(left(t, e, owner)) > n/2 })
			p.stop(t, sig)
			all.Wait() // each is bound by its own timeout
			close(errs)
			broken := 0
			for err := range errs {
				var failed *LifecycleError
				switch {
				case err == nil: // it was through before
				case !errors.As(err, &failed):
					t.Errorf("%v", err)
				default:
					broken++
				}
			}
			if broken == 0 {
				t.Error("the engine stopped in the middle, and nobody noticed")
			}
			p.endContainerd(t) // a new engine that meets it dying waits for it in vain
			again := p.start(t)
			if _, err := RemoveRun(testContext(t), again, Attribution{Owner: owner}); err != nil {
				t.Error(err)
			}
			if list := left(t, again, owner); len(list) > 0 {
				t.Errorf("%d left, such as %v", len(list), list[0])
			}
			s.Config.Image, s.Config.Args, s.Archive = "", nil, &a
			if _, err := Lifecycle(t.Context(), e, s); err != nil {
				t.Errorf("the connection from before the restart: %v", err)
			}
		})
	}
}

// ownedProbe gives an engine the probe under an owner's name.
func ownedProbe(t *testing.T, e Engine, o Owner) Archive {
	t.Helper()
	program, err := probeBinary()
	if err != nil {
		t.Fatal(err)
	}
	a, err := ImageSpec{Program: program, Path: "/probe", OS: "linux", Arch: e.Info().Arch, Labels: o.Labels(), Name: o.Image("probe")}.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := EnsureImage(t.Context(), e, a); err != nil {
		t.Fatal(err)
	}
	return a
}
