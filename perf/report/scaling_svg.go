package report

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// ScalingSVG draws a run of containers at rising parallelism as one self-contained SVG:
// throughput by level with the law through it, and below it, for each network, what the
// phases of a life take. Its text alternative has all figures; its colours follow the
// reader's preference for light or dark. Where no level was measured it says so.
func ScalingSVG(w io.Writer, r *perf.Result) error {
	d := newDrawing(r)
	out := &writer{w: w}
	out.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" role="img" aria-labelledby="t d" font-family="system-ui, sans-serif" font-size="13">`+"\n", svgWidth, d.height(), svgWidth)
	title := clean(r.Subject.Name) + ": lifecycles of containers by parallelism"
	out.printf("<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n<style>%s</style>\n", svgText(title), svgText(d.alternative()), svgStyle)
	out.printf(`<rect class="ground" width="%d" height="%d"/>`+"\n", svgWidth, d.height())
	out.printf(`<text class="title" x="%d" y="26">%s</text>`+"\n", svgLeft, svgText(title))
	if len(d.lines) == 0 {
		out.printf(`<text x="%d" y="60">Nothing was measured.</text>`+"\n</svg>\n", svgLeft)
		return out.err
	}
	d.throughput(out)
	for i := range d.lines {
		d.phases(out, i)
	}
	out.printf("</svg>\n")
	return out.err
}

// The layout, in pixels.
const (
	svgWidth    = 960
	svgLeft     = 64
	svgRight    = 118 // for the names at the ends of the lines
	svgTop      = 64
	svgRate     = 280 // height of the panel of throughput
	svgPanelTop = svgTop + svgRate + 92
	svgPhase    = 250 // height of a panel of phases
	svgPerRow   = 3
	svgRow      = svgPhase + 84
)

// svgStyle has the colours of Okabe and Ito (2008), which tell apart for most people who
// see colours otherwise, lighter ones for a dark ground; lines differ by dashes as well.
const svgStyle = `
:root{color-scheme:light dark}
.ground{fill:#fff}text{fill:#1b1b1b}.title{font-size:17px;font-weight:600}.faint{fill:#5a5a5a}
.axis{stroke:#5a5a5a;fill:none}.grid{stroke:#e2e2e2;fill:none}
.line{fill:none;stroke-width:2}.whisker{fill:none;stroke-width:1.5}.law{fill:none;stroke-width:1.5;stroke-dasharray:5 4}
.c0{stroke:#0072b2}.c1{stroke:#b34e00}.c2{stroke:#007a59}.c3{stroke:#9c4f80}.c4{stroke:#8a6a00}.c5{stroke:#4d4d4d}
.f0{fill:#0072b2}.f1{fill:#b34e00}.f2{fill:#007a59}.f3{fill:#9c4f80}.f4{fill:#8a6a00}.f5{fill:#4d4d4d}
@media (prefers-color-scheme:dark){
.ground{fill:#16181c}text{fill:#ececec}.faint{fill:#b0b0b0}.axis{stroke:#b0b0b0}.grid{stroke:#33363c}
.c0{stroke:#56b4e9}.c1{stroke:#ff9a4d}.c2{stroke:#3fd6a6}.c3{stroke:#f0a3cc}.c4{stroke:#f2d14b}.c5{stroke:#cfcfcf}
.f0{fill:#56b4e9}.f1{fill:#ff9a4d}.f2{fill:#3fd6a6}.f3{fill:#f0a3cc}.f4{fill:#f2d14b}.f5{fill:#cfcfcf}}
`

// svgColours is how many colours there are.
const svgColours = 6

// dashes tell lines apart without colours; the first is solid.
var dashes = []string{"", "6 3", "2 3", "9 3 2 3", "4 2 1 2", "1 2"}

// A drawnLevel is one level of a line.
type drawnLevel struct {
	n      int
	rate   perf.Summary
	phases map[string]*perf.Summary
}

// A drawnLine is one network.
type drawnLine struct {
	perf.Scaling
	levels []drawnLevel
}

// A drawing is the picture of a run.
type drawing struct {
	result *perf.Result
	lines  []drawnLine
	levels []int // of all lines, ascending
	most   float64
}

func newDrawing(r *perf.Result) *drawing {
	d := &drawing{result: r}
	seen := map[int]bool{}
	for _, s := range r.Scaling {
		line := drawnLine{Scaling: s}
		for _, l := range s.Levels {
			w := r.Workload(l.Workload)
			if l.Cold || w == nil {
				continue
			}
			rate, ok := w.Series(perf.Throughput.Name)
			if !ok || rate.Summary == nil || !(rate.Summary.Center > 0) {
				continue
			}
			level := drawnLevel{n: l.Parallel, rate: *rate.Summary, phases: map[string]*perf.Summary{}}
			for _, m := range w.Metrics {
				level.phases[m.Name] = m.Summary
			}
			line.levels = append(line.levels, level)
			d.most = max(d.most, rate.Summary.Max)
			if !seen[l.Parallel] {
				d.levels = append(d.levels, l.Parallel)
			}
			seen[l.Parallel] = true
		}
		if len(line.levels) > 0 {
			d.lines = append(d.lines, line)
		}
	}
	slices.Sort(d.levels)
	return d
}

func (d *drawing) height() int {
	if len(d.lines) == 0 {
		return 90
	}
	rows := (len(d.lines) + svgPerRow - 1) / svgPerRow
	return svgPanelTop + rows*svgRow
}

// An axis maps values to pixels, by their logarithm or as they are.
type axis struct {
	low, high float64 // values
	from, to  float64 // pixels
	log       bool
}

func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	if high <= low {
		return (a.from + a.to) / 2
	}
	return a.from + (a.to-a.from)*(v-low)/(high-low)
}

// parallel is the axis of the levels, by their logarithm.
func (d *drawing) parallel(from, to float64) axis {
	return axis{float64(d.levels[0]), float64(d.levels[len(d.levels)-1]), from, to, true}
}

// throughput draws the upper panel.
func (d *drawing) throughput(out *writer) {
	x := d.parallel(svgLeft+12, svgWidth-svgRight)
	y := axis{0, niceAbove(d.most), svgTop + svgRate, svgTop, false}
	out.printf(`<text class="faint" x="%d" y="%d">lifecycles a second; points and whiskers: median and 95 %% interval, dashed: the Universal Scalability Law</text>`+"\n", svgLeft, svgTop-12)
	for _, v := range ticks(y.high) {
		d.gridline(out, y.at(v), svgLeft, svgWidth-svgRight, perf.NewScale(perf.Ratio, y.high).Number(v))
	}
	d.levelTicks(out, x, svgTop+svgRate)
	out.printf(`<text class="faint" text-anchor="middle" x="%s" y="%d">containers in parallel</text>`+"\n", px((x.from+x.to)/2), svgTop+svgRate+38)
	var ends []float64
	for i, line := range d.lines {
		colour := i % svgColours
		d.law(out, line, x, y, colour)
		var points []string
		for _, l := range line.levels {
			cx, cy := px(x.at(float64(l.n))), px(y.at(l.rate.Center))
			points = append(points, cx+","+cy)
			if l.rate.Low != nil && l.rate.High != nil {
				out.printf(`<path class="whisker c%d" d="M%s %sV%s"/>`, colour, cx, px(y.at(*l.rate.Low)), px(y.at(*l.rate.High)))
			}
			out.printf(`<circle class="f%d" cx="%s" cy="%s" r="4"><title>%s</title></circle>`+"\n", colour, cx, cy, svgText(levelText(line, l)))
		}
		out.printf(`<polyline class="line c%d" stroke-opacity="0.35" points="%s"/>`+"\n", colour, strings.Join(points, " "))
		last := line.levels[len(line.levels)-1]
		ends = append(ends, y.at(last.rate.Center))
	}
	for i, at := range spread(ends, 15) {
		out.printf(`<text class="f%d" x="%d" y="%s">%s</text>`+"\n", i%svgColours, svgWidth-svgRight+10, px(at+4), svgText(shorten(clean(shortName(d.lines[i].Name)), 14)))
	}
}

// law draws the law as a curve.
func (d *drawing) law(out *writer, line drawnLine, x, y axis, colour int) {
	if line.Lambda == nil || line.Contention.Estimate == nil || line.Coherency.Estimate == nil {
		return
	}
	first, last := float64(line.levels[0].n), float64(line.levels[len(line.levels)-1].n)
	const steps = 60
	var path []string
	for i := 0; i <= steps; i++ {
		n := first * math.Pow(last/first, float64(i)/steps)
		path = append(path, px(x.at(n))+","+px(y.at(min(lawAt(line.Scaling, n), y.high))))
	}
	out.printf(`<polyline class="law c%d" points="%s"/>`+"\n", colour, strings.Join(path, " "))
}

// lawAt is the throughput of a law that there is.
func lawAt(s perf.Scaling, n float64) float64 {
	return *s.Lambda * n / (1 + *s.Contention.Estimate*(n-1) + *s.Coherency.Estimate*n*(n-1))
}

// drawnPhases are the lines of a panel of phases.
var drawnPhases = []scalingColumn{
	{perf.Wall.Name, "whole life"}, {perf.ContainerReady.Name, "ready"}, {perf.ContainerStop.Name, "stop"}, {perf.ContainerCreate.Name, "create"},
	{perf.ContainerRemove.Name, "remove"}, {perf.ContainerExec.Name, "exec"},
}

// phases draws the panel of one network.
func (d *drawing) phases(out *writer, at int) {
	width := (svgWidth - svgLeft) / float64(min(len(d.lines), svgPerRow))
	left := svgLeft + float64(at%svgPerRow)*width
	top := float64(svgPanelTop + at/svgPerRow*svgRow)
	x := d.parallel(left+8, left+width-96)
	low, high := d.times()
	y := axis{low, high, top + svgPhase, top, true}
	line := d.lines[at]
	out.printf(`<text x="%s" y="%s" font-weight="600">%s</text><text class="faint" x="%s" y="%s">median of each phase</text>`+"\n", px(left), px(top-26), svgText(clean(line.Name)), px(left), px(top-10))
	for decade := low; decade <= high*1.001; decade *= 10 {
		label := ""
		if at%svgPerRow == 0 {
			label = perf.Second.Format(decade)
		}
		d.gridline(out, y.at(decade), left, x.to, label)
	}
	d.levelTicks(out, x, top+svgPhase)
	var ends []float64
	var names []int
	for i, phase := range drawnPhases {
		var points []string
		last := 0.0
		for _, l := range line.levels {
			if s := l.phases[phase.metric]; s != nil && s.Center > 0 {
				last = y.at(min(max(s.Center, low), high))
				points = append(points, px(x.at(float64(l.n)))+","+px(last))
			}
		}
		if len(points) == 0 {
			continue
		}
		if len(points) == 1 { // a line of one point is not seen
			points = append(points, px(x.from)+","+px(last))
		}
		out.printf(`<polyline class="line c%d" stroke-dasharray="%s" points="%s"/>`+"\n", i%svgColours, dashes[i%len(dashes)], strings.Join(points, " "))
		ends, names = append(ends, last), append(names, i)
	}
	for k, end := range spread(ends, 15) {
		out.printf(`<text class="f%d" x="%s" y="%s">%s</text>`+"\n", names[k]%svgColours, px(x.to+8), px(end+4), svgText(drawnPhases[names[k]].head))
	}
}

// times are the powers of ten around everything that the panels of phases show.
func (d *drawing) times() (low, high float64) {
	low, high = math.Inf(1), 0
	for _, line := range d.lines {
		for _, l := range line.levels {
			for _, p := range drawnPhases {
				if s := l.phases[p.metric]; s != nil && s.Center > 0 {
					low, high = min(low, s.Center), max(high, s.Center)
				}
			}
		}
	}
	if high == 0 {
		return 0.001, 1
	}
	low, high = math.Pow10(int(math.Floor(math.Log10(low)))), math.Pow10(int(math.Ceil(math.Log10(high))))
	return low, max(high, 10*low)
}

func (d *drawing) gridline(out *writer, y, from, to float64, label string) {
	out.printf(`<path class="grid" d="M%s %sH%s"/>`, px(from), px(y), px(to))
	if label != "" {
		out.printf(`<text class="faint" text-anchor="end" x="%s" y="%s">%s</text>`, px(from-6), px(y+4), svgText(label))
	}
	out.printf("\n")
}

// levelTicks puts the levels below a panel, as far as they do not touch.
func (d *drawing) levelTicks(out *writer, x axis, y float64) {
	out.printf(`<path class="axis" d="M%s %sH%s"/>`+"\n", px(x.from-8), px(y), px(x.to))
	last := math.Inf(-1)
	for _, n := range d.levels {
		at := x.at(float64(n))
		if at-last < 22 {
			continue
		}
		last = at
		out.printf(`<path class="axis" d="M%s %sv5"/><text class="faint" text-anchor="middle" x="%s" y="%s">%d</text>`+"\n", px(at), px(y), px(at), px(y+19), n)
	}
}

// alternative is the picture in words: all figures that are drawn.
func (d *drawing) alternative() string {
	var b strings.Builder
	if len(d.lines) == 0 {
		return "Nothing was measured."
	}
	for _, line := range d.lines {
		for _, l := range line.levels {
			b.WriteString(levelText(line, l))
			for _, p := range drawnPhases {
				if s := l.phases[p.metric]; s != nil {
					fmt.Fprintf(&b, ", %s %s", p.head, perf.Second.Format(s.Center))
				}
			}
			b.WriteString(". ")
		}
		fmt.Fprintf(&b, "%s: %s. %s ", clean(line.Name), clean(scalingLaw(line.Scaling)), clean(line.Answer))
	}
	return strings.TrimSpace(b.String())
}

func levelText(line drawnLine, l drawnLevel) string {
	scale := newRowScale(perf.Ratio, l.rate.Center)
	text := fmt.Sprintf("%s, %d in parallel: %s lifecycles a second", clean(line.Name), l.n, scale.format(l.rate.Center))
	if interval := scale.interval(l.rate.Low, l.rate.High); interval != "" {
		text += " (" + interval + ")"
	}
	return text
}

// shortName leaves out what all names begin with.
func shortName(name string) string { return strings.TrimPrefix(name, "network ") }

// svgText makes foreign text safe in XML.
func svgText(s string) string { return html.EscapeString(xmlChars(s)) }

// px prints a place with a tenth of a pixel.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// niceAbove is the least of 1, 2, 2.5 and 5 times a power of ten that is not below v.
func niceAbove(v float64) float64 {
	if !(v > 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 1.5, 2, 2.5, 3, 4, 5, 6, 8} {
		if f*power >= v {
			return f * power
		}
	}
	return 10 * power
}

// ticks are from 0 to high, five of them.
func ticks(high float64) []float64 {
	var out []float64
	for i := range 6 {
		out = append(out, high*float64(i)/5)
	}
	return out
}

// spread moves places apart until they are a distance from each other, and keeps their
// order.
func spread(places []float64, distance float64) []float64 {
	order := sortedIndex(places)
	out := append([]float64(nil), places...)
	for i := 1; i < len(order); i++ {
		out[order[i]] = max(out[order[i]], out[order[i-1]]+distance)
	}
	return out
}
