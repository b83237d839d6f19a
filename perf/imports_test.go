package perf_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/seanchatmangpt/clnrm-perf/"

// policy is a statement of which package of the module may import which others. It
// is not a record of what they import today: an edge is added when the layers
// (README) allow it, by itself, with the reason in the commit.
//
// Arrows go down only. Packages of one layer do not import each other, except as
// noted. Tests, and what serves tests alone, are free to import what they test.
var policy = map[string][]string{
	// L0: the vocabulary, of the standard library only.
	"perf": {},

	// L1: values or bytes in, values or bytes out.
	"perf/suite":     {"perf"},
	"perf/stats":     {"perf"},
	"perf/profileio": {"perf", "perf/perfdata"}, // perf.data is one of the formats
	"perf/benchio":   {"perf"},
	"perf/calltree":  {"perf"},
	"perf/perfdata":  {"perf"},

	// A picture is of a call tree: the one edge within the layer that the design has.
	"perf/flamegraph": {"perf", "perf/calltree"},

	// The test bed of stats: simulated and recorded machines, rivals, and a table. It is
	// apart so that nobody who compares carries its traces.
	"perf/stats/proof": {"perf", "perf/stats"},

	// L2: these touch the operating system, and never import each other.
	"perf/measure":   {"perf"},
	"perf/container": {"perf", "perf/suite"}, // a command that shows readiness is words
	"perf/baseline":  {"perf"},
	"perf/profiler":  {"perf", "perf/profileio", "perf/calltree", "perf/perfdata"},
	"perf/gocache":   {},

	// The program in the containers that are timed: one file, embedded as text.
	"perf/container/probe": {},

	// L3: compose. report renders what experiment reports while it runs.
	"perf/experiment": {"perf", "perf/suite", "perf/stats", "perf/benchio", "perf/measure", "perf/baseline", "perf/container"},
	"perf/report":     {"perf", "perf/suite", "perf/measure", "perf/baseline", "perf/experiment", "perf/calltree", "perf/profiler"},

	// L4: the only place for mage, environment variables, exit status and os.Stdout.
	"perf/targets": {"perf", "perf/suite", "perf/benchio", "perf/measure", "perf/container", "perf/baseline", "perf/gocache", "perf/experiment", "perf/report", "perf/perfdata", "perf/profileio", "perf/calltree", "perf/flamegraph", "perf/profiler"},

	// The embedded subject is measured as a black box. It starts containers by way of
	// the package that owns the engine's client; nothing imports it.
	"perf/subject/cleanroom": {"perf/container"},

	"perf/internal/testenv":   {},
	"perf/internal/clnrmtest": {},
	"magefiles":               {"perf/targets", "perf/stats/proof"},
}

// owners says which packages may import a module of somebody else: one owns each, so
// that exchanging it is a change of one package.
var owners = map[string][]string{
	"github.com/magefile/mage":           {"perf/targets"},
	"github.com/shirou/gopsutil/v3":      {"perf/measure"},
	"golang.org/x/sys":                   {"perf/measure", "perf/baseline", "perf/container", "perf/profiler"},
	"github.com/docker/docker":           {"perf/container"},
	"github.com/containerd/errdefs":      {"perf/container"},
	"github.com/fatih/color":             {"perf/report"},
	"github.com/google/pprof":            {"perf/profileio", "perf/calltree", "perf/perfdata", "perf/profiler", "perf/targets"},
	"github.com/klauspost/compress":      {"perf/profileio", "perf/perfdata"},
	"github.com/mattn/go-isatty":         {"perf/report"},
	"github.com/BurntSushi/toml":         {"perf/subject/cleanroom", "perf/targets"}, // the subject is a program of its own
	"github.com/fsnotify/fsnotify":       {"perf/subject/cleanroom"},
	"golang.org/x/text":                  {"perf/report"},
	"golang.org/x/mod":                   {"perf/targets"},
	"github.com/aclements/go-moremath":   {"perf/stats/proof"},
	"golang.org/x/perf":                  {"perf/benchio"},
	"github.com/ianlancetaylor/demangle": {"perf/perfdata"},
}

// vague are names that say nothing about what a package is for.
var vague = []string{"util", "utils", "common", "helper", "helpers", "types", "misc", "base", "shared", "lib"}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T, system string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", "-tags=mage", "./...")
	cmd.Dir = ".."
	cmd.Env = append(cmd.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(out); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("reading what go list says: %v", err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

func TestImports(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		all := packages(t, system)
		if len(all) < len(policy)-2 {
			t.Fatalf("go list finds %d packages for %s; the policy knows %d", len(all), system, len(policy))
		}
		for _, p := range all {
			name := strings.TrimPrefix(p.ImportPath, module)
			allowed, known := policy[name]
			if !known {
				t.Errorf("%s is not in the policy: say which layer it belongs to", name)
			}
			for _, imp := range p.Imports {
				checkImport(t, name, imp, allowed)
			}
		}
	}
}

func checkImport(t *testing.T, name, imp string, allowed []string) {
	t.Helper()
	if own, ok := strings.CutPrefix(imp, module); ok {
		if !slices.Contains(allowed, own) {
			t.Errorf("%s imports %s, which its layer may not", name, own)
		}
		return
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return // the standard library
	}
	for mod, who := range owners {
		if imp == mod || strings.HasPrefix(imp, mod+"/") {
			if !slices.Contains(who, name) {
				t.Errorf("%s imports %s, which belongs to %s", name, imp, strings.Join(who, ", "))
			}
			return
		}
	}
	t.Errorf("%s imports %s, which no package owns: add it to owners with the package that wraps it", name, imp)
}

func TestPackageNames(t *testing.T) {
	for _, p := range packages(t, "linux") {
		parts := strings.Split(p.ImportPath, "/")
		if slices.Contains(vague, parts[len(parts)-1]) {
			t.Errorf("%s: a package name says what the package is for", p.ImportPath)
		}
	}
}
