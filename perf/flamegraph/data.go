package flamegraph

import (
	_ "embed"
	"strconv"
	"strings"
	"unicode/utf8"
)

//go:embed viewer.js
var viewerSource string

// viewer is the script without what only its readers here need.
var viewer = func() string {
	var b strings.Builder
	for line := range strings.Lines(viewerSource) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "//") {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return b.String()
}()

// data writes the whole tree as JSON, in a script element of a type that no browser runs:
//
//	names    of frames, in byte order, as pairs: how many UTF-16 units to keep of the name
//	         before, and what follows
//	modules  paths, each once; module: by frame, which of them
//	hash     by frame, a character: firstCode + the number of its colour
//	class    by node, a character: firstCode + the number of its class in classes;
//	classOf  the same by frame
//	nodes    in preorder without the root, each as: frame, levels to go up from the node
//	         before to its parent, own weight; and the old own weight in a difference
//	own      the root's own new and old weight
//	unit     what weights are multiples of: those of a profile of time are multiples of
//	         its period
func (p *picture) data() {
	b := make([]byte, 0, 1<<10+64*len(p.frames)+20*len(p.nodes))
	b = append(b, `<script type="application/json">{"type":[`...)
	b = appendJSON(b, clean(p.unit.Type))
	b = append(b, ',')
	b = appendJSON(b, clean(p.unit.Unit))
	b = append(b, `],"flame":`...)
	b = strconv.AppendBool(b, p.opt.Layout == Flame)
	b = append(b, `,"inverted":`...)
	b = strconv.AppendBool(b, p.opt.Inverted)
	b = p.appendColours(b)
	b = p.appendNames(b)
	b = p.appendModules(b)
	b = p.appendClasses(b)
	b = p.appendNodes(b)
	b = append(b, "}</script>\n"...)
	p.out.Write(b)
}

// appendColours appends which meanings of colours there are, and the first one.
func (p *picture) appendColours(b []byte) []byte {
	colours, first := []string{"name", "share"}, "name"
	if p.opt.Classes != nil {
		colours = []string{"name", "class", "share"}
	}
	switch {
	case p.diff:
		colours, first = []string{"diff", "name"}, "diff"
		b = append(b, `,"old":`...)
		b = strconv.AppendFloat(b, p.scale, 'g', -1, 64)
	case p.opt.Colour == ByClass:
		first = "class"
	case p.opt.Colour == ByShare:
		first = "share"
	}
	return append(b, `,"colours":["`+strings.Join(colours, `","`)+`"],"colour":"`+first+`"`...)
}

func (p *picture) appendNames(b []byte) []byte {
	b = append(b, `,"names":[`...)
	before := ""
	for i, name := range p.names {
		if i > 0 {
			b = append(b, ',')
		}
		bytes, units := commonPrefix(before, name)
		b = strconv.AppendInt(b, int64(units), 10)
		b = append(b, ',')
		b = appendJSON(b, name[bytes:])
		before = name
	}
	b = append(b, `],"hash":"`...)
	for _, h := range p.hashes {
		b = append(b, firstCode+h)
	}
	return append(b, '"')
}

// firstCode is the character that stands for 0 in a string of small numbers. The next 27
// mean nothing to JSON or XML, and so need one byte each.
const firstCode = '@'

// commonPrefix is how much of both strings is equal, in whole characters: in bytes, and in
// the units that strings of JavaScript consist of.
func commonPrefix(a, b string) (bytes, units int) {
	n := min(len(a), len(b))
	for bytes < n && a[bytes] == b[bytes] {
		bytes++
	}
	for bytes > 0 && bytes < len(b) && !utf8.RuneStart(b[bytes]) {
		bytes--
	}
	for _, r := range b[:bytes] {
		units++
		if r > 0xffff {
			units++
		}
	}
	return bytes, units
}

func (p *picture) appendModules(b []byte) []byte {
	b = append(b, `,"modules":[`...)
	ids := map[string]int{}
	module := make([]int, len(p.frames))
	for i, f := range p.frames {
		id, ok := ids[f.Module]
		if !ok {
			id = len(ids)
			ids[f.Module] = id
			if id > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, clean(f.Module))
		}
		module[i] = id
	}
	b = append(b, `],"module":[`...)
	for i, id := range module {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return append(b, ']')
}

func (p *picture) appendClasses(b []byte) []byte {
	c := p.opt.Classes
	if c == nil {
		return b
	}
	b = append(b, `,"classes":[`...)
	for i, share := range classShares(c) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = appendJSON(b, clean(c.Classes[i].String()))
		b = append(b, ',')
		b = strconv.AppendFloat(b, share, 'f', 5, 64)
		b = append(b, ']')
	}
	b = append(b, `],"class":`...)
	b = appendCodes(b, c.ByNode)
	b = append(b, `,"classOf":`...)
	return appendCodes(b, c.ByFrame)
}

func appendCodes(b []byte, numbers []uint16) []byte {
	var text strings.Builder
	text.Grow(len(numbers))
	for _, n := range numbers {
		text.WriteRune(firstCode + rune(n))
	}
	return appendJSON(b, text.String())
}

// nodes are most of the file. Weights are divided by what they all are multiples of.
func (p *picture) appendNodes(b []byte) []byte {
	unit := p.commonUnit()
	root := &p.nodes[0]
	b = append(b, `,"unit":`...)
	b = strconv.AppendInt(b, unit, 10)
	b = append(b, `,"own":[`...)
	b = strconv.AppendInt(b, root.new.Flat/unit, 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, root.old.Flat/unit, 10)
	b = append(b, `],"nodes":[`...)
	depth := int32(0)
	for i := range p.nodes[1:] {
		n := &p.nodes[i+1]
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n.frame), 10)
		b = append(b, ',')
		b = strconv.AppendInt(b, int64(depth+1-n.depth), 10)
		b = append(b, ',')
		b = strconv.AppendInt(b, n.new.Flat/unit, 10)
		if p.diff {
			b = append(b, ',')
			b = strconv.AppendInt(b, n.old.Flat/unit, 10)
		}
		depth = n.depth
	}
	return append(b, ']')
}

// commonUnit is the greatest common divisor of all weights.
func (p *picture) commonUnit() int64 {
	var unit int64
	for i := range p.nodes {
		for _, w := range []int64{p.nodes[i].old.Flat, p.nodes[i].new.Flat} {
			for w != 0 {
				unit, w = w, unit%w
			}
		}
		if unit == 1 {
			break
		}
	}
	return max(unit, 1)
}
