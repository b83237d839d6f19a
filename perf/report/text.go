package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// clean makes foreign text safe for one line of a terminal: escape sequences go, a tab
// becomes a space, and what else could move the cursor, turn the direction of writing
// or hide becomes visible. What GitHub's runner would take for a command, where a line of
// a log begins with it, begins with something else.
func clean(s string) string {
	s = visible(s)
	if trimmed := strings.TrimLeft(s, " "); strings.HasPrefix(trimmed, "::") {
		s = "·" + trimmed
	}
	return strings.ReplaceAll(s, "##[", "##·[")
}

// visible leaves nothing in a text that is not seen.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			return '·'
		}
		return r
	}, measure.StripEscapes(s))
}

// indent keeps a text of several lines together under its first.
func indent(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\r\n"), "\n")
	for i := range lines {
		line := strings.ReplaceAll(strings.TrimRight(lines[i], " \t\r"), "\t", "    ")
		if lines[i] = clean(line); i > 0 && lines[i] != "" {
			lines[i] = "    " + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

// maxProse is how many columns a line of prose takes.
const maxProse = 92

// wrap breaks a text into lines of at most maxProse columns, those after the first
// indented.
func wrap(text string) string {
	var b strings.Builder
	used := 0
	for i, word := range strings.Fields(text) {
		n := columns(word)
		switch {
		case i == 0:
		case used+1+n > maxProse:
			b.WriteString("\n  ")
			used = 2
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}

// columns is how many columns of a terminal the text takes: characters of East Asian
// scripts and most emoji take two (Unicode, UAX #11), combining marks none.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// maxName is how many columns a name takes in a table.
const maxName = 48

// shorten makes a text fit into a number of columns. What it leaves out is in the
// middle: commands differ at their end as often as at their beginning.
func shorten(s string, limit int) string {
	if columns(s) <= limit {
		return s
	}
	runes := []rune(s)
	head, tail := 0, len(runes)
	for used := 1; head < tail; {
		if used += runeColumns(runes[head]); used > limit {
			break
		}
		head++
		// Two of the beginning for one of the end.
		if head%2 == 0 {
			if used += runeColumns(runes[tail-1]); used > limit {
				break
			}
			tail--
		}
	}
	return string(runes[:head]) + "…" + string(runes[tail:])
}

// span prints a time that is planned or left, with at most two units.
func span(d time.Duration) string {
	if d < time.Minute {
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	}
	s := int(d.Round(time.Second) / time.Second)
	parts := []struct {
		n    int
		name string
	}{{s / 3600, "h"}, {s / 60 % 60, "min"}, {s % 60, "s"}}
	if parts[0].n > 0 {
		parts = parts[:2]
	}
	var out []string
	for _, p := range parts {
		if p.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", p.n, p.name))
		}
	}
	return strings.Join(out, " ")
}

// maxWhole is up to where a count is printed digit by digit. A rate below 1000 has
// three digits that mean something, as everything else.
const maxWhole = 1e7

// A rowScale prints the values of one row in the unit of the first of them, so that
// they can be compared by eye. A value that does not fit, because it would be 4672 of
// a unit or 0.00, gets a unit of its own.
type rowScale struct {
	unit  perf.Unit
	scale perf.Scale
}

// shownUnit is the unit that stands behind the values of a metric. Files of other tools
// have metrics that are called as their unit is, which need not be said twice.
func shownUnit(m perf.Metric) perf.Unit {
	if m.Name == string(m.Unit) && !m.Unit.IsTime() && !strings.ContainsRune(m.Name, '/') && !strings.HasSuffix(m.Name, "-"+string(perf.Byte)) {
		return perf.Ratio // a plain number
	}
	return m.Unit
}

func newRowScale(u perf.Unit, center float64) rowScale {
	return rowScale{u, perf.NewScale(u, center)}
}

// format prints v with its unit.
func (s rowScale) format(v float64) string {
	switch size := math.Abs(v); {
	case s.unit == perf.Count && size < maxWhole:
		return grouped(v)
	case isThings(s.unit) && size >= 999.5 && size < maxWhole:
		return grouped(math.Round(v)) + unitOf(s.unit.Format(1))
	case s.unit == perf.Cores:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	if !s.fits(v) {
		return perf.NewScale(s.unit, v).Format(v)
	}
	return s.scale.Format(v)
}

// isThings reports whether u is a rate of things that are counted, as tests a second.
func isThings(u perf.Unit) bool {
	return u.IsRate() && !strings.HasPrefix(string(u), string(perf.Byte)+"/") && !strings.HasPrefix(string(u), string(perf.Second)+"/")
}

// fits reports whether the row's unit shows v: with two digits that mean something,
// and with no more than three before the point if there is a larger unit.
func (s rowScale) fits(v float64) bool {
	own := perf.NewScale(s.unit, v)
	if v == 0 || own.Name() == s.scale.Name() {
		return true
	}
	whole, fraction, _ := strings.Cut(strings.TrimLeft(s.scale.Number(v), "-"), ".")
	if whole != "0" {
		return len(whole) <= 3
	}
	return len(strings.TrimLeft(fraction, "0")) >= 2
}

// interval prints what is known of an interval; an open end is a missing bound.
func (s rowScale) interval(low, high *float64) string {
	switch {
	case low == nil && high == nil:
		return ""
	case low == nil:
		return "up to " + s.format(*high)
	case high == nil:
		return "from " + s.format(*low)
	}
	first, last := s.format(*low), s.format(*high)
	// The unit stands once where both have it.
	if unit := unitOf(first); unit == unitOf(last) {
		first = strings.TrimSuffix(first, unit)
	}
	return first + " to " + last
}

// unitOf is what stands behind the number.
func unitOf(quantity string) string { return strings.TrimLeft(quantity, "+-0123456789.,") }

// grouped prints a count in full, its thousands apart.
func grouped(v float64) string {
	decimals := 0
	if v != math.Trunc(v) && math.Abs(v) < 1000 {
		decimals = 1
	}
	whole, fraction, has := strings.Cut(strconv.FormatFloat(math.Abs(v), 'f', decimals, 64), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if has {
		whole += "." + fraction
	}
	if v < 0 && strings.Trim(whole, "0.") != "" {
		whole = "-" + whole
	}
	return whole
}
