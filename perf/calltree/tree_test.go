package calltree_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
)

// folded makes a profile of lines "root;...;leaf weight". A frame may be written as
// name@module.
func folded(t testing.TB, text string) *profile.Profile {
	t.Helper()
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}}}
	locations, mappings := map[string]*profile.Location{}, map[string]*profile.Mapping{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		weight, err := strconv.ParseInt(line[at+1:], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s := &profile.Sample{Value: []int64{weight}}
		frames := strings.Split(line[:at], ";")
		slices.Reverse(frames)
		for _, frame := range frames {
			l := locations[frame]
			if l == nil {
				l = location(p, mappings, frame)
				locations[frame] = l
			}
			s.Location = append(s.Location, l)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func location(p *profile.Profile, mappings map[string]*profile.Mapping, frame string) *profile.Location {
	name, module, _ := strings.Cut(frame, "@")
	f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, SystemName: name}
	p.Function = append(p.Function, f)
	l := &profile.Location{ID: uint64(len(p.Location) + 1), Line: []profile.Line{{Function: f}}}
	if module != "" {
		m := mappings[module]
		if m == nil {
			m = &profile.Mapping{ID: uint64(len(p.Mapping) + 1), File: module}
			mappings[module] = m
			p.Mapping = append(p.Mapping, m)
		}
		l.Mapping = m
	}
	p.Location = append(p.Location, l)
	return l
}

func tree(t testing.TB, text string) *calltree.Tree {
	t.Helper()
	out, err := calltree.FromProfile(folded(t, text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// text renders a tree as indented lines: name flat cum.
func text(tr *calltree.Tree) string {
	var b strings.Builder
	for i, n := range tr.Nodes {
		fmt.Fprintf(&b, "%s%s %d %d\n", strings.Repeat("  ", int(n.Depth)), tr.Name(int32(i)), n.Flat, n.Cum)
	}
	return b.String()
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

const small = `
main;parse;read 3
main;run;work 5
main;run 1
main;parse;alloc 2
main;parse;read 1
`

func TestTree(t *testing.T) {
	tr := tree(t, small)
	equal(t, "tree", text(tr), `all 0 12
  main 0 12
    parse 0 6
      alloc 2 2
      read 4 4
    run 1 6
      work 5 5
`)
	equal(t, "callers", text(tr.Invert()), `all 0 12
  alloc 0 2
    parse 0 2
      main 2 2
  read 0 4
    parse 0 4
      main 4 4
  run 0 1
    main 1 1
  work 0 5
    run 0 5
      main 5 5
`)
	equal(t, "callers of callers", text(tr.Invert().Invert()), text(tr))
}

// Every tree has these, whatever the profile.
func TestInvariants(t *testing.T) {
	for _, tr := range []*calltree.Tree{tree(t, small), tree(t, small).Invert(), tree(t, "a;b;a;b;c 7\na 1\nb 2\nb;a 4")} {
		for i, n := range tr.Nodes {
			cum, depth := n.Flat, n.Depth+1
			for _, c := range tr.Children(int32(i)) {
				cum += tr.Nodes[c].Cum
				if tr.Nodes[c].Parent != int32(i) || tr.Nodes[c].Depth != depth {
					t.Errorf("node %d is listed as a child of %d, but has parent %d at depth %d", c, i, tr.Nodes[c].Parent, tr.Nodes[c].Depth)
				}
			}
			if cum != n.Cum {
				t.Errorf("node %d: flat and the children add up to %d, cum is %d", i, cum, n.Cum)
			}
		}
		if got := int(tr.Nodes[0].End); got != len(tr.Nodes) {
			t.Errorf("the subtree of the root ends at %d of %d", got, len(tr.Nodes))
		}
	}
}

func TestTopCountsRecursionOnce(t *testing.T) {
	tr := tree(t, "main;fib;fib;fib 5\nmain;fib 2\nmain;other;fib 1")
	want := []calltree.Entry{
		{Name: "fib", Weight: calltree.Weight{Flat: 8, Cum: 8}},
		{Name: "main", Weight: calltree.Weight{Cum: 8}},
		{Name: "other", Weight: calltree.Weight{Cum: 1}},
	}
	if got := tr.Top(); !reflect.DeepEqual(got, want) {
		t.Errorf("top is %v, want %v", got, want)
	}
	if got := tr.Invert().Top(); !reflect.DeepEqual(got, want) {
		t.Errorf("top of the inverted tree is %v, want %v", got, want)
	}
}

func TestHotPath(t *testing.T) {
	names := func(tr *calltree.Tree, minShare float64) string {
		var out []string
		for _, n := range tr.HotPath(minShare) {
			out = append(out, tr.Name(n))
		}
		return strings.Join(out, ";")
	}
	tr := tree(t, "main;a;x 4\nmain;a;y 3\nmain;b;z 6\nmain;a;x;deep 1")
	equal(t, "path", names(tr, 0), "main;a;x")
	equal(t, "path of shares over 0.4", names(tr, 0.4), "main;a")
	equal(t, "path of a share that none has", names(tr, 1.1), "")
}

func TestDepth(t *testing.T) {
	got := tree(t, "a 5\na;b;c;d 4\na;b 1").Depth()
	if want := (calltree.Depth{Max: 4, Median: 1, Mean: 2.3}); got.Max != want.Max || got.Median != want.Median || math.Abs(got.Mean-want.Mean) > 1e-12 {
		t.Errorf("depth is %+v, want %+v", got, want)
	}
}

func TestRooted(t *testing.T) {
	for _, c := range []struct {
		stacks string
		want   float64
	}{
		{"_start;main;x 3\n[unknown];x 1", 0.75},
		{"dd;_start;main 3\ndd;[unknown];read 1", 0.75}, // below the name of the program
		{"x;y;_start 1", 0},                             // too far inside to be the root
		{"__libc_start_main@@GLIBC_2.34@/lib/libc.so.6;main 1", 1},
		{"entry_SYSCALL_64@[kernel.kallsyms] 1\nret_from_fork_asm_[k];kthread_[k] 1", 0.5},
	} {
		tr := tree(t, c.stacks)
		if got := tr.Rooted(nil); got != c.want {
			t.Errorf("%q: rooted is %g, want %g", c.stacks, got, c.want)
		}
		if got := tr.Invert().Rooted(nil); got != c.want {
			t.Errorf("%q inverted: rooted is %g, want %g", c.stacks, got, c.want)
		}
	}
	all := func(calltree.Frame) bool { return true }
	if got := tree(t, "x 1\ny 1").Rooted(all); got != 1 {
		t.Errorf("rooted is %g where every frame is a root", got)
	}
}

func TestUnknownShare(t *testing.T) {
	tr := tree(t, "main;[unknown] 1\nmain;[libc.so.6]@/lib/libc.so.6 1\nmain;[x] 1\n[unknown];main 1")
	if got := tr.UnknownShare(); got != 0.5 {
		t.Errorf("the unknown share is %g, want 0.5", got)
	}
}

func TestFramesWithoutAName(t *testing.T) {
	p := folded(t, "main;f@/usr/lib/libx.so 1\nmain;g 1")
	p.Sample[0].Location[0].Line, p.Sample[1].Location[0].Line = nil, nil
	tr, err := calltree.FromProfile(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "tree", text(tr), "all 0 2\n  main 0 2\n    [libx.so] 1 1\n    [unknown] 1 1\n")
	if tr.UnknownShare() != 1 {
		t.Error("an address without a name is not counted as unknown")
	}
}

func TestInlinedFunctionsAreFrames(t *testing.T) {
	p := folded(t, "main;outer 1\nmain;inner 1")
	outer := p.Sample[0].Location[0]
	outer.Line = append([]profile.Line{{Function: p.Function[2]}}, outer.Line...)
	tr, err := calltree.FromProfile(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "tree", text(tr), "all 0 2\n  main 0 2\n    inner 1 1\n    outer 0 1\n      inner 1 1\n")
}

func TestLabelsAsRoots(t *testing.T) {
	p := folded(t, "main 1\nmain 2\nmain 4")
	p.Sample[0].Label = map[string][]string{"comm": {"cc"}}
	p.Sample[1].Label = map[string][]string{"comm": {"ld"}}
	p.Sample[2].NumLabel = map[string][]int64{"comm": {7}}
	tr, err := calltree.FromProfile(p, 0, "comm")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "tree", text(tr), "all 0 7\n  7 0 4\n    main 4 4\n  cc 0 1\n    main 1 1\n  ld 0 2\n    main 2 2\n")
	tr, err = calltree.FromProfile(p, 0, "tid")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "tree by a label that is missing", text(tr), "all 0 7\n  [no tid] 0 7\n    main 7 7\n")
}

func TestKernel(t *testing.T) {
	for module, want := range map[string]bool{
		"[kernel.kallsyms]": true, "[guest.kernel.kallsyms]": true, "[ext4]": true, "/lib/modules/6.1/vmlinux": true, "vmlinux-6.1": true,
		"/lib/modules/6.1/kernel/fs/ext4.ko.xz": true, "/x/veth.ko": true,
		"[vdso]": false, "[unknown]": false, "[heap]": false, "/usr/bin/vmlinuxer": false, "": false, "/usr/bin/x": false,
	} {
		if got := calltree.IsKernel(module); got != want {
			t.Errorf("%q: kernel is %t", module, got)
		}
	}
	tr := tree(t, "read_[k] 1\nread 1\nread@/bin/x 1")
	for _, f := range tr.Frames {
		if f.Kernel != strings.HasSuffix(f.Name, "_[k]") || f.Label() != "read" {
			t.Errorf("%+v: label %q", f, f.Label())
		}
	}
}

func TestProfilesWithoutATree(t *testing.T) {
	p := folded(t, "main 1")
	for _, value := range []int{-1, 1} {
		if _, err := calltree.FromProfile(p, value); err == nil || !strings.Contains(err.Error(), "samples/count") {
			t.Errorf("sample type %d: the error is %v", value, err)
		}
	}
	if _, err := calltree.FromProfile(nil, 0); err == nil {
		t.Error("no profile is no error")
	}
	for _, stacks := range []string{"", "main 0"} {
		if _, err := calltree.FromProfile(folded(t, stacks), 0); !errors.Is(err, calltree.ErrEmpty) && stacks != "" || err == nil {
			t.Errorf("%q: the error is %v", stacks, err)
		}
	}
	if _, err := calltree.FromProfile(folded(t, "main -1"), 0); err == nil || errors.Is(err, calltree.ErrEmpty) {
		t.Errorf("a negative weight: the error is %v", err)
	}
	big := strconv.FormatInt(math.MaxInt64, 10)
	if _, err := calltree.FromProfile(folded(t, "main "+big+"\nmain;x 1"), 0); err == nil {
		t.Error("weights that overflow are no error")
	}
	p.Sample[0].Value = nil
	if _, err := calltree.FromProfile(p, 0); err == nil {
		t.Error("a profile that is not valid is no error")
	}
}

func TestSampleIndex(t *testing.T) {
	p := folded(t, "main 1")
	if at, err := calltree.SampleIndex(p, ""); at != 0 || err != nil {
		t.Errorf("the default is %d, %v", at, err)
	}
	if _, err := calltree.SampleIndex(p, "cpu"); err == nil || !strings.Contains(err.Error(), "samples/count") {
		t.Errorf("the error is %v", err)
	}
}
