package container

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// runShort creates, starts, waits for and removes n containers that end by themselves,
// some at once, and returns their ids.
func runShort(t testing.TB, engine Engine, o Owner, n int) []string {
	t.Helper()
	var mu sync.Mutex
	var ids []string
	next := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range next {
				id, err := shortOne(t.Context(), engine, o, fmt.Sprintf("%s-%d-%d", o.Run, o.PID, i))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return ids
}

func shortOne(ctx context.Context, engine Engine, o Owner, name string) (string, error) {
	id, err := engine.Create(ctx, Config{Name: name, Image: o.Image("probe"), Args: []string{"-exit=0"}, Labels: o.Labels(), Network: "host"})
	if err != nil {
		return id, err
	}
	if err := engine.Start(ctx, id); err != nil {
		return id, err
	}
	if _, err := engine.Wait(ctx, id); err != nil {
		return id, err
	}
	return id, engine.Remove(ctx, id)
}

// startRecording begins to record for an owner whose probe image it makes.
func startRecording(t testing.TB, engine Engine, o Owner) *Recorder {
	t.Helper()
	r, err := StartRecorder(t.Context(), engine, Attribution{Owner: o}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkShort wants each container to be there once, with all phases in their order.
func checkShort(t testing.TB, rec Recording, ids []string) {
	t.Helper()
	byID := map[string]Timeline{}
	for _, l := range rec.Containers {
		if _, twice := byID[l.ID]; twice {
			t.Errorf("%s is there twice", l.ID)
		}
		byID[l.ID] = l
	}
	for _, id := range ids {
		l, ok := byID[id]
		if !ok {
			t.Errorf("container %s was missed", id)
			continue
		}
		moments := []time.Time{l.Create, l.Start, l.Die, l.Destroy}
		for i, m := range moments {
			// The end of a short program can be told before its start is.
			if m.IsZero() || i > 0 && i != 2 && m.Before(moments[i-1]) {
				t.Errorf("%s: create, start, die, destroy at %v", l.Name, moments)
				break
			}
		}
		seen := map[eventKey]bool{}
		for _, e := range l.Events {
			if seen[keyOf(e)] {
				t.Errorf("%s: %s is there twice", l.Name, e.Action)
			}
			seen[keyOf(e)] = true
		}
		if l.ExitCode != 0 || l.Evidence != ByLabel || l.Image == "" {
			t.Errorf("%s: %s, image %q, exit status %d", l.Name, l.Evidence, l.Image, l.ExitCode)
		}
	}
	if len(rec.Containers) != len(ids) {
		t.Errorf("%d containers recorded, %d made", len(rec.Containers), len(ids))
	}
}

func manyShort() int {
	switch {
	case testing.Short():
		return 20
	case os.Getenv("PERF_LONG") != "":
		return 300
	}
	return 120
}

// TestRecorderMissesNothing records many short containers twice: by a connection that
// holds, and by one whose stream of events is broken off again and again. Both see the
// same containers, as making them is what takes long. [TestManyLifecycles] records, too:
// eleven hundred containers.
func TestRecorderMissesNothing(t *testing.T) {
	t.Parallel()
	engine := realEngine(t)
	o := newOwner(t, "many")
	makeFor(t, engine, o) // before the recording: not part of it
	whole := startRecording(t, engine, o)
	broken := startBroken(t, engine, o)
	ids := runShort(t, engine, o, manyShort())
	cuts := broken.stopCutting()
	check := func(t *testing.T, r *Recorder) {
		rec, err := r.Stop(t.Context())
		if err != nil || len(rec.Lost) > 0 {
			t.Errorf("%v, lost %q", err, rec.Lost)
		}
		checkShort(t, rec, ids)
	}
	check(t, whole)
	t.Run("broken streams", func(t *testing.T) {
		if broken.why != "" && testing.Short() {
			t.Skip(broken.why)
		}
		if broken.why != "" {
			testenv.Missing(t, "local-engine", broken.why)
		}
		if cuts < 5 {
			t.Errorf("the stream was cut %d times only", cuts)
		}
		check(t, broken.Recorder)
	})
}

// A brokenRecorder records by a connection whose streams break off again and again.
type brokenRecorder struct {
	*Recorder
	why  string // there is none
	stop chan struct{}
	cuts chan int
}

// startBroken begins to record, and to cut.
func startBroken(t *testing.T, direct Engine, o Owner) brokenRecorder {
	t.Helper()
	socket, ok := strings.CutPrefix(direct.Info().Endpoint, "unix://")
	switch {
	case testing.Short():
		return brokenRecorder{why: "takes 100 containers"}
	case !ok:
		return brokenRecorder{why: "the engine does not listen at a socket, which this test stands in front of"}
	}
	cutter := startCutter(t, socket)
	engine, err := Connect(t.Context(), Settings{Host: "unix://" + cutter.path, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	b := brokenRecorder{Recorder: startRecording(t, engine, o), stop: make(chan struct{}), cuts: make(chan int, 1)}
	go func() { b.cuts <- cutter.cutUntil(b.stop) }()
	return b
}

// stopCutting returns how many streams were cut.
func (b brokenRecorder) stopCutting() int {
	if b.Recorder == nil {
		return 0
	}
	close(b.stop)
	return <-b.cuts
}

// A cutter passes on what clients ask of an engine, and breaks streams of events off.
type cutter struct {
	path    string
	mu      sync.Mutex
	streams []net.Conn
}

func startCutter(t testing.TB, socket string) *cutter {
	t.Helper()
	c := &cutter{path: filepath.Join(t.TempDir(), "s")}
	l, err := net.Listen("unix", c.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(conn, socket)
		}
	}()
	return c
}

// pass copies both ways; a request for events begins with its first bytes.
func (c *cutter) pass(conn net.Conn, socket string) {
	defer conn.Close()
	engine, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer engine.Close()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := conn.Read(buf)
			if bytes.Contains(buf[:n], []byte("/events?")) && !bytes.Contains(buf[:n], []byte("until=")) {
				c.mu.Lock()
				c.streams = append(c.streams, conn)
				c.mu.Unlock()
			}
			if _, werr := engine.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	_, _ = io.Copy(conn, engine)
}

func (c *cutter) cut() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.streams)
	for _, s := range c.streams {
		s.Close()
	}
	c.streams = nil
	return n
}

// cutUntil cuts again and again until stop is closed, and returns how many streams.
func (c *cutter) cutUntil(stop <-chan struct{}) (n int) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return n
		case <-tick.C:
			n += c.cut()
		}
	}
}

// TestRecorderForgotten has more happen while the stream is broken than the engine
// keeps: that must be said.
func TestRecorderForgotten(t *testing.T) {
	r := &Recorder{began: time.Unix(100, 0), seen: map[eventKey]bool{}, tracks: map[string]*track{}}
	at := func(s int64, action string) Event { return Event{Time: time.Unix(s, 0), Action: action, ID: "c"} }
	r.read(streamOf(at(99, "create"), at(101, "create")), false)
	r.read(streamOf(at(101, "create"), at(102, "start")), true)
	if len(r.lost) > 0 {
		t.Errorf("nothing is missing, and yet %q", r.lost)
	}
	r.read(streamOf(at(110, "die")), true)
	if len(r.lost) != 1 || !strings.Contains(r.lost[0], "may be missing") {
		t.Errorf("lost: %q", r.lost)
	}
	if got := len(r.tracks["c"].events); got != 3 {
		t.Errorf("%d events: %v", got, r.tracks["c"].events)
	}
}

func streamOf(list ...Event) *EventStream {
	c := make(chan Event, len(list))
	for _, e := range list {
		c <- e
	}
	close(c)
	return &EventStream{C: c}
}

// TestRecorderAttribution tells the run's containers from those that somebody else
// creates at the same time.
func TestRecorderAttribution(t *testing.T) {
	engine := realEngine(t)
	o := newOwner(t, "attribution")
	m := makeFor(t, engine, o) // of the run, but not while it was recorded
	image, err := engine.Image(t.Context(), m.image)
	if err != nil {
		t.Fatal(err)
	}
	create := func(ref string, labels map[string]string) string {
		t.Helper()
		id, err := engine.Create(t.Context(), Config{Image: ref, Labels: labels, Network: "none"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = engine.Remove(testContext(t), id) })
		return id
	}
	shared := map[string]string{labelManagedBy: "testcontainers"}
	session := map[string]string{labelManagedBy: "testcontainers", labelSession: "ours"}
	before := create(image.ID, shared)

	r, err := StartRecorder(t.Context(), engine, Attribution{Owner: o, Sessions: []string{"ours"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	byLabel := create(image.ID, o.Labels())
	byImage := create(m.image, shared)
	bySession := create(image.ID, session)
	claimed := create(image.ID, shared)
	theirs := create(image.ID, shared)
	unrelated := create(image.ID, nil)
	if err := engine.Start(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if err := r.Claim(claimed); err != nil {
		t.Fatal(err)
	}
	rec, err := r.Stop(t.Context())
	if err != nil || len(rec.Lost) > 0 {
		t.Errorf("%v, lost %q", err, rec.Lost)
	}
	want := map[string]Evidence{byLabel: ByLabel, byImage: ByImage, bySession: BySession, claimed: Claimed}
	for _, l := range rec.Containers {
		if want[l.ID] != l.Evidence {
			t.Errorf("%s is the run's because %q, want %q", l.Name, l.Evidence, want[l.ID])
		}
		delete(want, l.ID)
	}
	for id, e := range want {
		t.Errorf("%s was not attributed, although %s", id, e)
	}
	if len(rec.Doubtful) < 1 {
		t.Error("nothing is doubtful")
	}
	for _, l := range rec.Doubtful {
		if l.ID == before || l.ID == unrelated {
			t.Errorf("%s is doubtful: %+v", l.Name, l)
		}
	}

	swept, err := r.RemoveCreated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkLeft(t, swept.Left, theirs, "perhaps by it", true)
	for _, id := range []string{byLabel, byImage, bySession, claimed} {
		if _, err := engine.Container(t.Context(), id); err == nil {
			t.Errorf("%s is left", id)
		}
	}
	for _, id := range []string{before, theirs, unrelated, m.container} {
		if _, err := engine.Container(t.Context(), id); err != nil {
			t.Errorf("it was not for us to remove: %v", err)
		}
	}
}

// TestTimeline sorts the events that an engine sends of a container with a program
// that was run besides, and that was killed.
func TestTimeline(t *testing.T) {
	base := time.Unix(1000, 0)
	at := func(ms int, action string, attributes ...string) Event {
		a := map[string]string{}
		for i := 0; i+1 < len(attributes); i += 2 {
			a[attributes[i]] = attributes[i+1]
		}
		return Event{Time: base.Add(time.Duration(ms) * time.Millisecond), Action: action, ID: "c", Attributes: a}
	}
	tr := track{name: "n", image: "i", labels: map[string]string{"k": "v"}, events: []Event{
		at(0, "create"), at(5, ActionConnect), at(9, "start"), // in the order of arrival
		at(10, "exec_create: sh -c echo: x", "execID", "e1"), at(11, "exec_start: sh -c echo: x", "execID", "e1"),
		at(30, "kill", "signal", "15"), at(20, "exec_die", "execID", "e1", "exitCode", "3"),
		at(40, "kill", "signal", "9"), at(41, "die", "exitCode", "137"), at(42, ActionDisconnect), at(43, "stop"), at(50, "destroy"),
	}}
	l := tr.timeline("c")
	ms := func(t time.Time) int { return int(t.Sub(base) / time.Millisecond) }
	got := []int{ms(l.Create), ms(l.Connect), ms(l.Start), ms(l.Kill), ms(l.Die), ms(l.Stop), ms(l.Destroy)}
	if fmt.Sprint(got) != "[0 5 9 30 41 43 50]" {
		t.Errorf("create, connect, start, kill, die, stop, destroy at %v", got)
	}
	if l.KillSignal != "15" || l.ExitCode != 137 || l.Labels["k"] != "v" || l.Name != "n" {
		t.Errorf("%+v", l)
	}
	if len(l.Execs) != 1 || l.Execs[0].Command != "sh -c echo: x" || l.Execs[0].ExitCode != 3 ||
		ms(l.Execs[0].Create) != 10 || ms(l.Execs[0].Start) != 11 || ms(l.Execs[0].Die) != 20 {
		t.Errorf("%+v", l.Execs)
	}
	if ms(l.Events[5].Time) != 20 {
		t.Errorf("not in the order of time: %v", l.Events)
	}
}
