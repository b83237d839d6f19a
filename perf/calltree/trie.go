package calltree

import "slices"

// A trie is stacks under construction, of one profile or of two: nodes in the order in
// which they came, each found from its parent through one map.
type trie struct {
	nodes []trieNode
	found map[uint64]int32 // parent and frame to node
}

type trieNode struct {
	frame, parent int32
	latest        int32    // the child that was asked for last
	flat          [2]int64 // of the old and of the new profile where there are two
}

func newTrie(size int) *trie {
	t := &trie{nodes: make([]trieNode, 1, size+1), found: make(map[uint64]int32, size)}
	t.nodes[0] = trieNode{frame: -1, parent: -1}
	return t
}

// child returns the node of a frame under a parent, and makes it where there is none.
func (t *trie) child(parent, frame int32) int32 {
	// Samples that follow each other often share most of their stack.
	if at := t.nodes[parent].latest; at != 0 && t.nodes[at].frame == frame {
		return at
	}
	at := t.lookup(parent, frame)
	t.nodes[parent].latest = at
	return at
}

func (t *trie) lookup(parent, frame int32) int32 {
	key := uint64(uint32(parent))<<32 | uint64(uint32(frame))
	if at, ok := t.found[key]; ok {
		return at
	}
	at := int32(len(t.nodes))
	t.found[key] = at
	t.nodes = append(t.nodes, trieNode{frame: frame, parent: parent})
	return at
}

// flatNode is a node at its final place.
type flatNode struct {
	frame, parent, depth int32
	flat                 [2]int64
}

// preorder calls visit for every node, callers first, children in the order of their
// frames. Stacks can be deeper than the stack of this program is, so it does not recurse.
func (t *trie) preorder(visit func(flatNode), size int) {
	children := t.children()
	type pending struct{ node, parent, depth int32 }
	stack := make([]pending, 1, size)
	stack[0] = pending{0, -1, 0}
	for placed := int32(0); len(stack) > 0; placed++ {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		visit(flatNode{t.nodes[p.node].frame, p.parent, p.depth, t.nodes[p.node].flat})
		below := children(p.node)
		for i := len(below) - 1; i >= 0; i-- { // what is pushed last comes first
			stack = append(stack, pending{below[i], placed, p.depth + 1})
		}
	}
}

// children sorts the children of all nodes into one slice, by counting, and returns where
// to look them up.
func (t *trie) children() func(node int32) []int32 {
	start := make([]int32, len(t.nodes)+1)
	for _, n := range t.nodes[1:] {
		start[n.parent+1]++
	}
	for i := 1; i < len(start); i++ {
		start[i] += start[i-1]
	}
	fill, all := slices.Clone(start), make([]int32, len(t.nodes)-1)
	for at := int32(1); int(at) < len(t.nodes); at++ {
		p := t.nodes[at].parent
		all[fill[p]] = at
		fill[p]++
	}
	return func(node int32) []int32 {
		below := all[start[node]:start[node+1]]
		slices.SortFunc(below, func(a, b int32) int { return int(t.nodes[a].frame) - int(t.nodes[b].frame) })
		return below
	}
}
