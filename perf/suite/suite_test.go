package suite

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Each row spoils the sample suite and says what CheckValid must say of it.
func TestCheckValid(t *testing.T) {
	for want, spoil := range map[string]func(*Suite){
		`suite "a/b": its results are kept in a folder of its name, so call it "a-b"`:         func(s *Suite) { s.Name = "a/b" },
		`suite "time": its results are kept in a folder of its name, so call it "suite-time"`: func(s *Suite) { s.Name = "time" },
		`suite "": its results`:                              func(s *Suite) { s.Name = "" },
		`suite "../x": its results`:                          func(s *Suite) { s.Name = "../x" },
		`suite "aux": its results`:                           func(s *Suite) { s.Name = "aux" },
		`"": it has no name`:                                 func(s *Suite) { s.Workloads[0].Name = "" },
		`"build" stands there`:                               func(s *Suite) { s.Workloads[2].Name = "build" },
		`"lint": it has no command`:                          func(s *Suite) { s.Workloads[2].Command.Args = nil },
		`"fetch": it has no comm`:                            func(s *Suite) { s.Workloads[0].Command.Args = []string{"", "x"} },
		`"fetch" needs "build", wh`:                          func(s *Suite) { s.Workloads[0].Needs = []string{"build"} },
		`"build" needs "build", wh`:                          func(s *Suite) { s.Workloads[1].Needs = []string{"build"} },
		`"build" needs "nothing"`:                            func(s *Suite) { s.Workloads[1].Needs = []string{"nothing"} },
		`"build": a number of runs`:                          func(s *Suite) { s.Workloads[1].Min = -1 },
		`"build": at least 3 runs`:                           func(s *Suite) { s.Workloads[1].Min, s.Workloads[1].Max = 3, 2 },
		`"build": a time is negat`:                           func(s *Suite) { s.Workloads[1].Timeout = -time.Second },
		"a command and a container":                          func(s *Suite) { s.Workloads[1].Container = &Container{Ready: 1, Grace: 1} },
		"a container needs a time":                           func(s *Suite) { s.Workloads[1].Command, s.Workloads[1].Container = Command{}, &Container{} },
		"/home/me\" under Fresh":                             func(s *Suite) { s.Workloads[1].Fresh = []string{"/home/me"} },
		"$WORK\" under Fresh":                                func(s *Suite) { s.Workloads[1].Fresh = []string{"$WORK"} },
		"$WORKS/x\" under Fresh":                             func(s *Suite) { s.Workloads[1].Fresh = []string{"$WORKS/x"} },
		"$WORK/../x\" under Fresh":                           func(s *Suite) { s.Workloads[1].Fresh = []string{"$WORK/../x"} },
		`$WORK/\\..`:                                         func(s *Suite) { s.Workloads[1].Fresh = []string{`$WORK/\..`} },
		"x\" under Files":                                    func(s *Suite) { s.Workloads[1].Files = []File{{Name: "x"}} },
		"\"build\": error parsing regexp: missing closing )": func(s *Suite) { s.Workloads[1].Tests = &Tests{Passed: Count{"("}} },
		"\"build\": error parsing regexp: missing closing ]": func(s *Suite) { s.Workloads[1].Items = &Items{Count: Count{"["}} },
		"workload \"x\", which is":                           func(s *Suite) { s.Objectives[0].Workload = "x" },
		"\"memory\" stands there":                            func(s *Suite) { s.Objectives[0].Name = "memory" },
		"objective \"\": it has":                             func(s *Suite) { s.Objectives[0].Name = "" },
		"it has no metric":                                   func(s *Suite) { s.Objectives[0].Metric = perf.Metric{} },
		"neither lower nor higher":                           func(s *Suite) { s.Objectives[0].Metric.Better = "" },
		"the quantile 50":                                    func(s *Suite) { s.Objectives[0].Quantile = 50 },
		"the quantile NaN":                                   func(s *Suite) { s.Objectives[0].Quantile = math.NaN() },
		"the confidence 0":                                   func(s *Suite) { s.Objectives[0].Confidence = 0 },
		"the confidence 95":                                  func(s *Suite) { s.Objectives[0].Confidence = 95 },
		"the limit NaN":                                      func(s *Suite) { s.Objectives[0].Target = math.NaN() },
		"the limit +Inf":                                     func(s *Suite) { s.Objectives[0].Critical = math.Inf(1) },
		"critical 5 s is stricter":                           func(s *Suite) { s.Objectives[0].Critical = 5 },
		"critical 200/s is strict":                           func(s *Suite) { s.Objectives[2].Critical = 200 },
	} {
		s := sample()
		spoil(&s)
		if err := s.CheckValid(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ...%s...", err, want)
		}
	}
}

func TestExpand(t *testing.T) {
	w := Workload{
		Command: Command{[]string{"$WORK/bin/x", "--to=$WORK", "$WORKSPACE", "$WORK_DIR", "$WORK$WORK"}, "$WORK/dir", []string{"A=$WORK/a:$WORK/b"}},
		Setup:   []Command{{Args: []string{"$WORK"}}}, Prepare: []Command{{Args: []string{"$WORK"}}},
		Conclude: []Command{{Args: []string{"$WORK"}}}, Cleanup: []Command{{Dir: "$WORK"}},
		Files: []File{{"$WORK/f", "path = $WORK/g\n"}},
		Fresh: []string{"$WORK/c"}, CleanEnv: []string{"C=$WORK/c"}, Creates: []string{"$WORK/d"},
	}
	before := w.Expand(Work)
	got := w.Expand("/tmp/$1")
	want := Workload{
		Command: Command{[]string{"/tmp/$1/bin/x", "--to=/tmp/$1", "$WORKSPACE", "$WORK_DIR", "/tmp/$1/tmp/$1"}, "/tmp/$1/dir", []string{"A=/tmp/$1/a:/tmp/$1/b"}},
		Setup:   []Command{{[]string{"/tmp/$1"}, "", []string{}}}, Prepare: []Command{{[]string{"/tmp/$1"}, "", []string{}}},
		Conclude: []Command{{[]string{"/tmp/$1"}, "", []string{}}}, Cleanup: []Command{{[]string{}, "/tmp/$1", []string{}}},
		Files: []File{{"/tmp/$1/f", "path = /tmp/$1/g\n"}},
		Fresh: []string{"/tmp/$1/c"}, CleanEnv: []string{"C=/tmp/$1/c"}, Creates: []string{"/tmp/$1/d"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !reflect.DeepEqual(w.Expand(Work), before) {
		t.Error("Expand changed the workload that it was called on")
	}
}

func TestLookups(t *testing.T) {
	s := sample()
	if w, ok := s.Workload("lint"); !ok || w.Name != "lint" {
		t.Errorf("%v, %v", w, ok)
	}
	if _, ok := s.Workload("Lint"); ok {
		t.Error("found by another case")
	}
	var names []string
	for _, o := range s.ObjectivesOf("test suite") {
		names = append(names, o.Name)
	}
	if !slices.Equal(names, []string{"tests", "cores"}) || s.ObjectivesOf("fetch") != nil {
		t.Errorf("%q, %v", names, s.ObjectivesOf("fetch"))
	}
}

// Only known tools are asked for their version, and a suite that is not valid yet does
// no harm.
func TestToolchain(t *testing.T) {
	s := sample()
	s.Workloads[0].Command.Args = nil
	s.Workloads[1].Command.Args = []string{"cargo", "build"}
	s.Workloads[2].Command.Args = []string{"go", "vet"}
	s.Workloads[3].Command.Args = []string{"go", "test"}
	s.Workloads[4].Command.Args = []string{"rm"}
	if got := s.Toolchain(); !slices.Equal(got, []string{"cargo", "rustc", "go"}) {
		t.Errorf("%q", got)
	}
}

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"clnrm": "clnrm", "my_crate-2": "my_crate-2", "yaml.v3": "yaml.v3", "Mixed": "Mixed",
		"a/b": "a-b", "größe": "gr--e", "a b": "a-b", "a:b*?": "a-b--", "日本": "--",
		"": "suite", ".": "suite", "..": "suite", "../../etc": "-..-etc", ".git": "git", "x.": "x",
		"aux": "suite-aux", "NUL.txt": "suite-NUL.txt", "com1": "suite-com1", "console": "console", "time": "suite-time", "Time": "Time",
		strings.Repeat("x", 300): strings.Repeat("x", 100),
	} {
		got := fileName(name)
		if got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
		if again := fileName(got); again != got {
			t.Errorf("%q becomes %q and then %q", name, got, again)
		}
	}
}

func TestLastElement(t *testing.T) {
	for path, want := range map[string]string{
		"example.com/x": "x", "example.com/x/v2": "x", "example.com/x/v10": "x", "example.com/x/v1": "v1", "example.com/x/v0": "v0",
		"example.com/v2/tool": "tool", "v2": "v2", "gopkg.in/yaml.v3": "yaml.v3", "example.com/x/vet": "vet", "m": "m",
	} {
		if got := lastElement(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
