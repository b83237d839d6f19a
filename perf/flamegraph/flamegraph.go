// Package flamegraph draws a call tree, or the difference of two, as one interactive SVG
// that needs nothing besides itself: no network, no font, no other file.
//
// The file holds three things: a static picture of the widest frames, for viewers that
// run no script (an <img> in a README, a mail, a print); the whole tree as data, at most
// 60 bytes a frame beyond the unique names; and a viewer that draws from the data what is
// wide enough to be seen. In the viewer one zooms (click, Enter), goes back (Escape),
// searches (slash; regular expressions; case only where asked for) with the share that
// matches, walks with the arrow keys, turns the tree round (callers), puts the root at the
// bottom, and changes what colours mean. Zoom and search are in the address, as a path of
// names, so that a link finds the same place in a picture of the next run.
//
// Names come from binaries and are not trusted: they reach the file escaped, and the
// document as text alone.
package flamegraph

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
)

// Layout says where the root is.
type Layout int

// The layouts.
const (
	Icicle Layout = iota // the root at the top
	Flame                // the root at the bottom
)

// Colour says what the colour of a frame means.
type Colour int

// The meanings of colours. A difference has its own: red has grown, blue has shrunk.
const (
	ByName  Colour = iota // nothing: a hash of the name, the same in every picture
	ByClass               // the class of bottleneck; it needs Options.Classes
	ByShare               // the share that is the frame's own, and not its callees'
)

// Options say what a picture looks like when it is opened. The reader can change all but
// the texts.
type Options struct {
	Title    string // "Flame graph" where empty
	Subtitle string // a line below it: the command, the date, the number of samples
	Layout   Layout
	Inverted bool // callers instead of callees
	Colour   Colour
	Classes  *calltree.Classification // of the tree that is drawn; nil leaves classes out
}

// ErrEmpty is the cause of the error about a tree that holds nothing to draw: an empty
// picture would look like an answer.
var ErrEmpty = errors.New("there is nothing to draw")

// Write draws a tree. It writes once, when the picture is complete, so that an error of
// its own leaves no half of one.
func Write(w io.Writer, t *calltree.Tree, opt Options) error {
	if t == nil || len(t.Nodes) < 2 || t.Total() <= 0 {
		return fmt.Errorf("flame graph %q: %w: the tree has no frame with weight", opt.Title, ErrEmpty)
	}
	if opt.Colour == ByClass && opt.Classes == nil {
		return fmt.Errorf("flame graph %q: colours by class need the classes of the tree (Options.Classes, from Tree.Classify)", opt.Title)
	}
	if t.Inverted {
		opt.Inverted = !opt.Inverted
		t = t.Invert()
	}
	if c := opt.Classes; c != nil && (len(c.ByFrame) != len(t.Frames) || len(c.ByNode) != len(t.Nodes)) {
		return fmt.Errorf("flame graph %q: the classes are those of another tree: %d frames at %d places, and it has %d at %d",
			opt.Title, len(c.ByFrame), len(c.ByNode), len(t.Frames), len(t.Nodes))
	}
	p := newPicture(opt, t.Frames, len(t.Nodes))
	p.unit = t.Unit
	for i := range t.Nodes {
		n := &t.Nodes[i]
		p.nodes = append(p.nodes, node{id: int32(i), frame: n.Frame, parent: n.Parent, depth: n.Depth, end: n.End, new: n.Weight})
	}
	p.shown = p.nodes
	if opt.Inverted {
		p.shown = nil
		for i, n := range t.Invert().Nodes {
			p.shown = append(p.shown, node{id: int32(i), frame: n.Frame, parent: n.Parent, depth: n.Depth, end: n.End, new: n.Weight})
		}
	}
	return p.write(w)
}

// WriteDiff draws a difference. A frame is as wide as the mean of what it weighed before
// and after, so that what has vanished is there to be seen; the reader can choose either.
func WriteDiff(w io.Writer, d *calltree.Difference, opt Options) error {
	if d == nil || len(d.Nodes) < 2 || d.Total() <= 0 {
		return fmt.Errorf("flame graph %q: %w: the difference has no frame with weight", opt.Title, ErrEmpty)
	}
	if opt.Classes != nil || opt.Colour == ByClass {
		return fmt.Errorf("flame graph %q: a difference has colours for what changed, and none for classes", opt.Title)
	}
	if d.Inverted {
		opt.Inverted = !opt.Inverted
		d = d.Invert()
	}
	p := newPicture(opt, d.Frames, len(d.Nodes))
	p.unit, p.diff, p.scale = d.Unit, true, d.Scale
	p.nodes = diffNodes(d)
	p.shown = p.nodes
	if opt.Inverted {
		p.shown = diffNodes(d.Invert())
	}
	return p.write(w)
}

func diffNodes(d *calltree.Difference) []node {
	out := make([]node, len(d.Nodes))
	for i := range d.Nodes {
		n := &d.Nodes[i]
		out[i] = node{id: int32(i), frame: n.Frame, parent: n.Parent, depth: n.Depth, end: n.End, old: n.Old, new: n.New}
	}
	return out
}

// node is a node of either kind of tree.
type node struct {
	id, frame, parent, depth, end int32
	old, new                      calltree.Weight
}

// picture is what is drawn, and the bytes so far.
type picture struct {
	opt    Options
	unit   calltree.Unit
	diff   bool
	scale  float64 // of old weights
	frames []calltree.Frame
	names  []string // by frame, fit to be shown
	hashes []byte   // by frame: the number of its colour
	nodes  []node   // from callers to callees
	shown  []node   // as the static picture has them
	out    bytes.Buffer
}

func newPicture(opt Options, frames []calltree.Frame, nodes int) *picture {
	if opt.Title == "" {
		opt.Title = "Flame graph"
	}
	p := &picture{opt: opt, frames: frames, nodes: make([]node, 0, nodes),
		names: make([]string, len(frames)), hashes: make([]byte, len(frames))}
	for i, f := range frames {
		p.names[i] = clean(f.Name)
		p.hashes[i] = nameColour(f)
	}
	return p
}

// width is what a node is as wide as, in weight.
func (p *picture) width(n *node) float64 {
	if p.diff {
		return (float64(n.new.Cum) + p.scale*float64(n.old.Cum)) / 2
	}
	return float64(n.new.Cum)
}

// delta is by how much a node has grown.
func (p *picture) delta(n *node) float64 {
	return float64(n.new.Cum) - p.scale*float64(n.old.Cum)
}

func (p *picture) write(w io.Writer) error {
	p.out.Grow(len(viewer) + 1<<12 + 64*len(p.frames) + 20*len(p.nodes))
	p.static()
	p.data()
	p.out.WriteString("<script><![CDATA[\n")
	p.out.WriteString(viewer)
	p.out.WriteString("]]></script>\n</svg>\n")
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("writing flame graph %q: %w", p.opt.Title, err)
	}
	return nil
}
