package calltree

import (
	"cmp"
	"slices"
	"strings"
)

// An Entry is a function in the top table.
type Entry struct {
	Name string
	Weight
}

// Top returns a row for each function name, the most flat weight first, as `go tool pprof
// -top` does: Cum counts a stack once, however often the function is on it.
func (t *Tree) Top() []Entry {
	names, group := t.names()
	entries := make([]Entry, len(names))
	onStack := newOnStack(len(names))
	for i := range t.Nodes {
		n := &t.Nodes[i]
		onStack.enter(n.Depth)
		if n.Frame < 0 {
			continue
		}
		g := group[n.Frame]
		e := &entries[g]
		e.Name, e.Flat = names[g], e.Flat+t.own(n)
		if onStack.push(n.Depth, g) {
			e.Cum += n.Cum
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Flat, a.Flat), cmp.Compare(b.Cum, a.Cum), strings.Compare(a.Name, b.Name))
	})
	return entries
}

// own is the weight that a function has by itself at a node. In an inverted tree that is
// what stands on the first level, where the stacks begin.
func (t *Tree) own(n *Node) int64 {
	switch {
	case !t.Inverted:
		return n.Flat
	case n.Depth == 1:
		return n.Cum
	}
	return 0
}

// names returns each function name once, and which of them every frame has: functions of
// the same name in two modules are one row, as in pprof.
func (t *Tree) names() (names []string, group []int32) {
	group = make([]int32, len(t.Frames))
	for i, f := range t.Frames { // in byte order of names
		if len(names) == 0 || names[len(names)-1] != f.Name {
			names = append(names, f.Name)
		}
		group[i] = int32(len(names) - 1)
	}
	return names, group
}

// onStack knows what is on the current stack during a pass in preorder.
type onStack struct {
	count []int32 // by name
	path  []int32 // by depth: the name there, -1 for none
}

func newOnStack(names int) *onStack { return &onStack{count: make([]int32, names)} }

// enter leaves all nodes that are not above a node of this depth.
func (s *onStack) enter(depth int32) {
	for len(s.path) > int(depth) {
		if g := s.path[len(s.path)-1]; g >= 0 {
			s.count[g]--
		}
		s.path = s.path[:len(s.path)-1]
	}
}

// push puts a name on the stack and reports whether it was not there yet.
func (s *onStack) push(depth, name int32) bool {
	for len(s.path) < int(depth) {
		s.path = append(s.path, -1)
	}
	s.path = append(s.path, name)
	s.count[name]++
	return s.count[name] == 1
}

// HotPath returns the nodes from the root's heaviest child downwards, each the heaviest
// child of the one before. It ends where a node's own weight exceeds that of its heaviest
// child, and before one that has less than minShare (0 to 1) of the total.
func (t *Tree) HotPath(minShare float64) []int32 {
	var path []int32
	for at := int32(0); ; {
		next := int32(-1)
		for c := at + 1; c < t.Nodes[at].End; c = t.Nodes[c].End {
			if next < 0 || t.Nodes[c].Cum > t.Nodes[next].Cum {
				next = c
			}
		}
		if next < 0 || t.Share(t.Nodes[next].Cum) < minShare || t.Nodes[at].Flat > t.Nodes[next].Cum {
			return path
		}
		path = append(path, next)
		at = next
	}
}

// Depth says how many frames stacks have.
type Depth struct {
	Max    int     // of the deepest stack
	Median int     // half of the weight lies in stacks that are at most so deep
	Mean   float64 // weighted
}

// Depth returns how deep the stacks are.
func (t *Tree) Depth() Depth {
	var d Depth
	byDepth := map[int]int64{}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		d.Max = max(d.Max, int(n.Depth))
		byDepth[int(n.Depth)] += n.Flat
		d.Mean += float64(n.Depth) * t.Share(n.Flat)
	}
	for below := int64(0); d.Median <= d.Max; d.Median++ {
		if below += byDepth[d.Median]; below*2 >= t.Total() {
			break
		}
	}
	return d
}

// Rooted returns the share of weight in stacks that reach the root: whose first frame, or
// second one below the name of a program, is a place where threads begin. The others were
// cut off by the recorder, and their place in the tree is wrong. A nil entry asks
// [IsEntry]; data of Go's own profiler, which leaves that frame away, needs another.
func (t *Tree) Rooted(entry func(Frame) bool) float64 {
	if entry == nil {
		entry = IsEntry
	}
	if t.Inverted {
		return t.Invert().Rooted(entry)
	}
	var weight int64
	for at := int32(1); at < t.Nodes[0].End; at = t.Nodes[at].End {
		if entry(t.Frames[t.Nodes[at].Frame]) {
			weight += t.Nodes[at].Cum
			continue
		}
		for c := at + 1; c < t.Nodes[at].End; c = t.Nodes[c].End {
			if entry(t.Frames[t.Nodes[c].Frame]) {
				weight += t.Nodes[c].Cum
			}
		}
	}
	return t.Share(weight)
}

// entryPoints are the functions that nobody calls: what the loader, the kernel or a
// runtime starts a thread with.
var entryPoints = []string{
	"_start", "_dl_start_user", "_dl_start", "start", "main", "__libc_start_main", "__libc_start_main_impl", "__libc_start_call_main",
	"clone", "__clone", "clone3", "__clone3", "__clone_internal", "start_thread", "thread_start", "_pthread_start", "__bionic_clone",
	"runtime.goexit", "runtime.goexit.abi0", "runtime.mstart", "runtime.mstart.abi0", "runtime.rt0_go", "runtime.rt0_go.abi0",
	"runtime.main", "runtime.mcall", "runtime.mcall.abi0", "runtime.systemstack", "runtime.morestack", "runtime.morestack.abi0",
	"ret_from_fork", "ret_from_fork_asm", "secondary_startup_64", "secondary_startup_64_no_verify", "common_startup_64",
	"start_kernel", "x86_64_start_kernel", "kthread", "RtlUserThreadStart", "BaseThreadInitThunk",
}

// IsEntry reports whether threads begin with a frame, on the systems and in the runtimes
// that the package knows.
func IsEntry(f Frame) bool {
	name := f.Label()
	name, _, _ = strings.Cut(name, "@") // symbol versions
	return slices.Contains(entryPoints, name)
}

// UnknownShare returns the share of weight whose innermost frame has no name.
func (t *Tree) UnknownShare() float64 {
	var weight int64
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if n.Frame >= 0 && t.Frames[n.Frame].Unknown() {
			weight += t.own(n)
		}
	}
	return t.Share(weight)
}

// Through returns the weight of the stacks on which any frame is such a one. A stack counts
// once, however many of its frames are.
func (t *Tree) Through(is func(Frame) bool) int64 {
	if t.Inverted {
		t = t.Invert()
	}
	var weight int64
	for at := int32(1); int(at) < len(t.Nodes); {
		n := &t.Nodes[at]
		if is(t.Frames[n.Frame]) {
			weight += n.Cum
			at = n.End
			continue
		}
		at++
	}
	return weight
}

// IsInit reports whether a frame initialises a program, before its own work begins:
// variables and init functions of Go packages, constructors of C and C++.
func IsInit(f Frame) bool {
	name := bareName(f.Label())
	switch name {
	case "runtime.doInit", "runtime.doInit1", "call_init", "__libc_csu_init", "__do_global_ctors_aux":
		return true
	}
	return strings.HasPrefix(name, "_GLOBAL__sub_I_") || strings.HasPrefix(name, "__static_initialization_and_destruction")
}
