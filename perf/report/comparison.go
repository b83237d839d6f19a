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
		out.printf("%s: run %s against baseline %s (run %s of %s)\n", st.bold(r.Suite), r.ID, st.bold(name), old.ID, old.Created.Format("2006-01-02 15:04 MST"))
		out.printf("%s\n\n", st.faint("unpaired: two sessions are compared, not interleaved runs, so only large changes can be told from a machine that was busier that day"))
		comparisonTable(out, r.Comparisons, st)
		comparisonRule(out, r.Comparisons, st)
		for _, c := range r.Comparisons {
			if c.Reason != "" && c.Gate {
				out.printf("%s %s %s: %s\n", st.state(string(c.Verdict)), clean(c.Workload), clean(c.Metric), indent(c.Reason))
			}
		}
		warnings(out, &perf.Result{Warnings: r.Warnings}, st)
		return out.err
	}
}

const colVerdict = 6

func comparisonTable(out *writer, list []perf.Comparison, st Style) {
	t := &table{
		head:  []string{"", "old", "new", "change", "interval", "runs", "verdict"},
		align: []align{left, right, right, right, left, right, left},
	}
	t.paint = func(_, column int, cell string) string {
		if column == colVerdict {
			return st.state(cell)
		}
		return cell
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b perf.Comparison) int { return rank(a) - rank(b) })
	for _, c := range sorted {
		if c.Gate || inTable(perf.Metric{Name: c.Metric, Unit: c.Unit, Better: c.Better}) {
			t.add(comparisonRow(c)...)
		}
	}
	if len(t.rows) > 0 {
		out.table(t, st)
	}
}

// rank puts what gates first.
func rank(c perf.Comparison) int {
	if c.Gate {
		return 0
	}
	return 1
}

func comparisonRow(c perf.Comparison) []string {
	name := clean(c.Workload) + " " + clean(c.Metric)
	if c.Gate {
		name += " *"
	}
	row := []string{name, "", "", "", "", fmt.Sprintf("%d, %d", len(c.Old.Samples), len(c.New.Samples)), string(c.Verdict)}
	scale := perf.NewScale(c.Unit, nonZero(c.Old.Center, c.New.Center)...)
	if c.Old.Center != nil {
		row[1] = scale.Format(*c.Old.Center)
	}
	if c.New.Center != nil {
		row[2] = scale.Format(*c.New.Center)
	}
	if c.Ratio != nil {
		row[3] = percent(*c.Ratio)
	}
	if c.Low != nil && c.High != nil {
		row[4] = percent(*c.Low) + " to " + percent(*c.High)
	}
	return row
}

func nonZero(list ...*float64) []float64 {
	var out []float64
	for _, p := range list {
		if p != nil {
			out = append(out, *p)
		}
	}
	return out
}

// percent prints a ratio as the change that it is; one that more than doubles is
// clearer as a factor.
func percent(ratio float64) string {
	switch change := 100 * (ratio - 1); {
	case ratio >= 3:
		return fmt.Sprintf("%.3gx", ratio)
	case change > -0.05 && change < 0.05:
		return "0.0 %"
	default:
		return fmt.Sprintf("%+.1f %%", change)
	}
}

// comparisonRule prints by which rule the verdicts were reached.
func comparisonRule(out *writer, list []perf.Comparison, st Style) {
	for _, c := range list {
		if c.Alpha > 0 {
			out.printf("\n%s\n", st.faint(fmt.Sprintf("* gates. SLOWER: the whole %g %% interval of the ratio of medians is worse by more than %g %%; NO CHANGE: all of it lies within; else UNDECIDED.",
				100*(1-c.Alpha), 100*c.MinEffect)))
			return
		}
	}
}

// ComparisonHeadline says in one line what made a comparison end as it did.
func ComparisonHeadline(r *perf.Result) string {
	var slower, others []string
	for _, c := range r.Comparisons {
		if !c.Gate {
			continue
		}
		name := c.Workload + " " + c.Metric
		switch c.Verdict {
		case perf.Slower:
			slower = append(slower, name+" is SLOWER")
		case perf.Invalid, perf.VerdictUnsure:
			others = append(others, name+" is "+string(c.Verdict))
		}
	}
	switch {
	case len(slower) > 0:
		return strings.Join(slower, ", ")
	case len(others) > 0:
		return strings.Join(others, ", ")
	}
	return "nothing was compared: the run and the baseline have no metric in common that could be"
}
