package flamegraph

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Measures of the static picture in pixels; the viewer has the same ones, but for the
// width, which is that of the window there.
const (
	staticWidth = 1200
	rowHeight   = 18
	margin      = 10
	top         = 100
	charWidth   = 7.2 // of 12 px monospace
)

// Of the static picture: how many frames it shows at most, and from which share on. What is
// narrower than towerShare has no room for a letter: such frames are drawn right above those
// that have, and no higher.
const (
	staticFrames = 250
	staticShare  = 0.001
	towerShare   = 0.01
)

// static writes the beginning of the file: the frame of the picture, and what a viewer
// without a script shows.
func (p *picture) static() {
	// A narrow stack of a hundred frames more would make all that can be seen small.
	rows := 0
	p.visit(func(n *node, drawn bool) {
		if drawn {
			rows = max(rows, int(n.depth)+1)
		}
	})
	height := top + rows*rowHeight + margin
	b := &p.out
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" class="fg" width="100%" viewBox="0 0 1200 ` + strconv.Itoa(height) +
		`" role="img" aria-labelledby="fg-title"><title id="fg-title">`)
	p.text(p.opt.Title)
	b.WriteString("</title>\n<style>")
	b.WriteString(css)
	p.classCSS(b)
	b.WriteString(`</style>` + "\n" + `<rect class="bg" width="100%" height="100%"/><text class="ti" x="10" y="25">`)
	p.text(p.opt.Title)
	b.WriteString(`</text><text class="su" x="10" y="43">`)
	p.text(p.opt.Subtitle)
	b.WriteString("</text>\n" + `<g class="static"><text class="su" x="10" y="68">`)
	p.text("The widest frames of " + p.describeTotal() + ". Open the file itself in a browser to zoom and to search.")
	b.WriteString("</text>\n")
	p.boxes(rows)
	b.WriteString("</g>\n")
}

func (p *picture) text(s string) {
	p.out.Write(appendXML(p.out.AvailableBuffer(), clean(s)))
}

func (p *picture) describeTotal() string {
	root := &p.nodes[0]
	total := p.amount(root.new.Cum)
	if p.diff {
		total = p.amount(root.old.Cum) + " before and " + total + " after"
	}
	return total
}

// amount writes a weight for a person, as far as the unit is one that perf knows.
func (p *picture) amount(weight int64) string {
	factor, unit := 0.0, perf.Second
	switch p.unit.Unit {
	case "nanoseconds":
		factor = 1e-9
	case "microseconds":
		factor = 1e-6
	case "milliseconds":
		factor = 1e-3
	case "seconds":
		factor = 1
	case "bytes":
		factor, unit = 1, perf.Byte
	case "count":
		return strconv.FormatInt(weight, 10) + " " + p.unit.Type
	default:
		return strconv.FormatInt(weight, 10) + " " + p.unit.Unit
	}
	return unit.Format(float64(weight)*factor) + " of " + p.unit.Type
}

// boxes draws the widest frames: a path for all that have one colour, which is shorter
// than a rectangle for each, and a label where there is room for one.
func (p *picture) boxes(rows int) {
	paths := map[string][]byte{}
	var order []string
	var labels []byte
	peak := p.peak()
	left := make([]float64, rows+1) // by depth: where the next frame begins
	left[0] = margin
	scale := (staticWidth - 2*margin) / p.width(&p.shown[0])
	p.visit(func(n *node, drawn bool) {
		x, width := left[n.depth], p.width(n)*scale
		left[n.depth] += width
		if !drawn {
			return
		}
		left[n.depth+1] = x
		row := int(n.depth)
		if p.opt.Layout == Flame {
			row = rows - 1 - row
		}
		y := top + row*rowHeight
		class := p.shade(n, peak)
		if paths[class] == nil {
			order = append(order, class)
		}
		paths[class] = appendBox(paths[class], x, y, width)
		labels = p.appendLabel(labels, n, x, y, width)
	})
	for _, class := range order {
		p.out.WriteString(`<path class="` + class + `" d="`)
		p.out.Write(paths[class])
		p.out.WriteString(`"/>`)
	}
	p.out.WriteString("\n<g class=\"l\">")
	p.out.Write(labels)
	p.out.WriteString("</g>")
}

// visit goes through the frames that are drawn, and those right above them that are too
// narrow.
func (p *picture) visit(each func(n *node, drawn bool)) {
	least, equal := p.threshold()
	highest := int32(0)
	for i := range p.shown {
		if n := &p.shown[i]; p.width(n) >= towerShare*p.width(&p.shown[0]) {
			highest = max(highest, n.depth+1)
		}
	}
	for i := int32(0); int(i) < len(p.shown); {
		n := &p.shown[i]
		if p.width(n) == least {
			equal--
		}
		drawn := (p.width(n) > least || p.width(n) == least && equal >= 0) && n.depth <= highest
		each(n, drawn)
		if drawn {
			i++
		} else {
			i = n.end
		}
	}
}

// threshold is the least width that the static picture shows, and how many frames of just
// that width it has room for. A caller is at least as wide as what it calls and comes
// before it, so what is shown has all its callers in the picture.
func (p *picture) threshold() (least float64, equal int) {
	least = staticShare * p.width(&p.shown[0])
	var widths []float64
	for i := int32(0); int(i) < len(p.shown); {
		w := p.width(&p.shown[i])
		if w < least {
			i = p.shown[i].end
			continue
		}
		widths = append(widths, w)
		i++
	}
	if len(widths) <= staticFrames {
		return least, len(widths)
	}
	slices.SortFunc(widths, func(a, b float64) int { return cmp.Compare(b, a) })
	least = widths[staticFrames-1]
	return least, staticFrames - slices.Index(widths, least)
}

func appendBox(b []byte, x float64, y int, width float64) []byte {
	w := width
	if w > 3 {
		w -= 0.6 // a gap to the next one
	}
	b = append(b, 'M')
	b = appendNumber(b, x)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(y), 10)
	b = append(b, 'h')
	b = appendNumber(b, w)
	b = append(b, "v17h-"...)
	b = appendNumber(b, w)
	return append(b, 'z')
}

// appendNumber appends tenths of a pixel.
func appendNumber(b []byte, x float64) []byte {
	tenths := int64(x*10 + 0.5)
	b = strconv.AppendInt(b, tenths/10, 10)
	if r := tenths % 10; r != 0 {
		b = append(b, '.', byte('0'+r))
	}
	return b
}

func (p *picture) appendLabel(b []byte, n *node, x float64, y int, width float64) []byte {
	name := "all"
	if n.frame >= 0 {
		name = label(p.names[n.frame])
	}
	text := fit(name, int((width-6)/charWidth))
	if text == "" {
		return b
	}
	b = append(b, `<text x="`...)
	b = appendNumber(b, x+4)
	b = append(b, `" y="`...)
	b = strconv.AppendInt(b, int64(y+13), 10)
	b = append(b, `">`...)
	b = appendXML(b, text)
	return append(b, "</text>\n"...)
}

// label is the name without the mark of folded stacks behind it.
func label(name string) string {
	if n := len(name) - 4; n > 0 && name[n:n+2] == "_[" && name[n+3] == ']' && strings.IndexByte("kijw", name[n+2]) >= 0 {
		return name[:n]
	}
	return name
}

// fit shortens a name to so many places of a monospace font: first by leaving out where the function is
// from, then by cutting its end off. It is empty where not even a few characters have
// room. The functions of the same names in the viewer agree with these.
func fit(name string, room int) string {
	if room < 3 {
		return ""
	}
	if cells(name) > room {
		name = bare(name)
	}
	for k := 0; k < 3 && cells(name) > room; k++ {
		name = brief(name)
	}
	if cells(name) <= room {
		return name
	}
	used := 0
	for i, r := range name {
		used += cell(r)
		if used >= room {
			if utf8.RuneCountInString(name[:i]) < 2 {
				return ""
			}
			return name[:i] + "…"
		}
	}
	return name
}

func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cell(r)
	}
	return n
}

// cell is how many places of a monospace font a character takes: those of East Asian
// scripts take two.
func cell(r rune) int {
	if r > 0x10ff {
		return 2
	}
	return 1
}

// bare cuts off what linkers and compilers put behind a name.
func bare(name string) string {
	for _, mark := range []string{"@", ".isra.", ".constprop.", ".part.", ".cold", ".llvm."} {
		if at := strings.Index(name, mark); at > 0 {
			name = name[:at]
		}
	}
	return name
}

// brief leaves out the outermost part of where a function is from: all directories of a
// Go package, then the package, then the receiver; all modules of Rust and C++ but the
// last, then that too.
func brief(name string) string {
	if strings.HasPrefix(name, "<") {
		if at := strings.LastIndex(name, ">::"); at >= 0 {
			return name[at+3:]
		}
	}
	if strings.HasPrefix(name, "(") {
		if at := strings.Index(name, ")."); at > 0 && at < len(name)-2 {
			return name[at+2:]
		}
	}
	head := name
	if at := strings.IndexAny(name, "([<{ "); at >= 0 {
		head = name[:at]
	}
	if cut := strings.LastIndexByte(head, '/'); cut >= 0 {
		return name[cut+1:]
	}
	if last := strings.LastIndex(head, "::"); last > 0 {
		if before := strings.LastIndex(head[:last], "::"); before >= 0 {
			last = before
		}
		return name[last+2:]
	}
	if dot := strings.IndexByte(head, '.'); dot > 0 && dot < len(name)-1 {
		return name[dot+1:]
	}
	return name
}
