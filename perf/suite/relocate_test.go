package suite

import (
	"reflect"
	"testing"
)

func TestRelocate(t *testing.T) {
	s := Suite{Name: "x", Dir: "/src/project", Workloads: []Workload{{
		Name:    "run",
		Command: Command{Args: []string{Work + "/bin/x", "/src/project/data", "/src/project-two", "--in=/src/project"}, Env: []string{"ROOT=/src/project:/src/project/lib"}},
		Setup:   []Command{{Args: []string{"make"}, Dir: "/src/project/sub"}},
	}}}
	got := s.Relocate("/src/project", "/w/src-old")
	w := got.Workloads[0]
	want := Command{Args: []string{Work + "/bin/x", "/w/src-old/data", "/src/project-two", "--in=/w/src-old"}, Dir: "/w/src-old", Env: []string{"ROOT=/w/src-old:/w/src-old/lib"}}
	if got.Dir != "/w/src-old" || !reflect.DeepEqual(w.Command, want) {
		t.Errorf("in %s: %+v, want %+v", got.Dir, w.Command, want)
	}
	if w.Setup[0].Dir != "/w/src-old/sub" {
		t.Errorf("setup in %s", w.Setup[0].Dir)
	}
	if s.Workloads[0].Command.Dir != "" || s.Workloads[0].Command.Args[1] != "/src/project/data" {
		t.Error("the suite itself has changed")
	}
}
