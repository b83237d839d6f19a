// Package flamegraph draws a call tree, or the difference of two, as one interactive SVG
// that needs nothing besides itself.
package flamegraph

import (
	"errors"
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

// The meanings of colours.
const (
	ByName  Colour = iota // nothing: a hash of the name, the same in every picture
	ByClass               // the class of bottleneck; it needs Options.Classes
	ByShare               // the share that is the frame's own, and not its callees'
)

// Options say what a picture looks like when it is opened. The reader can change all but
// the texts.
type Options struct {
	Title    string // "Flame graph" where empty
	Subtitle string
	Layout   Layout
	Inverted bool // callers instead of callees
	Colour   Colour
	Classes  *calltree.Classification // of the tree that is drawn; nil leaves classes out
}

// Write draws a tree.
func Write(w io.Writer, t *calltree.Tree, opt Options) error {
	return errors.New("not drawn yet")
}

// WriteDiff draws a difference: red has grown, blue has shrunk.
func WriteDiff(w io.Writer, d *calltree.Difference, opt Options) error {
	return errors.New("not drawn yet")
}
