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
	// classes add up to the total. Share is Weight over the total.
	Weight int64
	Share  float64
	// Inclusive is the share of stacks on which any frame claims its callees for the
	// class, or the last one its own weight, whatever class they are counted in: JSON under
	// a call of Docker is in both.
	Inclusive float64
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
}

// Classify gives each stack of the tree its class, by the rules; nil asks [DefaultRules].
func (t *Tree) Classify(rules *Rules) *Classification {
	if rules == nil {
		rules = DefaultRules()
	}
	if t.Inverted {
		t = t.Invert()
	}
	c := &Classification{Classes: rules.classes, ByFrame: make([]uint16, len(t.Frames)), ByNode: make([]uint16, len(t.Nodes))}
	run := classRun{tree: t, rules: rules, byNode: c.ByNode, matches: make([]match, len(t.Frames)), claims: make([]claim, len(t.Nodes)),
		exclusive: make([]int64, len(rules.classes)), inclusive: make([]int64, len(rules.classes)),
		leaders: make([]map[int32]int64, len(rules.classes))}
	for i, f := range t.Frames {
		run.matches[i] = rules.match(f)
		c.ByFrame[i] = run.matches[i].class
		if run.matches[i].strength == 0 {
			c.ByFrame[i] = rules.fallback(f)
		}
	}
	run.all()
	for class, weight := range run.exclusive {
		if weight == 0 && run.inclusive[class] == 0 {
			continue
		}
		c.Shares = append(c.Shares, ClassShare{Class: rules.classes[class], Weight: weight, Share: t.Share(weight),
			Inclusive: t.Share(run.inclusive[class]), Leaders: run.top(class, 3)})
	}
	slices.SortStableFunc(c.Shares, func(a, b ClassShare) int { return cmp.Compare(b.Weight, a.Weight) })
	return c
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
