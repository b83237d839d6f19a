package calltree

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// DiffOptions says what two trees are compared as.
type DiffOptions struct {
	// KeepWeights compares the weights as they are: of two runs of the same work. Without
	// it the old ones are scaled until both totals are equal, so that a longer recording
	// of the same program is no difference.
	KeepWeights bool
	// StripHex puts 0x... in the place of addresses in names, which change from one run
	// to the next and are no difference either.
	StripHex bool
}

// A DiffNode is a function at a place in the union of two trees.
type DiffNode struct {
	Frame, Parent, Depth, End int32  // as in Node
	Old, New                  Weight // as recorded, without scaling
}

// A Difference is the union of the stacks of two profiles: what only the old one has, and
// has vanished, is in it with a new weight of 0. Treat it as read-only.
type Difference struct {
	Unit     Unit
	Frames   []Frame // in byte order of Name, each once
	Nodes    []DiffNode
	Scale    float64 // an old weight times Scale compares with a new one
	Inverted bool
}

// Diff compares two trees of the same unit. Places match when the names on their stacks
// are equal; modules are not looked at, because a new build often has a new path.
func Diff(old, new *Tree, opt DiffOptions) (*Difference, error) {
	switch {
	case old == nil || new == nil:
		return nil, errors.New("a difference needs two call trees")
	case old.Unit != new.Unit:
		return nil, fmt.Errorf("the old profile counts %s/%s and the new one %s/%s: choose the same sample type of both",
			old.Unit.Type, old.Unit.Unit, new.Unit.Type, new.Unit.Unit)
	case old.Inverted != new.Inverted:
		return nil, errors.New("one call tree is inverted and the other is not: invert the difference instead")
	}
	d := &Difference{Unit: old.Unit, Scale: 1, Inverted: old.Inverted}
	if !opt.KeepWeights {
		d.Scale = float64(new.Total()) / float64(old.Total())
	}
	stacks, frames := newTrie(len(old.Nodes)+len(new.Nodes)), frameTable{ids: map[Frame]int32{}}
	modules := map[string]string{}
	// The new tree comes first: where both know a module, it is the new one's.
	for which, t := range []*Tree{new, old} {
		place := make([]int32, len(t.Nodes))
		ids := diffFrames(t, opt, &frames, modules)
		for i := range t.Nodes {
			n := &t.Nodes[i]
			if n.Parent >= 0 {
				place[i] = stacks.child(place[n.Parent], ids[n.Frame])
			}
			stacks.nodes[place[i]].flat[1-which] += n.Flat
		}
	}
	d.Frames = frames.sorted(stacks)
	for i := range d.Frames {
		d.Frames[i].Module = modules[d.Frames[i].Name]
	}
	d.place(stacks)
	return d, nil
}

// diffFrames numbers the frames of a tree as the difference does: by name and by side of
// the kernel.
func diffFrames(t *Tree, opt DiffOptions, frames *frameTable, modules map[string]string) []int32 {
	ids := make([]int32, len(t.Frames))
	for i, f := range t.Frames {
		if opt.StripHex {
			f.Name = stripHex(f.Name)
		}
		if modules[f.Name] == "" {
			modules[f.Name] = f.Module
		}
		f.Module = ""
		ids[i] = frames.id(f)
	}
	return ids
}

var address = regexp.MustCompile(`0[xX][0-9a-fA-F]+`)

func stripHex(name string) string {
	if !strings.Contains(name, "0x") && !strings.Contains(name, "0X") {
		return name
	}
	return address.ReplaceAllLiteralString(name, "0x...")
}

// place puts the nodes into preorder and sums them up. The sums are of integers, and
// scaled when they are asked for: a delta is right at every frame, not at leaves only.
func (d *Difference) place(stacks *trie) {
	stacks.preorder(func(n flatNode) {
		d.Nodes = append(d.Nodes, DiffNode{n.frame, n.parent, n.depth, 0, Weight{Flat: n.flat[0]}, Weight{Flat: n.flat[1]}})
	}, len(stacks.nodes))
	for i := len(d.Nodes) - 1; i >= 0; i-- {
		n := &d.Nodes[i]
		n.Old.Cum += n.Old.Flat
		n.New.Cum += n.New.Flat
		n.End = max(n.End, int32(i)+1)
		if n.Parent >= 0 {
			up := &d.Nodes[n.Parent]
			up.Old.Cum += n.Old.Cum
			up.New.Cum += n.New.Cum
			up.End = max(up.End, n.End)
		}
	}
}

// Delta returns by how much a node's stacks weigh more than before, scaled, in the unit
// of the new profile; Share is that over the total of the new profile.
func (d *Difference) Delta(node int32) float64 {
	n := &d.Nodes[node]
	return float64(n.New.Cum) - d.Scale*float64(n.Old.Cum)
}

// Total returns the greater of both totals, the old one scaled: what deltas are shares of.
func (d *Difference) Total() float64 {
	return max(float64(d.Nodes[0].New.Cum), d.Scale*float64(d.Nodes[0].Old.Cum))
}

// Name is the name of a node's frame, and "all" for the root.
func (d *Difference) Name(node int32) string {
	if f := d.Nodes[node].Frame; f >= 0 {
		return d.Frames[f].Name
	}
	return "all"
}

// Invert returns the difference of the trees of callers.
func (d *Difference) Invert() *Difference {
	out := &Difference{Unit: d.Unit, Frames: d.Frames, Scale: d.Scale, Inverted: !d.Inverted}
	stacks := newTrie(len(d.Nodes))
	for i := range d.Nodes {
		leaf := &d.Nodes[i]
		if leaf.Old.Flat == 0 && leaf.New.Flat == 0 {
			continue
		}
		var at int32
		for n := int32(i); n > 0; n = d.Nodes[n].Parent {
			at = stacks.child(at, d.Nodes[n].Frame)
		}
		stacks.nodes[at].flat[0] += leaf.Old.Flat
		stacks.nodes[at].flat[1] += leaf.New.Flat
	}
	out.place(stacks)
	return out
}

// A Mover is a function whose weight changed. Deltas are scaled, in the unit of the new
// profile.
type Mover struct {
	Name                string
	Old, New            Weight // as recorded
	DeltaFlat, DeltaCum float64
}

// Movers returns the functions whose weight changed, the greatest change of their own
// weight first: a caller changes by all that it calls, so those would only repeat the
// stack above the culprit. Cum counts a stack once, however often a function is on it.
func (d *Difference) Movers() []Mover {
	if d.Inverted {
		return d.Invert().Movers()
	}
	byName := make([]Mover, len(d.Frames))
	group := make([]int32, len(d.Frames)) // the two sides of the kernel share a row
	for i, f := range d.Frames {
		group[i] = int32(i)
		if i > 0 && d.Frames[i-1].Name == f.Name {
			group[i] = group[i-1]
		}
		byName[i].Name = f.Name
	}
	onStack := newOnStack(len(d.Frames))
	for i := range d.Nodes {
		n := &d.Nodes[i]
		onStack.enter(n.Depth)
		if n.Frame < 0 {
			continue
		}
		m := &byName[group[n.Frame]]
		m.Old.Flat += n.Old.Flat
		m.New.Flat += n.New.Flat
		if onStack.push(n.Depth, group[n.Frame]) {
			m.Old.Cum += n.Old.Cum
			m.New.Cum += n.New.Cum
		}
	}
	return d.sortMovers(byName)
}

func (d *Difference) sortMovers(all []Mover) []Mover {
	// What scaling by a quotient leaves of an equal weight is no change.
	noise := d.Total() * 1e-12
	moved := all[:0]
	for _, m := range all {
		m.DeltaFlat = float64(m.New.Flat) - d.Scale*float64(m.Old.Flat)
		m.DeltaCum = float64(m.New.Cum) - d.Scale*float64(m.Old.Cum)
		if math.Abs(m.DeltaFlat) > noise || math.Abs(m.DeltaCum) > noise {
			moved = append(moved, m)
		}
	}
	slices.SortStableFunc(moved, func(a, b Mover) int {
		return cmp.Or(
			cmp.Compare(math.Abs(b.DeltaFlat), math.Abs(a.DeltaFlat)),
			cmp.Compare(math.Abs(b.DeltaCum), math.Abs(a.DeltaCum)),
			strings.Compare(a.Name, b.Name))
	})
	return moved
}

// WriteFolded writes a line for each stack, in byte order: its frames, the old weight and
// the new one, as recorded. The format is that of difffolded.pl and inferno-diff-folded.
func (d *Difference) WriteFolded(w io.Writer) error {
	if d.Inverted {
		return d.Invert().WriteFolded(w)
	}
	var lines []string
	var stack []string
	for i := range d.Nodes {
		n := &d.Nodes[i]
		if n.Depth > 0 {
			stack = append(stack[:n.Depth-1], foldable.Replace(d.Frames[n.Frame].Name))
		}
		if n.Old.Flat != 0 || n.New.Flat != 0 {
			lines = append(lines, strings.Join(stack, ";")+
				" "+strconv.FormatInt(n.Old.Flat, 10)+" "+strconv.FormatInt(n.New.Flat, 10)+"\n")
		}
	}
	slices.Sort(lines)
	out := bufio.NewWriter(w)
	for _, l := range lines {
		if _, err := out.WriteString(l); err != nil {
			return fmt.Errorf("writing folded stacks: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing folded stacks: %w", err)
	}
	return nil
}

// foldable takes from names what the folded format gives a meaning to.
var foldable = strings.NewReplacer(";", ":", "\n", " ", "\r", " ")
