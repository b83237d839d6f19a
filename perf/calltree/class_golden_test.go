package calltree_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
)

var update = flag.Bool("update", false, "write the goldens anew")

// recorded reads a profile of testdata/classes as a tree of its last sample type.
func recorded(t testing.TB, path string) *calltree.Tree {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	tr, err := calltree.FromProfile(p, len(p.SampleType)-1)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return tr
}

// TestClassesOfRealPrograms classifies profiles of programs that do one kind of work and
// little else: see testdata/classes/README.md.
func TestClassesOfRealPrograms(t *testing.T) {
	files, err := filepath.Glob("testdata/classes/*.pb.gz")
	if err != nil || len(files) < 19 {
		t.Fatalf("there are %d profiles, %v", len(files), err)
	}
	var got strings.Builder
	for _, path := range files {
		fmt.Fprintf(&got, "%s\n", strings.TrimSuffix(filepath.Base(path), ".pb.gz"))
		for _, s := range recorded(t, path).Classify(nil).Shares {
			if s.Share >= 0.01 {
				fmt.Fprintf(&got, "  %4.1f %%  %s: %s\n", 100*s.Share, s.Class, strings.Join(s.Leaders, ", "))
			}
		}
	}
	const golden = "testdata/classes/classes.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "classes", got.String(), string(want))
}

// Whatever the golden says, a program that does one kind of work is mostly of that class.
func TestMostOfARealProgram(t *testing.T) {
	for name, class := range map[string]string{
		"json": "Serialisation: JSON", "tokio-json": "Serialisation: JSON", "toml": "Serialisation: TOML", "tokio-toml": "Serialisation: TOML",
		"validation": "Serialisation: config validation", "scheduler": "Async runtime: scheduler", "tokio-scheduler": "Async runtime: scheduler",
		"spawning": "Async runtime: task spawning", "channels": "Async runtime: channels", "allocation": "Allocation", "c-allocation": "Allocation",
		"locking": "Locking", "c-locking": "Locking", "files": "System calls: files", "compute": "Compute",
	} {
		if s := recorded(t, "testdata/classes/"+name+".pb.gz").Classify(nil).Shares[0]; s.String() != class || s.Share < 0.5 {
			t.Errorf("%s: the greatest class is %s with %.2f, want %s with more than half", name, s.Class, s.Share, class)
		}
	}
	for name, group := range map[string]string{
		"docker": "Docker operations", "tokio-channels": "Async runtime", "tokio-spawning": "Async runtime", "c-files": "System calls",
	} {
		if g := recorded(t, "testdata/classes/"+name+".pb.gz").Classify(nil).Groups()[0]; g.Group != group || g.Share < 0.5 {
			t.Errorf("%s: the greatest group is %s with %.2f, want %s with more than half", name, g.Group, g.Share, group)
		}
	}
}

// The top table agrees with pprof's: see TestTopAgreesWithPprof.
func top(tr *calltree.Tree) string {
	var b strings.Builder
	for _, e := range tr.Top() {
		fmt.Fprintf(&b, "%d %d %s\n", e.Flat, e.Cum, e.Name)
	}
	return b.String()
}
