package container

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tagForm is what an image's tag may be (github.com/distribution/reference).
var tagForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

func newOwner(t testing.TB, run string) Owner {
	t.Helper()
	o, err := NewOwner(run)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOwnerForm(t *testing.T) {
	long := strings.Repeat("9", 48)
	for _, o := range []Owner{
		newOwner(t, "20261123T020304Z-0a1b2c"),
		{PID: 1, Began: time.Unix(0, 0), Run: "r"},
		{Host: "0123456789ab", Boot: "0123456789ab", Space: 1<<32 - 1, PID: 1 << 22, Start: 1<<63 - 1, Began: time.Unix(1<<33, 0), Run: long},
	} {
		s := o.String()
		if !tagForm.MatchString(s) {
			t.Errorf("%s (%d bytes) cannot be the tag of an image", s, len(s))
		}
		back, err := ParseOwner(s)
		if err != nil || !back.same(o) || !back.Began.Equal(o.Began) || back.Start != o.Start || back.Run != o.Run {
			t.Errorf("%s came back as %+v, %v; was %+v", s, back, err, o)
		}
		if got, ok := imageOwner(o.Image("probe")); !ok || !got.same(o) {
			t.Errorf("%s: %v, %v", o.Image("probe"), got, ok)
		}
		if got, ok := imageOwner("localhost/" + o.Image("probe")); !ok || !got.same(o) {
			t.Errorf("Podman's name of it: %v, %v", got, ok)
		}
		if m := o.Labels(); m[LabelOwner] != s || m[LabelRun] != o.Run || m[LabelTool] != ToolName {
			t.Errorf("labels %v", m)
		}
	}
}

func TestOwnerRefused(t *testing.T) {
	for _, run := range []string{"", "a b", "a/b", "a_b", "-a", strings.Repeat("a", 49), "ä"} {
		if o, err := NewOwner(run); err == nil {
			t.Errorf("run id %q gives %v", run, o)
		}
	}
	good := newOwner(t, "run").String()
	for _, s := range []string{"", "latest", strings.Replace(good, "o1_", "o2_", 1), good + "_x", strings.TrimSuffix(good, "_run"),
		strings.TrimSuffix(good, "run"), "o1_-_-_0_0_0_0_run", "o1_-_-_!_1_0_0_run", "o1_-_-_0_1_0_0_a b"} {
		if o, err := ParseOwner(s); err == nil {
			t.Errorf("%q is read as %+v", s, o)
		}
	}
	for _, ref := range []string{"clnrm-perf/probe", "clnrm-perf/probe:latest", "probe:" + good, "other/probe:" + good, "sha256:0123"} {
		if o, ok := imageOwner(ref); ok {
			t.Errorf("%q is read as %+v's", ref, o)
		}
	}
}

// TestJudge holds the rule against hosts of all kinds: only what cannot be anything
// else is dead.
func TestJudge(t *testing.T) {
	booted := time.Unix(2e9, 0)
	processes := map[int]uint64{10: 100, 11: 0} // by id: start
	here := hostView{id: "h", boot: "b", booted: booted, space: 7, process: func(pid int) (uint64, bool) {
		start, ok := processes[pid]
		return start, ok
	}}
	owner := Owner{Host: "h", Boot: "b", Space: 7, PID: 10, Start: 100, Began: booted.Add(time.Hour), Run: "r"}
	of := func(change func(*Owner)) Owner { o := owner; change(&o); return o }
	view := func(change func(*hostView)) hostView { h := here; change(&h); return h }
	inside := func(found bool, err error) hostView {
		return view(func(h *hostView) { h.inSpaces = func(int) (bool, error) { return found, err } })
	}
	earlier := of(func(o *Owner) { o.Boot, o.Began = "a", booted.Add(-time.Hour) })
	otherSpace := of(func(o *Owner) { o.Space = 8 })
	for _, c := range []struct {
		name  string
		here  hostView
		owner Owner
		want  Liveness
	}{
		{"it runs", here, owner, Alive},
		{"it ended", here, of(func(o *Owner) { o.PID = 12 }), Dead},
		{"its id is in use again", here, of(func(o *Owner) { o.Start = 99 }), Dead},
		{"the start of the process is hidden", here, of(func(o *Owner) { o.PID = 11 }), Unclear},
		{"it did not know its own start", here, of(func(o *Owner) { o.Start = 0 }), Unclear},
		{"in a container that shares the process ids", here, of(func(o *Owner) { o.Host = "c" }), Alive},

		{"restarted since", here, earlier, Dead},
		{"another host", here, of(func(o *Owner) { o.Host, o.Boot = "x", "a" }), Elsewhere},
		{"a host without an id", here, of(func(o *Owner) { o.Host, o.Boot = "", "a" }), Elsewhere},
		{"a clone of this host", here, of(func(o *Owner) { o.Boot = "a" }), Elsewhere},
		{"a clone, as far as the clocks tell", here, of(func(o *Owner) { o.Boot, o.Began = "a", booted.Add(-time.Second) }), Elsewhere},
		{"restarted, when is not known", view(func(h *hostView) { h.booted = time.Time{} }), earlier, Unclear},
		{"this host does not tell its start", view(func(h *hostView) { h.boot = "" }), earlier, Unclear},
		{"this host has no id", view(func(h *hostView) { h.id = "" }), earlier, Elsewhere},

		{"no boot ids, the same host", view(func(h *hostView) { h.boot = "" }), of(func(o *Owner) { o.Boot = "" }), Alive},
		{"no boot ids, the same host, gone", view(func(h *hostView) { h.boot = "" }), of(func(o *Owner) { o.Boot, o.Start = "", 1 }), Dead},
		{"no boot ids, another host", view(func(h *hostView) { h.boot = "" }), of(func(o *Owner) { o.Boot, o.Host, o.PID = "", "x", 12 }), Elsewhere},
		{"no ids at all", view(func(h *hostView) { h.boot, h.id = "", "" }), of(func(o *Owner) { o.Boot, o.Host, o.PID = "", "", 12 }), Elsewhere},

		{"another container, seen from one", here, otherSpace, Unclear},
		{"a container, seen from the host", inside(true, nil), otherSpace, Unclear},
		{"a container that ended, seen from the host", inside(false, nil), otherSpace, Dead},
		{"a container, from a host that hides processes", inside(false, errors.New("hidden")), otherSpace, Unclear},
		{"a container that did not know its space", inside(false, nil), of(func(o *Owner) { o.Space = 0 }), Unclear},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, why := c.here.judge(c.owner)
			if got != c.want || why == "" {
				t.Errorf("%v (%s), want %v", got, why, c.want)
			}
		})
	}
}

func TestLivenessOfThisProcess(t *testing.T) {
	if life, why := newOwner(t, "here").Liveness(); life != Alive {
		t.Errorf("this process is %v: %s", life, why)
	}
}

func TestLivenessOfAnotherProcess(t *testing.T) {
	run := startRun(t, runConfig{})
	if life, why := run.owner.Liveness(); life != Alive {
		t.Errorf("a process that runs is %v: %s", life, why)
	}
	if err := run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := run.out.ReadString(0); err == nil {
		t.Fatal("it goes on")
	}
	// Its output has ended, so that it is dead; it may still be a zombie.
	waitFor(t, "the end of the process", time.Minute, func() bool {
		life, _ := run.owner.Liveness()
		return life == Dead
	})
	_ = run.cmd.Wait()
	if life, why := run.owner.Liveness(); life != Dead {
		t.Errorf("a process that ended is %v: %s", life, why)
	}
}

// waitFor polls for what no event tells of.
func waitFor(t testing.TB, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", limit, what)
		}
		<-tick.C
	}
}

// selfCommand is this test binary, to play a run.
func selfCommand(t testing.TB) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(program)
}
