package container

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

func openRun(t testing.TB, engine Engine, id string) *Run {
	t.Helper()
	r, err := OpenRun(t.Context(), engine, settingsOfEnvironment(), id)
	if err != nil {
		t.Fatal(err)
	}
	if r.Janitor == nil || r.NoJanitor != nil {
		t.Fatalf("no janitor: %v", r.NoJanitor)
	}
	return r
}

func janitorThere(r *Run) bool {
	_, exists := thisHost().process(r.Janitor.PID)
	return exists
}

func TestRunRegular(t *testing.T) {
	engine := realEngine(t)
	r := openRun(t, engine, "regular")
	m := makeFor(t, engine, r.Owner)
	swept, err := r.Close(t.Context(), true)
	if err != nil || len(swept.Removed) != 2 || len(swept.Left) > 0 {
		t.Errorf("%+v, %v", swept, err)
	}
	if container, image := m.there(t, engine); container || image {
		t.Errorf("container %v, image %v are left", container, image)
	}
	if janitorThere(r) {
		t.Error("the janitor is still there")
	}
}

// TestRunCancelled gives up in the middle of 30 creations, as Ctrl-C makes a run do.
// What the engine creates afterwards is the janitor's.
func TestRunCancelled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a janitor waits for 10 s before it leaves")
	}
	engine := realEngine(t)
	r := openRun(t, engine, "cancelled")
	makeFor(t, engine, r.Owner)
	rush.Lock()
	defer rush.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, 30)
	for i := range errs {
		wg.Go(func() {
			var id string
			id, errs[i] = engine.Create(ctx, Config{Image: r.Owner.Image("probe"), Labels: r.Owner.Labels(), Network: "none"})
			if errs[i] == nil {
				errs[i] = engine.Start(ctx, id)
			}
		})
	}
	waitFor(t, "the first containers", janitorStart, func() bool { return len(left(t, engine, r.Owner)) > 5 })
	cancel()
	wg.Wait()
	if !errors.Is(errors.Join(errs...), context.Canceled) {
		t.Fatal("nothing was given up, so that nothing is tested")
	}
	if _, err := r.Close(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if !janitorThere(r) {
		t.Fatal("the janitor does not wait for what is still to come")
	}
	waitFor(t, "the end of the janitor", JanitorLimit, func() bool { return !janitorThere(r) })
	if list := left(t, engine, r.Owner); len(list) > 0 {
		t.Errorf("%d left, such as %v", len(list), list[0])
	}
}

// TestRunWithoutJanitor goes on, and says why there is none.
func TestRunWithoutJanitor(t *testing.T) {
	engine := realEngine(t)
	janitorPrepared.Store(false)
	r, err := OpenRun(t.Context(), engine, settingsOfEnvironment(), "none")
	janitorPrepared.Store(true)
	if err != nil || r.Janitor != nil || r.NoJanitor == nil || !strings.Contains(r.NoJanitor.Error(), "JanitorMain") {
		t.Fatalf("%+v, %v", r, err)
	}
	m := makeFor(t, engine, r.Owner)
	if _, err := r.Close(t.Context(), true); err != nil {
		t.Error(err)
	}
	if container, image := m.there(t, engine); container || image {
		t.Errorf("container %v, image %v are left", container, image)
	}
}
