package container

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

// TestEngineOneContainer follows one container by hand through all calls, and
// compares what the engine's events say of it.
func TestEngineOneContainer(t *testing.T) {
	e := realEngine(t)
	a := probeImage(t, e)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	following, stop := context.WithCancel(ctx)
	defer stop()
	events, err := e.Events(following, EventFilter{Labels: []string{testLabel}})
	if err != nil {
		t.Fatal(err)
	}
	const name = "clnrm-perf-test-one"
	id, err := e.Create(ctx, Config{Name: name, Image: a.Name, Labels: containerLabels(t), Network: "none", Args: []string{"-say=hello", "-memory=16"}})
	if err != nil {
		t.Fatal(err)
	}
	removed := false
	defer func() {
		if !removed {
			e.Remove(context.Background(), id)
		}
	}()
	var stdout, stderr bytes.Buffer
	ready := make(chan struct{})
	attachment, err := e.Attach(ctx, id, writer(func(b []byte) (int, error) {
		defer close(ready)
		return stdout.Write(b)
	}), &stderr)
	if err != nil {
		t.Fatal(err)
	}
	created, err := e.Container(ctx, name)
	if err != nil || created.ID != id || created.Name != name || created.State != StateCreated || created.PID != 0 || !created.StartedAt.IsZero() {
		t.Errorf("created: %+v, %v", created, err)
	}
	if s, err := e.Stats(ctx, id); err != nil || s.HasMemory || s.HasCPU || s.HasPeak {
		t.Errorf("what does not run has statistics: %+v, %v", s, err)
	}
	if err := e.Start(ctx, id); err != nil {
		t.Fatal(err)
	}
	<-ready
	running, err := e.Container(ctx, id)
	if err != nil || running.State != StateRunning || running.PID == 0 || running.StartedAt.IsZero() || running.Labels[ContentLabel] != a.Content {
		t.Errorf("running: %+v, %v", running, err)
	}
	if s, err := e.Stats(ctx, id); err != nil || !s.HasMemory || s.Memory < 16<<20 || !s.HasCPU {
		t.Errorf("statistics: %+v, %v", s, err)
	}
	list, err := e.Containers(ctx, testLabel)
	if err != nil || len(list) != 1 || list[0].ID != id || list[0].Name != name || list[0].State != StateRunning || list[0].Labels[ContentLabel] != a.Content {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if err := e.RemoveImage(ctx, running.Image); !errors.Is(err, ErrConflict) {
		t.Errorf("removing the image of a running container: %v", err)
	}
	if err := e.Stop(ctx, id, 5*time.Second); err != nil {
		t.Error(err)
	}
	if code, err := e.Wait(ctx, id); err != nil || code != 0 {
		t.Errorf("exit status %d, %v", code, err)
	}
	<-attachment.Done()
	if attachment.Err() != nil || !strings.HasPrefix(stdout.String(), "READY main=") || stderr.String() != "hello\n" {
		t.Errorf("stdout %q, stderr %q, %v", stdout.String(), stderr.String(), attachment.Err())
	}
	if ended, err := e.Container(ctx, id); err != nil || ended.State != StateExited || ended.FinishedAt.Before(ended.StartedAt) {
		t.Errorf("ended: %+v, %v", ended, err)
	}
	if err := e.Remove(ctx, id); err != nil {
		t.Error(err)
	}
	removed = true
	checkGone(t, e, id)
	checkEvents(t, e, events, stop, Event{ID: id, Name: name, Image: a.Name})
}

func checkGone(t *testing.T, e Engine, id string) {
	t.Helper()
	ctx := t.Context()
	_, inspect := e.Container(ctx, id)
	_, wait := e.Wait(ctx, id)
	_, attach := e.Attach(ctx, id, io.Discard, io.Discard)
	for name, err := range map[string]error{"Container": inspect, "Wait": wait, "Start": e.Start(ctx, id),
		"Stop": e.Stop(ctx, id, time.Second), "Remove": e.Remove(ctx, id)} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of a container that is gone: %v", name, err)
		}
	}
	if attach == nil {
		t.Error("a container that is gone can be attached to")
	}
}

// checkEvents reads events until the container's destruction, ends the stream and
// sees that it ends without an error.
func checkEvents(t *testing.T, e Engine, s *EventStream, stop func(), want Event) {
	t.Helper()
	var actions []string
	var last time.Time
	for event := range s.C {
		if event.ID != want.ID || event.Name != want.Name || event.Image != want.Image || event.Time.Before(last) {
			t.Errorf("%+v is not of %s, or is out of order", event, want.Name)
		}
		last = event.Time
		actions = append(actions, event.Action)
		if event.Action == "die" && event.Attributes["exitCode"] != "0" {
			t.Errorf("it died with %q", event.Attributes["exitCode"])
		}
		if event.Action == "destroy" {
			stop()
		}
	}
	if s.Err() != nil {
		t.Errorf("ended by its context, the stream has failed: %v", s.Err())
	}
	if e.Info().Product != "Docker" {
		return // Podman has other names for them
	}
	for _, action := range []string{"create", "start", "kill", "die", "stop", "destroy"} {
		if !slices.Contains(actions, action) {
			t.Errorf("the events %q lack %q", actions, action)
		}
	}
}

func TestAttachmentClose(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	id, err := e.Create(t.Context(), Config{Image: probeImage(t, e).Name, Labels: containerLabels(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Remove(context.Background(), id)
	a, err := e.Attach(t.Context(), id, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil || a.Err() != nil {
		t.Errorf("closing: %v, %v", err, a.Err())
	}
	if err := a.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if a, err = e.Attach(ctx, id, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-a.Done()
	if !errors.Is(a.Err(), context.Canceled) {
		t.Errorf("its context has ended, and it says %v", a.Err())
	}
}

func TestAccounting(t *testing.T) {
	at := time.Unix(1, 0)
	stats := func(change func(*container.StatsResponse)) container.StatsResponse {
		s := container.StatsResponse{Read: at}
		change(&s)
		return s
	}
	tests := []struct {
		name    string
		in      container.StatsResponse
		windows bool
		want    Stats
	}{
		{"not running", container.StatsResponse{}, false, Stats{}},
		{"v1", stats(func(s *container.StatsResponse) {
			s.CPUStats.CPUUsage.TotalUsage = 7
			s.MemoryStats.Usage, s.MemoryStats.MaxUsage = 100, 150
			s.MemoryStats.Stats = map[string]uint64{"inactive_file": 1, "total_inactive_file": 30}
		}), false, Stats{Time: at, CPU: 7, HasCPU: true, Memory: 70, HasMemory: true, Peak: 150, HasPeak: true}},
		{"v2 has no peak", stats(func(s *container.StatsResponse) {
			s.CPUStats.CPUUsage.TotalUsage = 7
			s.MemoryStats.Usage = 100
			s.MemoryStats.Stats = map[string]uint64{"inactive_file": 30}
		}), false, Stats{Time: at, CPU: 7, HasCPU: true, Memory: 70, HasMemory: true}},
		{"no accounting of memory", stats(func(s *container.StatsResponse) { s.CPUStats.CPUUsage.TotalUsage = 7 }), false,
			Stats{Time: at, CPU: 7, HasCPU: true}},
		{"Windows", stats(func(s *container.StatsResponse) {
			s.CPUStats.CPUUsage.TotalUsage = 7
			s.MemoryStats.PrivateWorkingSet = 9
		}), true, Stats{Time: at, CPU: 700, HasCPU: true, Memory: 9, HasMemory: true}},
	}
	for _, tt := range tests {
		if got := accounting(tt.in, tt.windows); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
