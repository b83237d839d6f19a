package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Paired prints a run that compared pairs: what was compared with what, one row a
// metric, worst first, then why each verdict is what it is, the rule, and how it was
// measured.
func Paired(w io.Writer, r *perf.Result, st Style) error {
	out := &writer{w: w}
	out.printf("%s: %s\n", st.bold(clean(r.Suite)), clean(r.Subject.Name))
	out.printf("%s\n\n", st.faint(machineLine(r.Machine)))
	pairedArms(out, r, st)
	pairedTable(out, r, st)
	comparisonReasons(out, r.Comparisons, st)
	comparisonProfiles(out, r.Comparisons, st)
	pairedDesign(out, r, st)
	failures(out, r, st)
	warnings(out, r, st)
	return out.err
}

// pairedArms names the two sides, where all comparisons have the same.
func pairedArms(out *writer, r *perf.Result, st Style) {
	if len(r.Comparisons) == 0 {
		return
	}
	first := r.Comparisons[0]
	out.printf("%s %s\n%s %s\n\n", st.faint("old:"), indent(first.Old.Ref), st.faint("new:"), indent(first.New.Ref))
}

// SuiteMode is the mode of a run whose comparisons share their error.
const SuiteMode = "paired suite"

// Columns of the table of paired comparisons.
const (
	pairedName = iota
	pairedOld
	pairedNew
	pairedChange
	pairedInterval
	pairedEvidence
	pairedPairs
	pairedVerdict
)

func pairedTable(out *writer, r *perf.Result, st Style) {
	t := pairedRows(r)
	t.paint = func(_, column int, cell string) string {
		switch {
		case column != pairedVerdict:
			return cell
		case cell == notGating:
			return st.faint(cell)
		}
		return st.state(cell)
	}
	if len(t.rows) == 0 {
		out.printf("Nothing was compared.\n")
		return
	}
	out.table(t, st)
}

// pairedRows sets the comparisons in a table.
func pairedRows(r *perf.Result) *table {
	t := &table{
		head:  []string{"", "old", "new", "change", "interval", "evidence", "pairs", "verdict"},
		align: []align{left, right, right, right, left, right, right, left},
	}
	single := len(r.Workloads) == 1
	rows := worstFirst(r.Comparisons, single)
	for i, c := range rows {
		if i > 0 && c.Gate != rows[i-1].Gate {
			t.blank()
		}
		t.add(pairedRow(c, single)...)
	}
	return t
}

// worstFirst orders the comparisons, those that gate before the others, and leaves out
// what has no place in the table: of several workloads, what does not gate.
func worstFirst(list []perf.Comparison, single bool) []perf.Comparison {
	rows := slices.DeleteFunc(slices.Clone(list), func(c perf.Comparison) bool {
		shown := single && (inTable(perf.Metric{Name: c.Metric, Unit: c.Unit, Better: c.Better}) || strings.HasSuffix(string(c.Unit), "/op"))
		return !c.Gate && !shown
	})
	slices.SortStableFunc(rows, func(a, b perf.Comparison) int {
		return cmp.Or(rank(a)-rank(b), badness(a)-badness(b), cmp.Compare(harm(b), harm(a)))
	})
	return rows
}

// badness orders the verdicts.
func badness(c perf.Comparison) int {
	if !c.Gate {
		return 0
	}
	return slices.Index([]perf.Verdict{perf.Invalid, perf.Slower, perf.VerdictUnsure, perf.NoChange, perf.Faster}, c.Verdict)
}

// harm is how many times worse the new side is.
func harm(c perf.Comparison) float64 {
	if c.Ratio == nil || *c.Ratio <= 0 || !c.Gate {
		return 0
	}
	if c.Better == perf.Higher {
		return 1 / *c.Ratio
	}
	return *c.Ratio
}

// notGating stands in place of a verdict.
const notGating = "not gating"

func pairedRow(c perf.Comparison, single bool) []string {
	row := make([]string, pairedVerdict+1)
	row[pairedName] = clean(c.Metric)
	if !single {
		row[pairedName] = shorten(clean(c.Workload), maxName) + " " + row[pairedName]
	}
	if c.Gate {
		row[pairedName] += " *"
	}
	basic := comparisonRow(c)
	copy(row[pairedOld:], basic[1:4])
	row[pairedInterval] = pairedBounds(c)
	if c.Evidence != nil {
		row[pairedEvidence] = evidenceText(*c.Evidence)
	}
	row[pairedPairs] = fmt.Sprint(c.Pairs)
	row[pairedVerdict] = notGating
	if c.Gate {
		row[pairedVerdict] = verdictText(c)
	}
	return row
}

// pairedBounds is the interval of the change; exact values need none.
func pairedBounds(c perf.Comparison) string {
	if c.Exact {
		return "exact"
	}
	bound := percent
	if slices.ContainsFunc(present(c.Ratio), isFactor) {
		bound = factor
	}
	low, high := c.Low, c.High
	if low != nil && *low <= 0 {
		low = nil
	}
	switch {
	case low != nil && high != nil:
		return bound(*low) + " to " + bound(*high)
	case low != nil:
		return "from " + bound(*low)
	case high != nil:
		return "up to " + bound(*high)
	}
	return ""
}

// pairedDesign tells the rule of the verdicts and how the pairs were made.
func pairedDesign(out *writer, r *perf.Result, st Style) {
	at := slices.IndexFunc(r.Comparisons, func(c perf.Comparison) bool { return c.Gate && !c.Exact && c.Alpha > 0 })
	if at < 0 {
		return
	}
	c := r.Comparisons[at]
	var lines []string
	for _, reason := range gateReasons(r.Comparisons) {
		lines = append(lines, wrap("* "+reason))
	}
	evidence := fmt.Sprintf("SLOWER, FASTER: evidence of %.4g, which a command compared with itself reaches in at most %.4g %% of comparisons, however often one looks",
		math.Round(1/c.Alpha), 100*c.Alpha)
	if r.Mode == SuiteMode {
		evidence = fmt.Sprintf("SLOWER, FASTER: of those that are called so, at most %.4g %% are by chance, over all comparisons together (e-BH)", 100*c.Alpha)
	}
	interval := fmt.Sprintf("interval: of the ratio new/old, %.4g %%, valid at every look", 100*(1-c.Alpha))
	if slices.ContainsFunc(r.Comparisons, reachesBeyond) {
		interval += "; it may reach beyond what NO CHANGE refutes, as it errs on either side half as often as that does"
	}
	lines = append(lines, wrap(fmt.Sprintf("%s; NO CHANGE: %.4g %% or more is refuted, both ways; %s", evidence, 100*c.MinEffect, interval)), wrap(madeHow(c)))
	out.printf("\n%s\n", st.faint(strings.Join(lines, "\n")))
}

// reachesBeyond reports whether a comparison is NO CHANGE, with an interval that is wider.
func reachesBeyond(c perf.Comparison) bool {
	wider := c.Low != nil && *c.Low < 1/(1+c.MinEffect) || c.High != nil && *c.High > 1+c.MinEffect
	return wider && c.Gate && c.Verdict == perf.NoChange
}

// gateReasons are why the metrics gate, each said once, with the metrics that it is
// about.
func gateReasons(list []perf.Comparison) []string {
	var reasons []string
	metrics := map[string][]string{}
	for _, c := range list {
		if !c.Gate || c.GateReason == "" || c.Exact {
			continue
		}
		if !slices.Contains(reasons, c.GateReason) {
			reasons = append(reasons, c.GateReason)
		}
		if !slices.Contains(metrics[c.GateReason], c.Metric) {
			metrics[c.GateReason] = append(metrics[c.GateReason], c.Metric)
		}
	}
	const most = 4
	var out []string
	for _, reason := range reasons[:min(len(reasons), most)] {
		names := metrics[reason]
		verb := " gates: "
		if len(names) > 1 {
			verb = " gate: "
		}
		out = append(out, clean(strings.Join(names, " and ")+verb+reason))
	}
	return out
}

// madeHow tells how the pairs of a comparison were made.
func madeHow(c perf.Comparison) string {
	text := fmt.Sprintf("pairs in random order (-seed=%d replays it), the size of the environment varied", c.Seed)
	if c.Control != nil {
		text += fmt.Sprintf(", %s of old against old", plural(len(c.Control.Old), "control pair"))
	}
	if len(c.CPUs) == 1 {
		text += fmt.Sprintf(", pinned to CPU %d", c.CPUs[0])
	}
	if len(c.Voids) > 0 {
		text += fmt.Sprintf(", %d void", len(c.Voids))
	}
	switch {
	case c.Builds == 1:
		text += "; one build of each side: the verdict is about these binaries, and a layout that differs by chance is part of it (-rebuilds=K)"
	case c.Builds > 1:
		text += fmt.Sprintf("; %d builds of each side, drawn at random for each pair", c.Builds)
	}
	return text
}
