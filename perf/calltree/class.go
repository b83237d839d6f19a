package calltree

import (
	"cmp"
	"slices"
	"strings"
)

// A Class is a kind of bottleneck: a group ("Serialisation") and what it is in it
// ("TOML"), which may be empty.
type Class struct{ Group, Name string }

// The classes of what no rule matches.
var (
	Compute          = Class{Group: "Compute"}
	OtherSystemCalls = Class{"System calls", "other"}
)

func (c Class) String() string {
	if c.Name == "" {
		return c.Group
	}
	return c.Group + ": " + c.Name
}

// A ClassShare says how much of a profile belongs to a class.
type ClassShare struct {
	Class
	// Weight is the exclusive one: each stack is in one class, and the weights of all
	// classes, with that of idle threads, add up to the total. Share is Weight over the
	// total without what is idle, so that shares add up to 1.
	Weight int64
	Share  float64
	// Inclusive is the share of stacks on which any frame claims its callees for the
	// class, or the last one its own weight, whatever class they are counted in: JSON under
	// a call of Docker is in both.
	Inclusive float64
	// Kernel is the part of Share that a function of the kernel decides, as nothing that the
	// program calls is of the class: page faults, where no allocator is on the stack.
	Kernel float64
	// Leaders are the names of up to three functions that have most of the exclusive
	// weight, as evidence: each is the frame that a rule matched, and not what it calls.
	Leaders []string
}

// A Classification is a tree with the class of every node.
type Classification struct {
	Classes []Class // by number: Compute, OtherSystemCalls, then those of the rules in their order
	// ByNode is the class of each node's own weight, in the tree of callees: what a stack
	// that ends there is counted in.
	ByNode []uint16
	// ByFrame is the class that each frame of the tree would have by itself.
	ByFrame []uint16
	// Shares of the classes that have any, the greatest exclusive weight first.
	Shares []ClassShare
	// Idle is what the rules of idle sections claim of a profile of waits: threads that a
	// runtime keeps for work which has not come. They wait for nothing that could come
	// sooner, so that they are in none of the shares; in ByNode, and so in a picture, they
	// are. Its Share is that of the whole tree.
	Idle ClassShare

	idle []bool // by class
}

// offCPU is the type of the samples of a profile of waits.
const offCPU = "off-cpu"

// Busy returns the tree without the stacks of idle threads, as the classification of it
// tells them; the tree itself, where there are none. Of a tree that is nothing but idle
// it is a tree of nothing: its total is 0.
func (t *Tree) Busy(c *Classification) *Tree {
	if c.Idle.Weight == 0 || len(c.ByNode) != len(t.Nodes) {
		return t
	}
	flat, cum := make([]int64, len(t.Nodes)), make([]int64, len(t.Nodes))
	for i := len(t.Nodes) - 1; i >= 0; i-- {
		if !c.idle[c.ByNode[i]] {
			flat[i] = t.Nodes[i].Flat
		}
		cum[i] += flat[i]
		if up := t.Nodes[i].Parent; up >= 0 {
			cum[up] += cum[i]
		}
	}
	out := &Tree{Unit: t.Unit, Frames: t.Frames}
	moved := make([]int32, len(t.Nodes))
	for i, n := range t.Nodes {
		if cum[i] == 0 && i > 0 {
			continue
		}
		moved[i] = int32(len(out.Nodes))
		if n.Parent >= 0 {
			n.Parent = moved[n.Parent]
		}
		n.Weight, n.End = Weight{Flat: flat[i]}, 0
		out.Nodes = append(out.Nodes, n)
	}
	out.sum()
	return out
}

// Classify gives each stack of the tree its class, by the rules; nil asks [DefaultRules].
func (t *Tree) Classify(rules *Rules) *Classification {
	if rules == nil {
		rules = DefaultRules()
	}
	if t.Inverted {
		t = t.Invert()
	}
	c := &Classification{Classes: rules.classes, ByFrame: make([]uint16, len(t.Frames)), ByNode: make([]uint16, len(t.Nodes)), idle: rules.idle}
	waits := t.Unit.Type == offCPU
	matches := make([]match, len(t.Frames))
	for i, f := range t.Frames {
		matches[i] = rules.match(f, waits)
		c.ByFrame[i] = matches[i].class
		if matches[i].strength == 0 {
			c.ByFrame[i] = rules.fallback(f)
		}
	}
	run := newClassRun(t, rules, matches, c.ByNode)
	run.all()
	if c.Idle = run.idle(); c.Idle.Weight > 0 {
		// Callers of idle stacks have no part in the shares either.
		busy := t.Busy(c)
		run = newClassRun(busy, rules, matches, make([]uint16, len(busy.Nodes)))
		run.all()
	}
	c.Shares = run.shares()
	slices.SortStableFunc(c.Shares, func(a, b ClassShare) int { return cmp.Compare(b.Weight, a.Weight) })
	return c
}

// idle adds up what is of idle classes.
func (r *classRun) idle() ClassShare {
	var out ClassShare
	for class, weight := range r.exclusive {
		if r.rules.idle[class] && weight > 0 {
			// Of several such classes the last names the sum: nobody has to choose among them.
			out = ClassShare{Class: r.rules.classes[class], Weight: out.Weight + weight, Leaders: append(out.Leaders, r.top(class, 3)...)}
		}
	}
	out.Share = r.tree.Share(out.Weight)
	out.Inclusive = out.Share
	return out
}

// shares are those of all classes that have any weight.
func (r *classRun) shares() []ClassShare {
	var out []ClassShare
	if r.tree.Total() == 0 {
		return nil // all of it was idle
	}
	for class, weight := range r.exclusive {
		if weight > 0 || r.inclusive[class] > 0 {
			out = append(out, ClassShare{Class: r.rules.classes[class], Weight: weight, Share: r.tree.Share(weight),
				Inclusive: r.tree.Share(r.inclusive[class]), Kernel: r.tree.Share(r.ofKernel(class)), Leaders: r.top(class, 3)})
		}
	}
	return out
}

// Groups adds the shares of the classes of each group up, the greatest first. Inclusive
// is left 0: stacks in two classes of a group cannot be told from the sums.
func (c *Classification) Groups() []ClassShare {
	var out []ClassShare
	for _, s := range c.Shares {
		at := slices.IndexFunc(out, func(g ClassShare) bool { return g.Group == s.Group })
		if at < 0 {
			at = len(out)
			out = append(out, ClassShare{Class: Class{Group: s.Group}})
		}
		out[at].Weight += s.Weight
		out[at].Share += s.Share
		out[at].Kernel += s.Kernel
		for _, l := range s.Leaders {
			if len(out[at].Leaders) < 3 && s.Weight > 0 {
				out[at].Leaders = append(out[at].Leaders, l)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b ClassShare) int { return cmp.Compare(b.Weight, a.Weight) })
	return out
}

// claim is what a stack that ends at a node belongs to so far.
type claim struct {
	class    uint16
	strength uint8
	frame    int32 // that decided
}

// classRun is one pass over a tree.
type classRun struct {
	tree                 *Tree
	rules                *Rules
	matches              []match // by frame
	claims               []claim // by node
	byNode               []uint16
	exclusive, inclusive []int64 // by class
	leaders              []map[int32]int64
}

func newClassRun(t *Tree, rules *Rules, matches []match, byNode []uint16) *classRun {
	n := len(rules.classes)
	return &classRun{tree: t, rules: rules, byNode: byNode, matches: matches, claims: make([]claim, len(t.Nodes)),
		exclusive: make([]int64, n), inclusive: make([]int64, n), leaders: make([]map[int32]int64, n)}
}

// all carries claims down the tree. A frame takes a stack over from its callers unless
// their rule is stronger: so the innermost frame of the strongest rule has it.
func (r *classRun) all() {
	onStack := newOnStack(len(r.exclusive))
	for i := range r.tree.Nodes {
		n := &r.tree.Nodes[i]
		onStack.enter(n.Depth)
		c := claim{frame: -1}
		if n.Frame >= 0 {
			c = r.claims[n.Parent]
			r.claims[i] = c
			m := r.matches[n.Frame]
			if r.takes(m, c) {
				c = claim{m.class, m.strength, n.Frame}
			}
			if m.own {
				r.inclusiveOwn(onStack, n, m)
			} else if r.claims[i] = c; m.strength > 0 && onStack.push(n.Depth, int32(m.class)) {
				r.inclusive[m.class] += n.Cum
			}
		}
		if c.strength == 0 {
			c = r.unclaimed(n)
		}
		r.byNode[i] = c.class
		r.count(n, c)
	}
}

// unclaimed is the claim of a stack that no rule matches.
func (r *classRun) unclaimed(n *Node) claim {
	if n.Frame < 0 {
		return claim{class: r.rules.compute(), frame: -1}
	}
	return claim{class: r.rules.fallback(r.tree.Frames[n.Frame]), frame: n.Frame}
}

// takes reports whether a frame takes a stack over from its callers.
func (r *classRun) takes(m match, c claim) bool {
	if m.strength == 0 || m.strength < c.strength {
		return false
	}
	to, from := r.rules.classes[m.class], r.rules.classes[c.class]
	return c.strength == 0 || to.Name != "other" || to.Group != from.Group
}

// inclusiveOwn counts what a frame has by itself, unless a caller has counted it.
func (r *classRun) inclusiveOwn(s *onStack, n *Node, m match) {
	if s.count[m.class] == 0 {
		r.inclusive[m.class] += n.Flat
	}
}

func (r *classRun) count(n *Node, c claim) {
	if n.Flat == 0 {
		return
	}
	if c.strength == 0 {
		r.inclusive[c.class] += n.Flat
	}
	r.exclusive[c.class] += n.Flat
	if r.leaders[c.class] == nil {
		r.leaders[c.class] = map[int32]int64{}
	}
	r.leaders[c.class][c.frame] += n.Flat
}

// ofKernel is the weight of a class that frames of the kernel decided.
func (r *classRun) ofKernel(class int) (sum int64) {
	for f, weight := range r.leaders[class] {
		if f >= 0 && r.tree.Frames[f].Kernel {
			sum += weight
		}
	}
	return sum
}

// top returns the names of the frames that decided for most of a class.
func (r *classRun) top(class, n int) []string {
	frames := make([]int32, 0, len(r.leaders[class]))
	for f := range r.leaders[class] {
		if f >= 0 {
			frames = append(frames, f)
		}
	}
	weights := r.leaders[class]
	slices.SortFunc(frames, func(a, b int32) int { return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b)) })
	var names []string
	for _, f := range frames[:min(n, len(frames))] {
		if name := r.tree.Frames[f].Label(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// glob reports whether a pattern with * and ? matches all of a text. It takes time
// proportional to the product of both lengths at the worst, as hostile names could want.
func glob(pattern, text string) bool {
	star, mark := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
