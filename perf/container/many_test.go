package container

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// TestManyLifecycles runs a hundred lifecycles at once and a thousand one after the
// other, and looks for what they leave on the engine and in this process, and for what a
// recording of them misses. It takes minutes: PERF_LONG asks for it.
func TestManyLifecycles(t *testing.T) {
	if os.Getenv("PERF_LONG") == "" {
		t.Skip("takes minutes: set PERF_LONG=1")
	}
	e := realEngine(t)
	a := probeImage(t, e)
	// The first ones make what stays: connections, and the threads that wait for them.
	lifecyclesAtOnce(t, e, a, 4, 8)
	before, things := resources(t), inventory(t)
	owner, err := testOwner()
	if err != nil {
		t.Fatal(err)
	}
	r := startRecording(t, e, owner)
	var ids []string
	for _, tt := range []struct{ atOnce, all int }{{100, 100}, {1, 1000}} {
		began := time.Now()
		ids = append(ids, lifecyclesAtOnce(t, e, a, tt.atOnce, tt.all)...)
		t.Logf("%d lifecycles, %d at once: %.2f/s", tt.all, tt.atOnce, float64(tt.all)/time.Since(began).Seconds())
		leftBehind(t, e)
	}
	rec, err := r.Stop(t.Context())
	if err != nil || len(rec.Lost) > 0 {
		t.Errorf("%v, lost %q", err, rec.Lost)
	}
	checkShort(t, rec, ids)
	if err := e.Close(); err != nil { // idle connections are no leak
		t.Error(err)
	}
	waitFor(t, fmt.Sprintf("no more than %v goroutines and descriptors", before), time.Minute, func() bool {
		after := resources(t)
		return after[0] <= before[0] && after[1] <= before[1]
	})
	for kind, after := range inventory(t) {
		for _, id := range after {
			if !slices.Contains(things[kind], id) {
				t.Errorf("%s %s was not there before", kind, id)
			}
		}
	}
}

// lifecyclesAtOnce runs a number of lifecycles, and keeps some of them going. It returns
// the ids of their containers.
func lifecyclesAtOnce(t *testing.T, e Engine, a Archive, atOnce, all int) []string {
	t.Helper()
	s := probeSpec(t, a)
	// The host's network is the fastest, and those of the engine's own are as many.
	networks := []string{"host", "host", "none", "host"}
	s.ReadyTimeout, s.Grace = 3*time.Minute, time.Minute
	next := make(chan int, all)
	for i := range all {
		next <- i
	}
	close(next)
	ids := make([]string, all)
	var wait sync.WaitGroup
	for range atOnce {
		wait.Go(func() {
			for i := range next {
				spec := s
				spec.Config.Network = networks[i%len(networks)]
				p, err := Lifecycle(t.Context(), e, spec)
				if err != nil || p.Killed {
					t.Errorf("lifecycle %d: %+v, %v", i, p, err)
				}
				ids[i] = p.ID
			}
		})
	}
	wait.Wait()
	return ids
}

// inventory lists what an engine can be left with besides containers.
func inventory(t *testing.T) map[string][]string {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	found := map[string][]string{}
	networks, err := c.NetworkList(t.Context(), network.ListOptions{})
	for _, n := range networks {
		found["network"] = append(found["network"], n.ID)
	}
	volumes, err2 := c.VolumeList(t.Context(), volume.ListOptions{})
	for _, v := range volumes.Volumes {
		found["volume"] = append(found["volume"], v.Name)
	}
	images, err3 := c.ImageList(t.Context(), image.ListOptions{All: true})
	for _, i := range images {
		found["image"] = append(found["image"], i.ID)
	}
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestLifecycleFloods fills the log of a container as fast as the engine takes it.
func TestLifecycleFloods(t *testing.T) {
	e := realEngine(t)
	s := probeSpec(t, probeImage(t, e), "-flood")
	s.ReadyTimeout = 2 * time.Minute
	s.Ready = Ready{Kind: ReadyLog, Pattern: regexp.MustCompile("^flood")} // it is in the middle of it
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := Lifecycle(t.Context(), e, s)
	if err != nil || p.Killed || p.ExitCode != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	s.Ready, s.Marker, s.ReadyTimeout = Ready{}, "never", 3*time.Second
	_, err = Lifecycle(t.Context(), e, s)
	var failed *LifecycleError
	if !errors.As(err, &failed) || failed.Phase != "ready" || failed.LeftBehind != nil || len(failed.Tail) > tailLines {
		t.Errorf("%v", err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc+32<<20 {
		t.Errorf("what it has written is kept: %d MB", (after.HeapAlloc-before.HeapAlloc)>>20)
	}
}
