package calltree_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
)

func diff(t testing.TB, old, new string, opt calltree.DiffOptions) *calltree.Difference {
	t.Helper()
	d, err := calltree.Diff(tree(t, old), tree(t, new), opt)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// deltas renders a difference as indented lines: name, old and new cum, delta.
func deltas(d *calltree.Difference) string {
	var b strings.Builder
	for i, n := range d.Nodes {
		fmt.Fprintf(&b, "%s%s %d %d %+g\n", strings.Repeat("  ", int(n.Depth)), d.Name(int32(i)), n.Old.Cum, n.New.Cum, d.Delta(int32(i)))
	}
	return b.String()
}

// The parent of what grew has grown as much, which peers get wrong: they give deltas to
// leaves alone, and draw the parent white.
func TestDeltasAreInclusive(t *testing.T) {
	before := "main;parent;a 10\nmain;parent;b 10\nmain;rest 60"
	after := "main;parent;a 30\nmain;parent;b 30\nmain;rest 20"
	d := diff(t, before, after, calltree.DiffOptions{})
	equal(t, "difference", deltas(d), `all 80 80 +0
  main 80 80 +0
    parent 20 60 +40
      a 10 30 +20
      b 10 30 +20
    rest 60 20 -40
`)
	equal(t, "callers", deltas(d.Invert()), `all 80 80 +0
  a 10 30 +20
    parent 10 30 +20
      main 10 30 +20
  b 10 30 +20
    parent 10 30 +20
      main 10 30 +20
  rest 60 20 -40
    main 60 20 -40
`)
	equal(t, "callers of callers", deltas(d.Invert().Invert()), deltas(d))
}

func TestWeightsAreMadeEqual(t *testing.T) {
	before, after := "a 3\nb 1", "a 30\nb 10"
	if d := diff(t, before, after, calltree.DiffOptions{}); d.Scale != 10 || d.Delta(1) != 0 || len(d.Movers()) != 0 {
		t.Errorf("ten times the samples of the same program: scale %g, delta %g, movers %v", d.Scale, d.Delta(1), d.Movers())
	}
	d := diff(t, before, after, calltree.DiffOptions{KeepWeights: true})
	if d.Scale != 1 || d.Delta(0) != 36 || d.Delta(1) != 27 {
		t.Errorf("with the weights kept: scale %g, deltas %g and %g", d.Scale, d.Delta(0), d.Delta(1))
	}
	// No delta is rounded: thirds of an old weight stay thirds.
	d = diff(t, "a 1\nb 2", "a 1\nb 1", calltree.DiffOptions{})
	if got, want := d.Delta(1), 1-2./3; math.Abs(got-want) > 1e-15 {
		t.Errorf("the delta of a third is %g, want %g", got, want)
	}
}

func TestVanishedStacksAreThere(t *testing.T) {
	d := diff(t, "main;gone;deep 4\nmain;kept 4", "main;kept 4\nmain;fresh 4", calltree.DiffOptions{})
	equal(t, "difference", deltas(d), `all 8 8 +0
  main 8 8 +0
    fresh 0 4 +4
    gone 4 0 -4
      deep 4 0 -4
    kept 4 4 +0
`)
}

func TestMovers(t *testing.T) {
	d := diff(t, "main;f;f 10\nmain;g 20\nmain;h 2", "main;f;f 25\nmain;g 5\nmain;h 2", calltree.DiffOptions{})
	var got strings.Builder
	for _, m := range d.Movers() {
		fmt.Fprintf(&got, "%s %+g %+g\n", m.Name, m.DeltaFlat, m.DeltaCum)
	}
	equal(t, "movers", got.String(), "f +15 +15\ng -15 -15\n")
	var again strings.Builder
	for _, m := range d.Invert().Movers() {
		fmt.Fprintf(&again, "%s %+g %+g\n", m.Name, m.DeltaFlat, m.DeltaCum)
	}
	equal(t, "movers of the inverted difference", again.String(), got.String())
}

// A new build has a new path, and its functions are the same ones.
func TestModulesDoNotPart(t *testing.T) {
	d := diff(t, "main@/old/x 1", "main@/new/x 1", calltree.DiffOptions{})
	if len(d.Frames) != 1 || d.Frames[0].Module != "/new/x" {
		t.Errorf("frames are %v", d.Frames)
	}
}

func TestDifferencesThatCannotBe(t *testing.T) {
	a, b := tree(t, "main 1"), tree(t, "main 1")
	b.Unit.Unit = "bytes"
	if _, err := calltree.Diff(a, b, calltree.DiffOptions{}); err == nil || !strings.Contains(err.Error(), "samples/bytes") {
		t.Errorf("two units: the error is %v", err)
	}
	if _, err := calltree.Diff(a, a.Invert(), calltree.DiffOptions{}); err == nil {
		t.Error("an inverted tree and one that is not have no difference")
	}
	if _, err := calltree.Diff(a, nil, calltree.DiffOptions{}); err == nil {
		t.Error("one tree alone has no difference")
	}
}

func TestWriteFolded(t *testing.T) {
	before := "main;b 1\nmain;at 0xFe01;x 2\nmain 5"
	after := "main;at 0x77;x 3\nmain;new;y 4\nmain 5"
	check := func(opt calltree.DiffOptions, want string) {
		t.Helper()
		var b strings.Builder
		if err := diff(t, before, after, opt).WriteFolded(&b); err != nil {
			t.Fatal(err)
		}
		equal(t, "folded", b.String(), want)
	}
	check(calltree.DiffOptions{}, "main 5 5\nmain;at 0x77;x 0 3\nmain;at 0xFe01;x 2 0\nmain;b 1 0\nmain;new;y 0 4\n")
	check(calltree.DiffOptions{StripHex: true}, "main 5 5\nmain;at 0x...;x 2 3\nmain;b 1 0\nmain;new;y 0 4\n")
	if err := diff(t, before, after, calltree.DiffOptions{}).WriteFolded(fullDisk{}); err == nil {
		t.Error("a full disk is no error")
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestConformanceDiffFolded holds the format against what the peers write.
func TestConformanceDiffFolded(t *testing.T) {
	dir := filepath.FromSlash("../../../shared/conformance/diff-folded")
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Skipf("the conformance data is not beside the project: %v", err)
		}
		return string(b)
	}
	before, after := read("before.txt"), read("after.txt")
	for name, opt := range map[string]calltree.DiffOptions{
		"expected.default.txt":   {},
		"expected.strip_hex.txt": {StripHex: true},
	} {
		for _, d := range []*calltree.Difference{diff(t, before, after, opt), diff(t, before, after, opt).Invert()} {
			var b strings.Builder
			if err := d.WriteFolded(&b); err != nil {
				t.Fatal(err)
			}
			equal(t, name, b.String(), read(name))
		}
	}
}
