// Package calltree turns a pprof profile into a call tree and says what is in it: the
// weight of each function (flat, cum), the hot path, how deep stacks are and how many of
// them are whole, the class of bottleneck that each weight belongs to, and what changed
// between two profiles.
//
// A [Tree] is made by [FromProfile] and never changes afterwards. Its nodes lie in one
// slice in preorder, so that a loop over it visits callers before what they call, and a
// subtree is a range of it. Weights are integers in the unit of the profile; a share is
// a weight over the total of the tree.
//
// Reading files is the business of perf/profileio, drawing that of perf/flamegraph.
package calltree

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// ErrEmpty is the cause of errors about a profile that holds no weight: there is no call
// tree of nothing.
var ErrEmpty = errors.New("no sample has any weight")

// A Frame is a function as the samples name it. Two frames are the same when all of
// their fields are.
type Frame struct {
	Name   string // as in the profile; "[module]" or "[unknown]" where it has no name for an address
	Module string // the path of the binary or library, "" where the profile does not tell
	Kernel bool   // whether it is code of the kernel
}

// Unknown reports whether the frame has no name but that of its module.
func (f Frame) Unknown() bool {
	return f.Name == "" || f.Name == unknownName || f.Module != "" && f.Name == "["+path.Base(f.Module)+"]"
}

// Label is the name without the marks that folded stacks put behind it: _[k] for code of
// the kernel, _[i] for what was inlined, _[j] for what was compiled at run time, _[w]
// for the stack of the waker.
func (f Frame) Label() string {
	name, _ := cutMark(f.Name)
	return name
}

// Weight is what samples say of a function or of a place in the tree: Flat is its own,
// Cum that of all stacks which go through it, in the unit of the tree.
type Weight struct{ Flat, Cum int64 }

// A Node is a function at a place in the tree: called by the node Parent.
type Node struct {
	Frame  int32 // index into Tree.Frames; -1 for the root, which stands for all stacks
	Parent int32 // index into Tree.Nodes; -1 for the root
	Depth  int32 // 0 for the root
	End    int32 // index behind the last node of its subtree
	Weight
}

// Unit is what the weights of a tree are: as in a profile's sample type, for example
// {"cpu", "nanoseconds"} or {"alloc_space", "bytes"}.
type Unit struct{ Type, Unit string }

// A Tree is all stacks of a profile, merged from the root on. Treat it as read-only.
type Tree struct {
	Unit Unit
	// Frames are in byte order of Name, then Module, each once.
	Frames []Frame
	// Nodes are in preorder. The first is the root, whose Cum is the total and whose Flat
	// is the weight of samples without any stack. The children of a node are ordered as
	// their frames are, so that the trees of two runs look alike.
	Nodes []Node
	// Inverted is whether the children of a node are its callers: see Invert.
	Inverted bool
}

// FromProfile builds the tree of the sample type with the index value, from 0. Inlined
// functions are frames as others are. Each name in roots is that of a label (pprof's
// tagroot): its value on a sample becomes a frame above the stack, so that
// FromProfile(p, 0, "comm", "tid") has a subtree for each program and thread.
//
// It fails with [ErrEmpty] where no sample has any weight, and where a value is negative:
// such a profile is a difference of two already; see [Diff].
func FromProfile(p *profile.Profile, value int, roots ...string) (*Tree, error) {
	if p == nil {
		return nil, errors.New("a call tree needs a profile: there is none")
	}
	if err := p.CheckValid(); err != nil {
		return nil, fmt.Errorf("the call tree of a profile that is not valid: %w", err)
	}
	if value < 0 || value >= len(p.SampleType) {
		return nil, fmt.Errorf("the profile has no sample type %d; it has %s", value, sampleTypes(p))
	}
	t := &Tree{Unit: Unit{p.SampleType[value].Type, p.SampleType[value].Unit}}
	b := newBuilder(p)
	for _, s := range p.Sample {
		if err := b.add(s, value, roots); err != nil {
			return nil, fmt.Errorf("sample type %q: %w", t.Unit.Type, err)
		}
	}
	if b.total == 0 {
		return nil, fmt.Errorf("sample type %q: %w; the profile has %d samples of %s",
			t.Unit.Type, ErrEmpty, len(p.Sample), sampleTypes(p))
	}
	t.Frames = b.frames.sorted(&b.stacks)
	t.Nodes = make([]Node, 0, len(b.stacks.nodes))
	b.stacks.preorder(func(n flatNode) {
		t.Nodes = append(t.Nodes, Node{n.frame, n.parent, n.depth, 0, Weight{Flat: n.flat[0]}})
	}, len(b.stacks.nodes))
	t.sum()
	return t, nil
}

// SampleIndex finds a sample type by name ("cpu", "alloc_space"). An empty name asks for
// the profile's default, which is the last one where the profile names none, as in pprof.
func SampleIndex(p *profile.Profile, name string) (int, error) {
	at, err := p.SampleIndexByName(name)
	if err != nil {
		return 0, fmt.Errorf("the profile has no sample type %q; it has %s", name, sampleTypes(p))
	}
	return at, nil
}

func sampleTypes(p *profile.Profile) string {
	var names []string
	for _, t := range p.SampleType {
		names = append(names, t.Type+"/"+t.Unit)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Total is the weight of all stacks.
func (t *Tree) Total() int64 { return t.Nodes[0].Cum }

// Share is the part that weight is of the total: 1 is all of it.
func (t *Tree) Share(weight int64) float64 { return float64(weight) / float64(t.Total()) }

// Name is the name of a node's frame, and "all" for the root.
func (t *Tree) Name(node int32) string {
	if f := t.Nodes[node].Frame; f >= 0 {
		return t.Frames[f].Name
	}
	return "all"
}

// Children returns the indices of the nodes that a node calls, or is called by where the
// tree is inverted.
func (t *Tree) Children(node int32) []int32 {
	var out []int32
	for at := node + 1; at < t.Nodes[node].End; at = t.Nodes[at].End {
		out = append(out, at)
	}
	return out
}

// sum fills in Cum and End. Children lie behind their parents, so one pass from the back
// has finished a node when it comes to its parent.
func (t *Tree) sum() {
	for i := len(t.Nodes) - 1; i >= 0; i-- {
		n := &t.Nodes[i]
		n.Cum += n.Flat
		n.End = max(n.End, int32(i)+1)
		if n.Parent >= 0 {
			up := &t.Nodes[n.Parent]
			up.Cum += n.Cum
			up.End = max(up.End, n.End)
		}
	}
}

// Invert returns the tree of callers: its first level are the functions that have weight
// of their own, and below each is who called it. Flat is then the weight of stacks whose
// root is there. Inverting twice gives the first tree.
func (t *Tree) Invert() *Tree {
	out := &Tree{Unit: t.Unit, Frames: t.Frames, Inverted: !t.Inverted}
	stacks := newTrie(len(t.Nodes))
	for i := range t.Nodes {
		flat := t.Nodes[i].Flat
		if flat == 0 {
			continue
		}
		var at int32
		for n := int32(i); n > 0; n = t.Nodes[n].Parent {
			at = stacks.child(at, t.Nodes[n].Frame)
		}
		stacks.nodes[at].flat[0] += flat
	}
	stacks.preorder(func(n flatNode) {
		out.Nodes = append(out.Nodes, Node{n.frame, n.parent, n.depth, 0, Weight{Flat: n.flat[0]}})
	}, len(stacks.nodes))
	out.sum()
	return out
}

const unknownName = "[unknown]"

// builder reads samples. Locations are turned into frames once, however many samples
// share them.
type builder struct {
	frames    frameTable
	stacks    trie
	locations map[*profile.Location][]int32 // from the caller to what is inlined into it
	total     int64
}

func newBuilder(p *profile.Profile) *builder {
	return &builder{
		frames:    frameTable{ids: make(map[Frame]int32, len(p.Function))},
		stacks:    *newTrie(2 * len(p.Sample)),
		locations: make(map[*profile.Location][]int32, len(p.Location)),
	}
}

func (b *builder) add(s *profile.Sample, value int, roots []string) error {
	weight := s.Value[value]
	switch {
	case weight == 0:
		return nil
	case weight < 0:
		return fmt.Errorf("a sample weighs %d: a profile that is a difference has no call tree; compare the two that it was made of", weight)
	case b.total > math.MaxInt64-weight:
		return fmt.Errorf("the weights of all samples add up to more than %d", int64(math.MaxInt64))
	}
	b.total += weight
	var at int32
	for _, key := range roots {
		at = b.stacks.child(at, b.frames.id(Frame{Name: labelValue(s, key)}))
	}
	for i := len(s.Location) - 1; i >= 0; i-- {
		for _, f := range b.location(s.Location[i]) {
			at = b.stacks.child(at, f)
		}
	}
	b.stacks.nodes[at].flat[0] += weight
	return nil
}

func labelValue(s *profile.Sample, key string) string {
	if v := s.Label[key]; len(v) > 0 {
		return strings.Join(v, ",")
	}
	if v := s.NumLabel[key]; len(v) > 0 {
		return fmt.Sprint(v[0])
	}
	return "[no " + key + "]"
}

func (b *builder) location(l *profile.Location) []int32 {
	if ids, ok := b.locations[l]; ok {
		return ids
	}
	module := ""
	if l.Mapping != nil {
		module = l.Mapping.File
	}
	var ids []int32
	for i := len(l.Line) - 1; i >= 0; i-- {
		if f := l.Line[i].Function; f != nil {
			ids = append(ids, b.frames.id(newFrame(f.Name, module)))
		}
	}
	if len(ids) == 0 {
		ids = []int32{b.frames.id(newFrame("", module))}
	}
	b.locations[l] = ids
	return ids
}

// newFrame names what has no name after its module, as perf and pprof do.
func newFrame(name, module string) Frame {
	_, mark := cutMark(name)
	f := Frame{Name: name, Module: module, Kernel: mark == 'k' || IsKernel(module)}
	if name == "" {
		f.Name = unknownName
		if module != "" && module != unknownName {
			f.Name = "[" + strings.Trim(path.Base(module), "[]") + "]"
		}
	}
	return f
}

// cutMark parts the mark at the end of a folded frame from its name.
func cutMark(name string) (string, byte) {
	if n := len(name) - 4; n > 0 && name[n:n+2] == "_[" && name[n+3] == ']' && strings.IndexByte("kijw", name[n+2]) >= 0 {
		return name[:n], name[n+2]
	}
	return name, 0
}

// IsKernel reports whether a module is the kernel or a part of it: [kernel.kallsyms],
// [guest.kernel.kallsyms], vmlinux, or a loadable module in brackets or with its file.
func IsKernel(module string) bool {
	base := path.Base(module)
	switch {
	case strings.HasPrefix(module, "["):
		// perf writes loadable modules as [name], and what is not a file of the user side
		// in brackets too.
		return !slices.Contains([]string{"[vdso]", "[vsyscall]", "[heap]", "[stack]", "[anon]", "[uprobes]", unknownName}, module)
	case strings.HasSuffix(base, ".ko"), strings.HasSuffix(base, ".ko.xz"), strings.HasSuffix(base, ".ko.zst"):
		return true
	}
	return base == "vmlinux" || strings.HasPrefix(base, "vmlinux-")
}

// frameTable numbers frames as they come.
type frameTable struct {
	ids map[Frame]int32
	all []Frame
}

func (t *frameTable) id(f Frame) int32 {
	id, ok := t.ids[f]
	if !ok {
		id = int32(len(t.all))
		t.ids[f] = id
		t.all = append(t.all, f)
	}
	return id
}

// sorted returns the frames in their final order, and numbers those of the stacks anew:
// from then on, to order nodes by name is to order them by number.
func (t *frameTable) sorted(stacks *trie) []Frame {
	order := make([]int32, len(t.all))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return compareFrames(t.all[a], t.all[b]) })
	rank, out := make([]int32, len(order)), make([]Frame, len(order))
	for to, from := range order {
		rank[from], out[to] = int32(to), t.all[from]
	}
	for i := range stacks.nodes {
		if f := stacks.nodes[i].frame; f >= 0 {
			stacks.nodes[i].frame = rank[f]
		}
	}
	return out
}

func compareFrames(a, b Frame) int {
	if c := cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Module, b.Module)); c != 0 || a.Kernel == b.Kernel {
		return c
	}
	if a.Kernel {
		return 1
	}
	return -1
}
