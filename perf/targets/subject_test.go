package targets

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// root makes a folder with the given files.
func root(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// shown is the suite that a root shows, with no variable set.
func shown(t *testing.T, dir string) (suite.Suite, error) {
	t.Helper()
	for _, name := range []string{"CLNRM_DIR", "CLNRM_REF", "CLNRM_BIN"} {
		t.Setenv(name, "")
	}
	t.Chdir(dir)
	s, err := subject(t.Context())
	if err == nil {
		err = s.suite.CheckValid()
	}
	return s.suite, err
}

func crate(name, more string) string {
	return "[package]\nname = \"" + name + "\"\nversion = \"0.1.0\"\nedition = \"2021\"\n" + more
}

const program = "fn main() {}\n"

func TestCargoRoots(t *testing.T) {
	testenv.Tool(t, "cargo")
	for _, tc := range []struct {
		name      string
		files     map[string]string
		suite     string // "" for the name of the folder
		workloads []string
	}{
		{"a program", map[string]string{"Cargo.toml": crate("greet", ""), "src/main.rs": program}, "greet", []string{"build", "cli startup", "test suite"}},
		{"a library", map[string]string{"Cargo.toml": crate("greet", ""), "src/lib.rs": ""}, "greet", []string{"build", "test suite"}},
		{"a program behind a feature", map[string]string{
			"Cargo.toml":  crate("greet", "[features]\nextra = []\n[[bin]]\nname = \"greet\"\npath = \"src/main.rs\"\nrequired-features = [\"extra\"]\n"),
			"src/main.rs": program, "src/lib.rs": "",
		}, "greet", []string{"build", "test suite"}},
		{"a package with another beside it", map[string]string{
			"Cargo.toml": crate("main", "[workspace]\nmembers = [\"aaa\"]\n"), "src/main.rs": program,
			"aaa/Cargo.toml": crate("aaa", ""), "aaa/src/main.rs": program,
		}, "main", []string{"build", "cli startup", "test suite"}},
		{"a workspace", map[string]string{
			"Cargo.toml":     "[workspace]\nmembers = [\"one\"]\n",
			"one/Cargo.toml": crate("one", ""), "one/src/main.rs": program,
		}, "", []string{"build", "cli startup", "test suite"}},
		{"clnrm", map[string]string{
			"Cargo.toml": "[workspace]\nmembers = [\"crates/clnrm\"]\n", "crates/clnrm/Cargo.toml": crate("clnrm", ""), "crates/clnrm/src/main.rs": program,
		}, "clnrm", []string{"build", "cli startup", "self-test", "validate", "container lifecycle", "hot reload", "hot reload medium", "hot reload complex", "test suite", "micro benchmarks"}},
		{"a library called clnrm", map[string]string{"Cargo.toml": crate("clnrm", ""), "src/lib.rs": ""}, "clnrm", []string{"build", "test suite"}},
		{"with a go.mod for Mage", map[string]string{
			"Cargo.toml": crate("greet", ""), "src/main.rs": program, "go.mod": "module example.com/greet\n",
		}, "greet", []string{"build", "cli startup", "test suite"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := root(t, tc.files)
			s, err := shown(t, dir)
			if err != nil {
				t.Fatal(err)
			}
			if tc.suite == "" {
				tc.suite = filepath.Base(dir)
			}
			if s.Name != tc.suite || !slices.Equal(s.Names(), tc.workloads) {
				t.Errorf("suite %s with %q, want %s with %q", s.Name, s.Names(), tc.suite, tc.workloads)
			}
		})
	}
}

func TestGoRoots(t *testing.T) {
	testenv.Tool(t, "go")
	const mod, main = "module example.com/greet // a comment\n\ngo 1.26\n", "package main\n\nfunc main() {}\n"
	for _, tc := range []struct {
		name      string
		files     map[string]string
		workloads []string
	}{
		{"a program", map[string]string{"go.mod": mod, "main.go": main}, []string{"build", "cli startup", "test suite"}},
		{"a library", map[string]string{"go.mod": mod, "greet.go": "package greet\n"}, []string{"build", "test suite"}},
		{"two programs", map[string]string{"go.mod": mod, "cmd/a/main.go": main, "cmd/b/main.go": main}, []string{"build", "test suite"}},
		{"a program that does not parse", map[string]string{"go.mod": mod, "main.go": main + "\nfunc (\n"}, []string{"build", "cli startup", "test suite"}},
		{"an import that is not there", map[string]string{"go.mod": mod, "main.go": "package main\n\nimport _ \"example.com/nowhere\"\n\nfunc main() {}\n"}, []string{"build", "cli startup", "test suite"}},
		{"magefiles beside a library", map[string]string{
			"go.mod": mod, "greet.go": "package greet\n", "magefiles/magefile.go": "//go:build mage\n\npackage main\n",
		}, []string{"build", "test suite"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := shown(t, root(t, tc.files))
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != "greet" || !slices.Equal(s.Names(), tc.workloads) {
				t.Errorf("suite %s with %q, want greet with %q", s.Name, s.Names(), tc.workloads)
			}
		})
	}
}

func TestRootsThatShowNothing(t *testing.T) {
	for _, tc := range []struct {
		name   string
		files  map[string]string
		status int
		want   string
	}{
		{"empty", nil, perf.ExitUsage, "neither a Cargo.toml nor a go.mod"},
		{"only a magefile", map[string]string{"go.mod": "module example.com/x\n", "magefiles/magefile.go": "//go:build mage\n\npackage main\n"}, perf.ExitUsage, "no packages to measure"},
		{"go.mod without a module", map[string]string{"go.mod": "go 1.26\n"}, perf.ExitFailure, "no valid module line"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := shown(t, root(t, tc.files))
			if perf.ExitStatus(err) != tc.status || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v (status %d), want status %d and %q", err, perf.ExitStatus(err), tc.status, tc.want)
			}
		})
	}
}

// TestUseComesBeforeTheRoot checks the order: variables, Use, the root.
func TestUseComesBeforeTheRoot(t *testing.T) {
	dir := root(t, map[string]string{"go.mod": "module example.com/x\n", "x.go": "package x\n", "clnrm": "", "Cargo.toml": "[workspace]\n"})
	t.Cleanup(func() { used = nil })
	Use(suite.Suite{Name: "mine", Workloads: []suite.Workload{{Name: "w", Command: suite.Command{Args: []string{"w"}}}}})
	if s, err := shown(t, dir); err != nil || s.Name != "mine" {
		t.Errorf("suite %s (%v), want the one of the magefile", s.Name, err)
	}
	t.Setenv("CLNRM_BIN", "clnrm")
	s, err := subject(t.Context())
	if err != nil || s.suite.Name != "clnrm" || s.ref != "" {
		t.Errorf("suite %s (%v), want the one that CLNRM_BIN names", s.suite.Name, err)
	}
	if c, warnings := s.commit(t.Context(), "/nowhere"); c.Commit != "" || len(warnings) != 1 {
		t.Errorf("a binary of unknown source is filed under %+v, %v", c, warnings)
	}
}

func TestClnrmVariablesThatMakeNoSense(t *testing.T) {
	testenv.Tool(t, "git")
	for _, tc := range []struct{ dir, ref, bin, want string }{
		{"", "main", "clnrm", "set one of them"},
		{"", "", "nowhere", "there is no file nowhere"},
		{"", "", ".", "there is no file ."},
		{"nowhere", "", "clnrm", "there is no folder"},
		{"nowhere", "", "", "holds no Cargo.toml"},
		{"", "main", "", "CLNRM_REF: there is no commit"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			t.Chdir(root(t, map[string]string{"Cargo.toml": "[workspace]\n", "clnrm": ""}))
			t.Setenv("CLNRM_DIR", tc.dir)
			t.Setenv("CLNRM_REF", tc.ref)
			t.Setenv("CLNRM_BIN", tc.bin)
			_, err := subject(t.Context())
			if perf.ExitStatus(err) != perf.ExitUsage || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v (status %d), want a usage error with %q", err, perf.ExitStatus(err), tc.want)
			}
		})
	}
}
