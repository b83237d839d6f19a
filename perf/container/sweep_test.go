package container

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// ownHost is a host that only this process believes to be on. Other sweeps of this
// machine, which may run at any time, leave its owners alone; deadly would be an owner
// of the real host whose process has ended.
func ownHost() hostView {
	h := thisHost()
	h.id, h.boot = identity(testLabel), identity(testLabel+" boot")
	return h
}

// endedProcess is the owner that a process was before it ended.
func endedProcess(t testing.TB) Owner {
	t.Helper()
	r := startRun(t, runConfig{})
	_ = r.in.Close()
	if err := r.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return r.owner
}

// made is what a test has made for an owner.
type made struct {
	container, image string
}

// makeFor loads the probe by the owner's name and creates a container from it.
func makeFor(t testing.TB, engine Engine, o Owner) made {
	t.Helper()
	program, err := probeBinary()
	if err != nil {
		t.Fatal(err)
	}
	// Shared by the owners of this process, and by nobody else's.
	labels := bareLabels()
	labels[LabelTool] = ToolName
	archive, err := ImageSpec{Program: program, Path: "/probe", OS: "linux", Arch: engine.Info().Arch,
		Labels: labels, Name: o.Image("probe")}.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := EnsureImage(t.Context(), engine, archive); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeRunOf(t, engine, o) })
	id, err := engine.Create(t.Context(), Config{Image: archive.Name, Labels: o.Labels(), Network: "none"})
	if err != nil {
		t.Fatal(err)
	}
	return made{id, archive.Name}
}

func removeRunOf(t testing.TB, engine Engine, o Owner) {
	t.Helper()
	swept, err := RemoveRun(testContext(t), engine, Attribution{Owner: o})
	if err != nil {
		t.Error(err)
	}
	for _, l := range swept.Left {
		t.Errorf("left: %v", l)
	}
}

// there reports whether the engine has the container and the image's name.
func (m made) there(t testing.TB, engine Engine) (container, image bool) {
	t.Helper()
	_, containerErr := engine.Container(t.Context(), m.container)
	_, imageErr := engine.Image(t.Context(), m.image)
	return containerErr == nil, imageErr == nil
}

func TestSweep(t *testing.T) {
	engine := realEngine(t)
	here := ownHost()
	on := func(o Owner, run string) Owner { o.Host, o.Boot, o.Run = here.id, here.boot, run; return o }
	self, dead, second := here.owner("self"), on(endedProcess(t), "dead"), on(startRun(t, runConfig{}).owner, "second")
	other := on(dead, "other")
	other.Host, other.Boot = "ffffffffffff", "eeeeeeeeeeee"
	restarted := on(dead, "restarted")
	restarted.Boot, restarted.Began = "eeeeeeeeeeee", time.Unix(1e9, 0)

	mine := map[string]made{}
	for _, o := range []Owner{self, dead, second, other, restarted} {
		mine[o.Run] = makeFor(t, engine, o)
	}
	running := mine["dead"].container
	if err := engine.Start(t.Context(), running); err != nil {
		t.Fatal(err)
	}
	shared, err := engine.Image(t.Context(), self.Image("probe"))
	if err != nil {
		t.Fatal(err)
	}
	unreadable, err := engine.Create(t.Context(), Config{Image: shared.ID, Network: "none",
		Labels: map[string]string{LabelTool: ToolName, LabelOwner: "o2_of_a_later_version"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Remove(testContext(t), unreadable) })

	swept, err := here.sweep(t.Context(), engine, self)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Owner{dead, restarted} {
		if container, image := mine[o.Run].there(t, engine); container || image {
			t.Errorf("%s: container %v, image %v are still there; the sweep: %+v", o.Run, container, image, swept)
		}
	}
	for _, o := range []Owner{self, second, other} {
		if container, image := mine[o.Run].there(t, engine); !container || !image {
			t.Errorf("%s: container %v, image %v are there; it was not for us to remove them", o.Run, container, image)
		}
	}
	checkLeft(t, swept.Left, mine[second.Run].container, "runs", false)
	checkLeft(t, swept.Left, mine[second.Run].image, "runs", false)
	checkLeft(t, swept.Left, mine[other.Run].container, "another host", true)
	checkLeft(t, swept.Left, mine[other.Run].image, "another host", true)
	for _, l := range append(swept.Removed, swept.Left...) {
		if l.ID == mine[self.Run].container || l.Name == mine[self.Run].image {
			t.Errorf("what is our own is reported: %v", l)
		}
	}
	if got := len(swept.Removed); got != 4 {
		t.Errorf("%d removed, want two containers and two names: %v", got, swept.Removed)
	}
	checkLeft(t, swept.Left, unreadable, "does not say which run", true)
}

// checkLeft looks for something by its id or name among what was left.
func checkLeft(t *testing.T, list []Leftover, ref, reason string, remedy bool) {
	t.Helper()
	i := slices.IndexFunc(list, func(l Leftover) bool { return l.ID == ref || l.Name == ref })
	if i < 0 {
		t.Errorf("%s is not reported as left", ref)
		return
	}
	l := list[i]
	if !strings.Contains(l.Reason, reason) || !strings.Contains(l.String(), l.Reason) {
		t.Errorf("%v: the reason is to contain %q", l, reason)
	}
	if (l.Remedy != "") != remedy {
		t.Errorf("%v: remedy %q", l, l.Remedy)
	}
}

// TestFindMarkedByImage has a container that only its image's name gives away, as a
// subject makes them that was told which image to use.
func TestFindMarkedByImage(t *testing.T) {
	engine := realEngine(t)
	o := newOwner(t, "byimage")
	m := makeFor(t, engine, o)
	bare, err := engine.Create(t.Context(), Config{Image: m.image, Labels: bareLabels(), Network: "none"})
	if err != nil {
		t.Fatal(err)
	}
	found, err := findMarked(t.Context(), engine)
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Remove(t.Context(), bare); err != nil {
		t.Error(err)
	}
	if !slices.ContainsFunc(found, func(m mark) bool { return m.ID == bare && m.known && m.owner.same(o) }) {
		t.Errorf("%s is not among %v", bare, found)
	}
}

func TestRemoveRun(t *testing.T) {
	engine := realEngine(t)
	one, two := newOwner(t, "one"), newOwner(t, "two")
	ours, theirs := makeFor(t, engine, one), makeFor(t, engine, two)
	bare, err := engine.Create(t.Context(), Config{Image: theirs.image, Labels: bareLabels(), Network: "none"})
	if err != nil {
		t.Fatal(err)
	}
	swept, err := RemoveRun(t.Context(), engine, Attribution{Owner: one}, bare)
	if err != nil || len(swept.Left) > 0 {
		t.Errorf("%v, left %v", err, swept.Left)
	}
	if container, image := ours.there(t, engine); container || image {
		t.Errorf("ours: container %v, image %v", container, image)
	}
	if container, image := theirs.there(t, engine); !container || !image {
		t.Errorf("theirs, of the same image: container %v, image %v", container, image)
	}
	if _, err := engine.Container(t.Context(), bare); err == nil {
		t.Error("a container that was claimed is left")
	}
	if got := len(swept.Removed); got != 3 {
		t.Errorf("removed %d: %v", got, swept.Removed)
	}
	again, err := RemoveRun(t.Context(), engine, Attribution{Owner: one})
	if err != nil || len(again.Removed)+len(again.Left) > 0 {
		t.Errorf("a second time: %+v, %v", again, err)
	}
}

// TestRemoveRunForgottenName has a container that only its image's name gives away, and
// that name is gone: the engine created it for a client that was killed, after the
// janitor's first look.
func TestRemoveRunForgottenName(t *testing.T) {
	engine := realEngine(t)
	o, other := newOwner(t, "forgotten"), newOwner(t, "keeps")
	m := makeFor(t, engine, other)
	if err := engine.TagImage(t.Context(), m.image, o.Image("alias")); err != nil {
		t.Fatal(err)
	}
	bare, err := engine.Create(t.Context(), Config{Image: o.Image("alias"), Network: "none"})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.RemoveImage(t.Context(), o.Image("alias")); err != nil {
		t.Fatal(err)
	}
	if swept, err := RemoveRun(t.Context(), engine, Attribution{Owner: o}); err != nil || len(swept.Removed) != 1 {
		t.Errorf("%+v, %v", swept, err)
	}
	if _, err := engine.Container(t.Context(), bare); !errors.Is(err, ErrNotFound) {
		t.Errorf("the container: %v", err)
		_ = engine.Remove(t.Context(), bare)
	}
	if container, image := m.there(t, engine); !container || !image {
		t.Errorf("the other's: container %v, image %v", container, image)
	}
}

// TestRemoveRunUsedImage keeps an image that a container of somebody else uses, and
// says so. When that is gone, so is the image.
func TestRemoveRunUsedImage(t *testing.T) {
	engine := realEngine(t)
	o := newOwner(t, "used")
	m := makeFor(t, engine, o)
	image, err := engine.Image(t.Context(), m.image)
	if err != nil {
		t.Fatal(err)
	}
	user, err := engine.Create(t.Context(), Config{Image: image.ID, Labels: bareLabels(), Network: "none"})
	if err != nil {
		t.Fatal(err)
	}
	swept, err := RemoveRun(t.Context(), engine, Attribution{Owner: o})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Container(t.Context(), user); err != nil {
		t.Errorf("the container of somebody else: %v", err)
	}
	if _, err := engine.Image(t.Context(), m.image); err != nil {
		t.Errorf("the image that it uses: %v", err)
	}
	checkLeft(t, swept.Left, m.image, "could not be removed", true)
	if err := engine.Remove(t.Context(), user); err != nil {
		t.Error(err)
	}
	if swept, err = RemoveRun(t.Context(), engine, Attribution{Owner: o}); err != nil || len(swept.Left) > 0 || len(swept.Removed) != 1 {
		t.Errorf("%+v, %v", swept, err)
	}
}

// testContext outlives the test's own, for what has to happen when it has ended.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
