package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Comparison returns a renderer for a result with comparisons against the baseline
// old, called name: what was compared with what, one row a metric, those that gate
// first, and the rule that the verdicts follow.
func Comparison(name string, old *perf.Result) func(io.Writer, *perf.Result, Style) error {
	return func(w io.Writer, r *perf.Result, st Style) error {
		out := &writer{w: w}
		out.printf("%s: run %s against baseline %s (run %s of %s)\n", st.bold(clean(r.Suite)), clean(r.ID), st.bold(clean(name)),
			clean(old.ID), old.Created.UTC().Format("2006-01-02 15:04 MST"))
		out.printf("%s\n\n", st.faint("unpaired: the runs of two sessions, not interleaved, so that only a change larger than\nwhat a busier day makes can be told"))
		comparisonTable(out, r.Comparisons, st)
		comparisonRule(out, r.Comparisons, st)
		comparisonReasons(out, r.Comparisons, st)
		warnings(out, &perf.Result{Warnings: r.Warnings}, st)
		return out.err
	}
}

// comparisonReasons says of what gates why its verdict is what it is.
func comparisonReasons(out *writer, list []perf.Comparison, st Style) {
	for _, c := range list {
		if c.Reason == "" || !c.Gate {
			continue
		}
		word := verdictText(c)
		reason := strings.TrimPrefix(c.Reason, word+": ")
		out.printf("\n%s %s: %s\n", st.state(word), st.bold(clean(c.Workload)+" "+clean(c.Metric)), indent(reason))
	}
}

// verdictText is the verdict, or, where the run has no value to compare, what that
// is called elsewhere.
func verdictText(c perf.Comparison) string {
	if len(c.New.Samples) == 0 && c.Verdict == perf.VerdictUnsure {
		return string(perf.NotMeasured)
	}
	return string(c.Verdict)
}

const nothingCompared = "nothing was compared: the run and the baseline have no metric in common that could be"

const colVerdict = 6

func comparisonTable(out *writer, list []perf.Comparison, st Style) {
	t := comparisonRows(list)
	t.paint = func(_, column int, cell string) string {
		if column == colVerdict {
			return st.state(cell)
		}
		return cell
	}
	if len(t.rows) == 0 {
		out.printf("%s\n", nothingCompared)
		return
	}
	out.table(t, st)
}

// comparisonRows sets the comparisons in a table, those that gate first and an empty row
// before the others.
func comparisonRows(list []perf.Comparison) *table {
	t := &table{
		head:  []string{"", "old", "new", "change", "interval", "runs", "verdict"},
		align: []align{left, right, right, right, left, right, left},
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b perf.Comparison) int { return rank(a) - rank(b) })
	sorted = slices.DeleteFunc(sorted, func(c perf.Comparison) bool {
		return !c.Gate && !inTable(perf.Metric{Name: c.Metric, Unit: c.Unit, Better: c.Better})
	})
	for i, c := range sorted {
		if i > 0 && c.Gate != sorted[i-1].Gate {
			t.blank()
		}
		t.add(comparisonRow(c)...)
	}
	return t
}

// rank puts what gates first.
func rank(c perf.Comparison) int {
	if c.Gate {
		return 0
	}
	return 1
}

func comparisonRow(c perf.Comparison) []string {
	name := shorten(clean(c.Workload), maxName) + " " + clean(c.Metric)
	if c.Gate {
		name += " *"
	}
	row := []string{name, "", "", "", "", fmt.Sprintf("%d, %d", len(c.Old.Samples), len(c.New.Samples)), verdictText(c)}
	centers := present(c.Old.Center, c.New.Center)
	unit := shownUnit(perf.Metric{Name: c.Metric, Unit: c.Unit})
	scale := rowScale{unit, perf.NewScale(unit, centers...)}
	if c.Old.Center != nil {
		row[1] = scale.format(*c.Old.Center)
	}
	if c.New.Center != nil {
		row[2] = scale.format(*c.New.Center)
	}
	change := percent
	if slices.ContainsFunc(present(c.Ratio), isFactor) {
		change = factor
	}
	if c.Ratio != nil {
		row[3] = change(*c.Ratio)
	}
	if c.Low != nil && c.High != nil {
		row[4] = change(*c.Low) + " to " + change(*c.High)
	}
	return row
}

// present returns the values that are there.
func present(list ...*float64) []float64 {
	var out []float64
	for _, p := range list {
		if p != nil {
			out = append(out, *p)
		}
	}
	return out
}

// isFactor reports whether a ratio is clearer as a factor than as a percentage.
func isFactor(ratio float64) bool { return ratio >= 3 }

func factor(ratio float64) string { return fmt.Sprintf("%.3gx", ratio) }

// percent prints a ratio as the change that it is.
func percent(ratio float64) string {
	change := 100 * (ratio - 1)
	if change > -0.05 && change < 0.05 {
		return "0.0 %"
	}
	return fmt.Sprintf("%+.1f %%", change)
}

// comparisonRule prints by which rule the verdicts were reached.
func comparisonRule(out *writer, list []perf.Comparison, st Style) {
	for _, c := range list {
		if c.Alpha > 0 {
			level, effect := fmt.Sprintf("%.4g %%", 100*(1-c.Alpha)), fmt.Sprintf("%.4g %%", 100*c.MinEffect)
			out.printf("\n%s\n", st.faint("* gates. SLOWER, FASTER: the whole "+level+" interval of the ratio new/old is worse, or better, by more\n"+
				"than "+effect+"; NO CHANGE: all of it lies within that; UNDECIDED: neither."))
			return
		}
	}
}

// ComparisonHeadline says in one line what made a comparison end as it did.
func ComparisonHeadline(r *perf.Result) string {
	var slower, others []string
	for _, w := range r.Workloads {
		if w.State == perf.StateFailed {
			others = append(others, w.Name+" failed")
		}
	}
	for _, c := range r.Comparisons {
		if !c.Gate {
			continue
		}
		name := c.Workload + " " + c.Metric
		switch c.Verdict {
		case perf.Slower:
			slower = append(slower, name+" is SLOWER")
		case perf.Invalid, perf.VerdictUnsure:
			others = append(others, name+" is "+verdictText(c))
		default: // nobody minds FASTER or NO CHANGE
		}
	}
	switch {
	case len(slower) > 0:
		return clean(strings.Join(slower, ", "))
	case len(others) > 0:
		return clean(strings.Join(others, ", "))
	case !r.Complete:
		return "the run did not come to its end"
	}
	return nothingCompared
}
