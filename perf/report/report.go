// Package report renders results for people: the table of a run ([Result], [Times]), a
// comparison ([Comparison]), a plan ([Plan]), what is stored ([Baselines]), what was
// found on the machine ([Doctor]), and the status line while a run goes on ([Status]).
//
// For other programs a run or a comparison is a [Document]: Markdown for a pull request,
// JUnit's XML for test reporters, and the annotations and summary of GitHub Actions.
//
// It decides nothing and computes no statistic: states, verdicts and intervals are
// printed as perf/experiment and perf/stats left them in the result. A program that
// wants to read results takes the JSON of [perf.Result.Encode], which is a promise;
// the text here is not, and changes whenever it can be made clearer.
//
// Every function writes to an io.Writer and returns its error; [Style] says whether
// there are colours in it. Names, reasons and outputs are foreign text: none of them
// can move the cursor, change a colour or break a table.
package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Style says how text for a terminal looks. The zero Style is plain.
type Style struct{ Color bool }

func (s Style) paint(text string, attrs ...color.Attribute) string {
	if !s.Color || text == "" {
		return text
	}
	c := color.New(attrs...)
	c.EnableColor()
	return c.Sprint(text)
}

func (s Style) bold(text string) string { return s.paint(text, color.Bold) }

// faint paints each line by itself: not every terminal carries a colour over a line's
// end.
func (s Style) faint(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = s.paint(lines[i], color.Faint)
	}
	return strings.Join(lines, "\n")
}

// state paints the state of an objective, or a verdict.
func (s Style) state(text string) string {
	switch word, _, _ := strings.Cut(text, " ("); word {
	case string(perf.Met), string(perf.NoChange), string(perf.Faster), string(perf.StateOK):
		return s.paint(text, color.FgGreen)
	case string(perf.Breached), string(perf.Slower), string(perf.Invalid), "FAILED", incomplete:
		return s.paint(text, color.FgRed, color.Bold)
	case string(perf.OverTarget), string(perf.Undecided), string(perf.NotMeasured):
		return s.paint(text, color.FgYellow)
	}
	return text
}

// align is how a column is set.
type align int

const (
	left align = iota
	right
)

// table sets rows in columns. Cells are plain text: what is painted is painted by
// paint once the widths are known.
//
// Rows of nothing are empty lines; blank makes them.
type table struct {
	head  []string
	align []align
	rows  [][]string
	paint func(row, column int, cell string) string
}

// add appends a row. Its cells may hold foreign text.
func (t *table) add(cells ...string) {
	row := make([]string, len(cells))
	for i, c := range cells {
		limit := maxCell
		if t.align[i] == left {
			limit = maxText
		}
		row[i] = shorten(clean(c), limit)
	}
	t.rows = append(t.rows, row)
}

// blank appends an empty line, if there is something above it.
func (t *table) blank() {
	if len(t.rows) > 0 {
		t.rows = append(t.rows, nil)
	}
}

// trim drops an empty line at the end.
func (t *table) trim() {
	if n := len(t.rows); n > 0 && t.rows[n-1] == nil {
		t.rows = t.rows[:n-1]
	}
}

// How wide a cell gets, whatever stands in it: one of a number, and one of text.
const (
	maxCell = 24
	maxText = 80
)

// write prints the table, two spaces between columns, no space at the end of a line.
func (t *table) write(w io.Writer, st Style) error {
	width := t.widths()
	var b strings.Builder
	t.line(&b, width, t.head, func(_ int, c string) string { return st.bold(c) })
	for r, row := range t.rows {
		t.line(&b, width, row, func(c int, cell string) string {
			if t.paint == nil {
				return cell
			}
			return t.paint(r, c, cell)
		})
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *table) widths() []int {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, c := range row {
			width[i] = max(width[i], columns(c))
		}
	}
	return width
}

func (t *table) line(b *strings.Builder, width []int, cells []string, paint func(int, string) string) {
	var line strings.Builder
	for i, c := range cells {
		if i > 0 {
			line.WriteString("  ")
		}
		// The pad stays outside of the paint, so that the end of a line can be trimmed.
		pad := strings.Repeat(" ", width[i]-columns(c))
		if t.align[i] == right {
			line.WriteString(pad)
		}
		line.WriteString(paint(i, c))
		if t.align[i] == left {
			line.WriteString(pad)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " "))
	b.WriteByte('\n')
}

// writer collects the first error of a series of prints.
type writer struct {
	w   io.Writer
	err error
}

func (w *writer) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.w, format, args...)
	}
}

func (w *writer) table(t *table, st Style) {
	if w.err == nil {
		w.err = t.write(w.w, st)
	}
}
