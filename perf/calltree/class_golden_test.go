package calltree_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	if err != nil || len(files) < 20 {
		t.Fatalf("there are %d profiles, %v", len(files), err)
	}
	var got strings.Builder
	for _, path := range files {
		fmt.Fprintf(&got, "%s\n", strings.TrimSuffix(filepath.Base(path), ".pb.gz"))
		c := recorded(t, path).Classify(nil)
		if c.Idle.Weight > 0 {
			fmt.Fprintf(&got, "  (%4.1f %%  %s: %s)\n", 100*c.Idle.Share, c.Idle.Class, strings.Join(c.Idle.Leaders, ", "))
		}
		for _, s := range c.Shares {
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

// TestIdleThreads looks at where a Go program waits, as perf sees it. Threads of Go's
// scheduler that have nothing to run wait for longest, and say nothing.
func TestIdleThreads(t *testing.T) {
	tree := recorded(t, "testdata/classes/waiting.pb.gz")
	c := tree.Classify(nil)
	busy := tree.Busy(c)
	if c.Idle.Share < 0.5 || c.Idle.Group != "Idle" || busy.Total()+c.Idle.Weight != tree.Total() {
		t.Fatalf("idle: %+v; busy %d of %d", c.Idle, busy.Total(), tree.Total())
	}
	path := func(t *calltree.Tree) (names []string) {
		for _, at := range t.HotPath(0.01) {
			names = append(names, t.Name(at))
		}
		return names
	}
	if whole := path(tree); !slices.Contains(whole, "runtime.findRunnable") {
		t.Errorf("with what is idle, the hot path is not the scheduler's: %q", whole)
	}
	if hot := path(busy); !slices.Contains(hot, "main.waitForChild") {
		t.Errorf("the hot path does not lead to the wait: %q", hot)
	}
	var sum float64
	for _, s := range c.Shares {
		sum += s.Share
	}
	if s := c.Shares[0]; sum < 0.9999 || sum > 1.0001 || s.String() != "System calls: waiting" || s.Share < 0.9 {
		t.Errorf("shares add up to %v, the greatest is %+v", sum, s)
	}
	// The picture still shows it: every place has its class.
	shown := int64(0)
	for i, class := range c.ByNode {
		if c.Classes[class] == c.Idle.Class {
			shown += tree.Nodes[i].Flat
		}
	}
	if shown != c.Idle.Weight {
		t.Errorf("%d of %d are marked in the tree", shown, c.Idle.Weight)
	}
	// The same stacks, as CPU time, are the scheduler's work.
	cpu := *tree
	cpu.Unit.Type = "cpu"
	if c := cpu.Classify(nil); c.Idle.Weight != 0 || cpu.Busy(c) != &cpu || c.Shares[0].String() != "Async runtime: scheduler" {
		t.Errorf("of CPU time, %+v is idle, and the greatest class is %s", c.Idle, c.Shares[0].Class)
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
