package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// historyRows is how many of the newest points are listed; the picture shows all.
const historyRows = 20

// History prints a series with its picture and its changes.
func History(w io.Writer, h *experiment.History, st Style) error {
	out := &writer{w: w}
	out.printf("%s %s, %s\n", st.bold(clean(h.Workload)), clean(h.Metric.Name), historyKind(h))
	values := make([]float64, len(h.Points))
	for i, p := range h.Points {
		values[i] = p.Value
	}
	low, high := slices.Min(values), slices.Max(values)
	scale := newRowScale(h.Metric.Unit, high)
	out.printf("%s  %s to %s\n", sparkline(h.Columns(sparkWidth)), scale.format(low), scale.format(high))
	if len(h.Changes) > 0 {
		out.printf("%s\n", sparkMarks(h.Changes, len(values)))
	}
	out.printf("\n")
	historyChanges(out, h, st)
	t := &table{head: []string{"newest runs", "made (UTC)", "commit", clean(h.Metric.Name), ""}, align: []align{left, left, left, right, left}}
	for i := len(h.Points) - 1; i >= max(0, len(h.Points)-historyRows); i-- {
		p := h.Points[i]
		commit := shortCommit(p.Commit)
		if p.Dirty {
			commit += " + changes"
		}
		mark := ""
		if slices.ContainsFunc(h.Changes, func(c experiment.Change) bool { return c.Index == i }) {
			mark = "the level changes here"
		}
		t.add(p.Run, p.Created.UTC().Format("2006-01-02 15:04"), commit, scale.format(p.Value), mark)
	}
	out.table(t, st)
	return out.err
}

func historyKind(h *experiment.History) string {
	n := plural(len(h.Points), "run")
	switch h.Kind {
	case experiment.AnchorHistory:
		return "as a ratio to one ref, " + n + " compared pair by pair"
	case experiment.RatioHistory:
		return "as a ratio to what each run was compared with, " + n + " compared pair by pair"
	}
	if h.Elsewhere > 0 {
		n += fmt.Sprintf(" of this machine (%d of others are left out)", h.Elsewhere)
	}
	return "median of each run, " + n
}

// historyChanges says in words where the level changed.
func historyChanges(out *writer, h *experiment.History, st Style) {
	switch {
	case len(h.Points) < h.Least:
		out.printf("%s\n\n", st.faint(fmt.Sprintf("A change of level needs %d runs to show, and there are %d.", h.Least, len(h.Points))))
		return
	case len(h.Changes) == 0:
		out.printf("%s\n\n", st.faint(fmt.Sprintf("No change of level (at most %.0f %% of histories without one would show one; a level that is younger than a fifth of the history seldom shows).", 100*h.Alpha)))
		return
	}
	for _, c := range h.Changes {
		p := h.Points[c.Index]
		change := 100 * (c.After/c.Before - 1)
		word := "better"
		if (change > 0) == (h.Metric.Better == perf.Lower) {
			word = "worse"
		}
		scale := newRowScale(h.Metric.Unit, c.After)
		out.printf("%s at run %s (%s, commit %s): from %s to %s, %+.1f %%, p = %.3f\n",
			st.bold(word), clean(p.Run), p.Created.UTC().Format("2006-01-02"), orUnknown(shortCommit(p.Commit)), scale.format(c.Before), scale.format(c.After), change, c.P)
	}
	if h.Kind == experiment.RatioHistory {
		out.printf("%s\n", st.faint("Each ratio is to a ref of its own: what one run alone has changed is in that run's verdict, and no level."))
	}
	if h.Kind == experiment.MedianHistory {
		out.printf("%s\n", st.faint("The runs were not interleaved: a change of the machine looks like one of the code. compareRefs tells them apart."))
	}
	out.printf("\n")
}

func orUnknown(commit string) string {
	if commit == "" {
		return "unknown"
	}
	return commit
}

// sparkWidth is the widest picture.
const sparkWidth = 80

// bars are the eight heights of a column (Unicode block elements).
var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws a column for each height, from the least to the greatest.
func sparkline(heights []float64) string {
	low, high := slices.Min(heights), slices.Max(heights)
	var b strings.Builder
	for _, v := range heights {
		level := 0
		if high > low {
			level = min(int(float64(len(bars))*(v-low)/(high-low)), len(bars)-1)
		}
		b.WriteRune(bars[level])
	}
	return b.String()
}

// sparkMarks puts an arrow below the column of each change.
func sparkMarks(changes []experiment.Change, n int) string {
	columns := min(n, sparkWidth)
	line := []rune(strings.Repeat(" ", columns))
	for _, c := range changes {
		line[min(c.Index*columns/n, columns-1)] = '^'
	}
	return strings.TrimRight(string(line), " ")
}
