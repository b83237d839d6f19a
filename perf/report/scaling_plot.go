package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fatih/color"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Widths of the picture in columns.
const (
	plotPiped = 80  // where nobody knows how wide the reader's lines are
	plotLeast = 40  // below it no picture is drawn
	plotMost  = 120 // above it bars get no longer
)

// A barStyle is what bars are made of.
type barStyle struct {
	full   rune
	eighth []rune // the last cell, filled by eighths; empty: it is full or not there
	law    rune   // where the law is
	phase  []rune // one for each part of a life
}

// Blocks are for a terminal; where the output is piped into a file or another program,
// plain characters do.
var (
	blocks = barStyle{'█', []rune("▏▎▍▌▋▊▉"), '┃', []rune("░▓▒█▄")}
	plain  = barStyle{'#', nil, '|', nil}
)

// plotPhases are the parts of a life that the picture stacks.
var plotPhases = []struct{ metric, word, letter string }{
	{perf.ContainerCreate.Name, "create", "c"}, {perf.ContainerReady.Name, "start to ready", "R"}, {perf.ContainerExec.Name, "exec", "e"},
	{perf.ContainerStop.Name, "stop", "s"}, {perf.ContainerRemove.Name, "remove", "r"},
}

// scalingPlot draws a bar of throughput for each level with the law in it, and beside it
// what a life is made of. width is that of the terminal, or 0 where the output is piped.
func scalingPlot(out *writer, r *perf.Result, width int, st Style) {
	d := newDrawing(r)
	style := blocks
	if width == 0 {
		style, width = plain, plotPiped
	}
	if len(d.lines) == 0 || width < plotLeast {
		return
	}
	width = min(width, plotMost)
	names := 0
	for _, line := range d.lines {
		names = max(names, columns(plotName(line)))
	}
	label := names + 5
	room := width - label - 2
	bar, life := room*3/5-8, room*2/5-10
	out.printf("\n")
	for _, line := range plotLegend(style, r, label, bar) {
		out.printf("%s\n", st.faint(shorten(line, width)))
	}
	for i, line := range d.lines {
		if i > 0 {
			out.printf("\n")
		}
		for _, l := range line.levels {
			law := math.NaN()
			if line.Lambda != nil && line.Contention.Estimate != nil && line.Coherency.Estimate != nil {
				law = lawAt(line.Scaling, float64(l.n)) / d.most
			}
			number := newRowScale(perf.Ratio, l.rate.Center).format(l.rate.Center)
			text := fmt.Sprintf("%-*s %4d  %s %-6s", names, plotName(line), l.n, st.paint(style.bar(l.rate.Center/d.most, law, bar), plotColours[i%len(plotColours)]), number)
			if wall := l.phases[perf.Wall.Name]; wall != nil && life >= len(plotPhases) {
				text += fmt.Sprintf(" %s %s", style.stack(l, life), perf.Second.Format(wall.Center))
			}
			out.printf("%s\n", strings.TrimRight(text, " "))
		}
	}
}

var plotColours = []color.Attribute{color.FgBlue, color.FgYellow, color.FgGreen, color.FgMagenta, color.FgCyan}

func plotName(line drawnLine) string { return shorten(clean(shortName(line.Name)), 12) }

// plotLegend is the two lines above the bars.
func plotLegend(style barStyle, r *perf.Result, label, bar int) []string {
	var parts []string
	for i, p := range plotPhases {
		if slices.ContainsFunc(r.Workloads, func(w perf.WorkloadResult) bool { _, ok := w.Series(p.metric); return ok }) {
			parts = append(parts, style.mark(i)+" "+p.word)
		}
	}
	indent := strings.Repeat(" ", label+1)
	rates := fmt.Sprintf("lives a second (%c the law)", style.law)
	return []string{indent + rates + strings.Repeat(" ", max(bar+9-columns(rates), 2)) + "a life:", indent + strings.Join(parts, ", ")}
}

// mark is the character of a part of a life.
func (s barStyle) mark(i int) string {
	if len(s.eighth) == 0 {
		return plotPhases[i].letter
	}
	return string(s.phase[i])
}

// bar draws a share of the width, with the law's place in it.
func (s barStyle) bar(share, law float64, width int) string {
	cells := []rune(strings.Repeat(" ", width))
	eighths := int(math.Round(share * float64(8*width)))
	for i := range min(eighths/8, width) {
		cells[i] = s.full
	}
	if rest := eighths % 8; eighths/8 < width && rest > 0 && len(s.eighth) > 0 {
		cells[eighths/8] = s.eighth[rest-1]
	}
	if at := int(math.Round(law*float64(width))) - 1; !math.IsNaN(law) && at < width {
		cells[max(at, 0)] = s.law
	}
	return string(cells)
}

// stack draws the parts of a life, which together take the width: each gets what it has
// of the whole, and what rounding leaves goes to the largest.
func (s barStyle) stack(l drawnLevel, width int) string {
	values, sum := make([]float64, len(plotPhases)), 0.0
	for i, p := range plotPhases {
		if phase := l.phases[p.metric]; phase != nil {
			values[i] = phase.Center
		}
		sum += values[i]
	}
	if !(sum > 0) {
		return strings.Repeat(" ", width)
	}
	counts, used, largest := make([]int, len(values)), 0, 0
	for i, v := range values {
		counts[i] = int(math.Round(v / sum * float64(width)))
		used += counts[i]
		if v > values[largest] {
			largest = i
		}
	}
	counts[largest] = max(counts[largest]+width-used, 0)
	var b strings.Builder
	for i, n := range counts {
		b.WriteString(strings.Repeat(s.mark(i), n))
	}
	return b.String()
}

// sortedIndex are the places of the values in ascending order of these.
func sortedIndex(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	return order
}
