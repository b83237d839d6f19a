package suite

import (
	"slices"
	"strings"
	"testing"
)

// commands is every command line of a suite.
func commands(s Suite) []string {
	var out []string
	for _, w := range s.Workloads {
		if w.Container == nil {
			out = append(out, w.Command.String())
		}
		for _, hook := range [][]Command{w.Setup, w.Prepare, w.Conclude, w.Cleanup} {
			for _, c := range hook {
				out = append(out, c.String())
			}
		}
	}
	return out
}

// TestClnrmCommands holds the commands to what clnrm's own tasks get wrong: they go
// through cargo-make, and build with features that do not exist.
func TestClnrmCommands(t *testing.T) {
	s := Clnrm(ClnrmOptions{Dir: "/clnrm"})
	if err := s.CheckValid(); err != nil {
		t.Fatal(err)
	}
	list := commands(s)
	for _, want := range []string{"cargo build --release --offline --all-features", "cargo test --release --offline --no-run", "cargo test --release --offline"} {
		if !slices.Contains(list, want) {
			t.Errorf("%q is not among %q", want, list)
		}
	}
	for _, line := range list {
		words := strings.Fields(line)
		if len(words) > 1 && words[1] == "make" || strings.Contains(line, "cargo-make") {
			t.Errorf("%q goes through cargo-make", line)
		}
		offline := slices.Contains(words, "--offline") || len(words) > 1 && words[1] == "fetch"
		if words[0] == "cargo" && !offline {
			t.Errorf("%q may use the network while it is timed", line)
		}
	}
}

// TestTestsComeAfterTheProgram holds the order that keeps the program the one that the
// build made: cargo test and cargo bench build it anew, with other features. So nothing
// that runs the program comes after them.
func TestTestsComeAfterTheProgram(t *testing.T) {
	for _, s := range []Suite{Clnrm(ClnrmOptions{Dir: "/x"}), Cargo(CargoOptions{Dir: "/x", Name: "x", Bins: []string{"x"}, Benches: []string{"a", "b"}})} {
		names := s.Names()
		first := slices.Index(names, "test suite")
		if names[0] != "build" || first < 0 {
			t.Fatalf("%s: %q, want the build first and a test suite", s.Name, names)
		}
		for _, w := range s.Workloads[first:] {
			if w.Command.Args[0] != "cargo" {
				t.Errorf("%s: %s runs the program after the tests have built it anew", s.Name, w.Name)
			}
		}
	}
}

// TestObjectivesThatASubjectCanMeet checks that a subject without a program, or with
// several, has no objective on a program's start.
func TestObjectivesThatASubjectCanMeet(t *testing.T) {
	for name, s := range map[string]Suite{
		"crate without a program":     Cargo(CargoOptions{Dir: "/x", Name: "x"}),
		"crate with two":              Cargo(CargoOptions{Dir: "/x", Name: "x", Bins: []string{"a", "b"}}),
		"Go module without a program": GoModule(GoModuleOptions{Dir: "/x", Name: "x"}),
		"Go module with two":          GoModule(GoModuleOptions{Dir: "/x", Name: "x", Mains: []string{"x/a", "x/b"}}),
	} {
		if err := s.CheckValid(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := s.Workload("cli startup"); ok || len(s.Objectives) != 2 {
			t.Errorf("%s: workloads %q and %d objectives, want the build's and the tests'", name, s.Names(), len(s.Objectives))
		}
	}
}

func TestSuiteNames(t *testing.T) {
	for module, want := range map[string]string{
		"example.com/tool":        "tool",
		"example.com/tool/v2":     "tool",
		"example.com/tool/v2beta": "v2beta",
		"example.com/v":           "v",
		"v2":                      "v2",
		"gopkg.in/yaml.v3":        "yaml.v3",
		"example.com/a~b":         "a-b",
		"example.com/...":         "suite",
	} {
		if got := GoModule(GoModuleOptions{Name: module}).Name; got != want {
			t.Errorf("the suite of %s is called %q, want %q", module, got, want)
		}
	}
	if got := Cargo(CargoOptions{Name: "my crate"}).Name; got != "my-crate" {
		t.Errorf("the suite of a folder with a space is called %q", got)
	}
}
