package profileio

import "slices"

// A frame is one entry of a stack as the input names it.
type frame struct {
	symbol string // without the offset in it; "[unknown]" where there is none
	module string // the file or the like that it is of
	addr   uint64 // where in memory, if addresses are kept
}

// A thread is who a sample is of. Fields that the input does not tell are empty.
type thread struct {
	comm, pid, tid string
}

// stacks is a set of stacks with their costs, as a tree: stacks of one program share
// most of their callers, and what they share is kept once.
type stacks struct {
	frameTable

	threads  []thread
	threadID map[thread]int32

	nodes []node
	roots []int32    // by thread: its node plus one
	child childTable // but the first: by parent and frame, see childKey
}

// A node is a frame with all its callers. Most have one child, which stands in the node
// itself; the others are in the table.
type node struct {
	parent int32 // -1: the thread whose id is in frame
	frame  int32
	only   int32 // the frame of its first child
	child  int32 // and its node; 0: there is none, as no child is the first of all nodes
	count  int64 // samples that end here
	weight int64 // what these cost
}

func newStacks() *stacks {
	return &stacks{frameTable: newFrameTable(), threadID: map[thread]int32{}, child: newChildTable()}
}

func (s *stacks) threadOf(t thread) int32 {
	id, ok := s.threadID[t]
	if !ok {
		id = int32(len(s.threads))
		s.threads = append(s.threads, t)
		s.threadID[t] = id
	}
	return id
}

// root returns the node of a thread.
func (s *stacks) root(thread int32) int32 {
	for int(thread) >= len(s.roots) {
		s.roots = append(s.roots, 0)
	}
	if s.roots[thread] == 0 {
		s.roots[thread] = s.node(-1, thread) + 1
	}
	return s.roots[thread] - 1
}

// node makes one.
func (s *stacks) node(parent, frame int32) int32 {
	s.nodes = append(roomy(s.nodes), node{parent: parent, frame: frame})
	return int32(len(s.nodes) - 1)
}

// roomy makes room for one more in what gets long: twice the length at a time. What append
// does by itself for large slices copies each element five times until the end.
func roomy[T any](s []T) []T {
	if len(s) < cap(s) {
		return s
	}
	return slices.Grow(s, max(len(s), 64))
}

func childKey(parent, frame int32) uint64 { return uint64(uint32(parent))<<32 | uint64(uint32(frame)) }

func (s *stacks) childOf(parent, frame int32) int32 {
	switch n := &s.nodes[parent]; {
	case n.child == 0:
		id := s.node(parent, frame)
		n = &s.nodes[parent] // which may have moved
		n.only, n.child = frame, id
		return id
	case n.only == frame:
		return n.child
	}
	key := childKey(parent, frame)
	slot := s.child.slot(key)
	if slot.node != 0 {
		return slot.node - 1
	}
	id := s.node(parent, frame)
	s.child.put(slot, key, id)
	return id
}

// add counts a sample: its frames from the leaf to the root.
func (s *stacks) add(thread int32, leafFirst []int32, weight int64) {
	at := s.root(thread)
	for _, f := range slices.Backward(leafFirst) {
		at = s.childOf(at, f)
	}
	s.nodes[at].count++
	s.nodes[at].weight += weight
}

// path appends the ids of the frames of a node to into, from the leaf to the root,
// and returns the thread.
func (s *stacks) path(at int32, into []int32) (thread int32, leafFirst []int32) {
	for s.nodes[at].parent >= 0 {
		into = append(into, s.nodes[at].frame)
		at = s.nodes[at].parent
	}
	return s.nodes[at].frame, into
}
