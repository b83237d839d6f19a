package suite

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// presets are all presets with the options that make a difference.
func presets() map[string]Suite {
	return map[string]Suite{
		"cleanroom":    Cleanroom("/src", ""),
		"cleanroom w":  Cleanroom("/src", ".exe"),
		"clnrm":        Clnrm(ClnrmOptions{Dir: "/src"}),
		"clnrm binary": Clnrm(ClnrmOptions{Dir: "/src", Binary: "/opt/clnrm"}),
		"cargo bin":    Cargo(CargoOptions{Dir: "/src", Name: "greeter", Bins: []string{"greeter"}}),
		"cargo lib":    Cargo(CargoOptions{Dir: "/src", Name: "größe"}),
		"cargo time":   Cargo(CargoOptions{Dir: "/src", Name: "time"}),
		"cargo bins":   Cargo(CargoOptions{Dir: "/src", Name: "many", Bins: []string{"a", "b"}}),
		"go main":      GoModule(GoModuleOptions{Dir: "/src", Name: "example.com/tool/v2", Mains: []string{"example.com/tool/v2"}}),
		"go library":   GoModule(GoModuleOptions{Dir: "/src", Name: "example.com/~user/lib"}),
	}
}

// Every preset can be run: names are unique and folders, needs come first, every
// objective has its workload, every pattern compiles.
func TestPresetsAreValid(t *testing.T) {
	for name, s := range presets() {
		if err := s.CheckValid(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, w := range s.Workloads {
			if w.Timeout == 0 {
				t.Errorf("%s: %s may hang for ever", name, w.Name)
			}
			if w.OneShot && w.Cost == 0 {
				t.Errorf("%s: %s is costly and does not say how much", name, w.Name)
			}
		}
	}
}

func TestPresetNames(t *testing.T) {
	for name, want := range map[string]string{
		"cleanroom": "cleanroom", "clnrm binary": "clnrm", "cargo bin": "greeter", "cargo lib": "gr--e", "cargo time": "suite-time",
		"go main": "tool", "go library": "lib",
	} {
		if got := presets()[name].Name; got != want {
			t.Errorf("%s: the suite is called %q, want %q", name, got, want)
		}
	}
}

// What is built must lie in the folder of the run: it is removed with it, and what is
// found there was built by this run.
func TestPresetsBuildIntoWork(t *testing.T) {
	for name, s := range presets() {
		for _, w := range s.Workloads {
			for _, c := range slices.Concat(w.Setup, w.Prepare, []Command{w.Command}) {
				builds := len(c.Args) > 1 && (c.Args[0] == "cargo" && c.Args[1] != "fetch")
				if builds && !slices.ContainsFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, "CARGO_TARGET_DIR="+Work+"/") }) {
					t.Errorf("%s: %s builds into the user's target directory: %s", name, w.Name, c)
				}
				if i := slices.Index(c.Args, "-o"); i > 0 && !strings.HasPrefix(c.Args[i+1], Work+"/") && c.Args[i+1] != "/dev/null" {
					t.Errorf("%s: %s writes %s", name, w.Name, c.Args[i+1])
				}
			}
			for _, f := range w.Creates {
				if !belowWork(f) {
					t.Errorf("%s: %s creates %s", name, w.Name, f)
				}
			}
		}
	}
}

// A program that is measured has been built by a workload or a setup of the same run,
// or is the one that the user named.
func TestPresetsMeasureWhatTheyBuilt(t *testing.T) {
	for name, s := range presets() {
		built := map[string]bool{"/opt/clnrm": true}
		for _, w := range s.Workloads {
			for _, c := range slices.Concat(w.Setup, []Command{w.Command}) {
				if i := slices.Index(c.Args, "-o"); i > 0 {
					built[c.Args[i+1]] = true
				}
			}
			if w.Container != nil {
				continue
			}
			program := w.Command.Args[0]
			if strings.Contains(program, "/") && !built[program] {
				t.Errorf("%s: %s runs %s, and only %v are there", name, w.Name, program, slices.Sorted(maps.Keys(built)))
			}
			for _, f := range w.Creates {
				built[f] = true
			}
		}
	}
}

func TestPresetWorkloads(t *testing.T) {
	for name, want := range map[string][]string{
		"cleanroom":    {"build", "cli startup", "container lifecycle", "hot reload", "hot reload complex", "hot reload medium", "self-test", "test suite", "validate"},
		"clnrm":        {"build", "cli startup", "container lifecycle", "hot reload", "hot reload complex", "hot reload medium", "micro benchmarks", "self-test", "test suite", "validate"},
		"clnrm binary": {"cli startup", "container lifecycle", "hot reload", "hot reload complex", "hot reload medium", "self-test", "validate"},
		"cargo bin":    {"build", "cli startup", "test suite"},
		"cargo bins":   {"build", "test suite"},
		"cargo lib":    {"build", "test suite"},
		"go main":      {"build", "cli startup", "test suite"},
		"go library":   {"build", "test suite"},
	} {
		if got := slices.Sorted(slices.Values(presets()[name].Names())); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// The 200 files of validate are the same in every run, differ from each other, and
// each is named in the command.
func TestValidateFiles(t *testing.T) {
	w, ok := Cleanroom("/src", "").Workload("validate")
	if !ok || len(w.Files) != validateFiles || w.Items.Number != validateFiles {
		t.Fatalf("%d files, items %+v", len(w.Files), w.Items)
	}
	contents := map[string]bool{}
	for _, f := range w.Files {
		contents[f.Content] = true
		if !slices.Contains(w.Command.Args, f.Name) {
			t.Errorf("%s is not validated", f.Name)
		}
	}
	if len(contents) != validateFiles {
		t.Errorf("%d different contents", len(contents))
	}
}
