package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// SelfTest prints what a self-test found: a row for each part, and the smallest effect
// that this machine can detect.
func SelfTest(w io.Writer, r *perf.Result, found experiment.SelfTestReport, st Style) error {
	out := &writer{w: w}
	out.printf("%s: does the gate work on this machine, now?\n%s\n\n", st.bold("self-test"), st.faint(machineLine(r.Machine)))
	t := &table{
		head:  []string{"a command compared", "must be", "is", "change", "interval", "pairs", ""},
		align: []align{left, left, left, right, left, right, left},
	}
	t.paint = func(_, column int, cell string) string {
		if column != 6 {
			return cell
		}
		if cell == "ok" {
			return st.paint(cell, color.FgGreen)
		}
		return st.paint(cell, color.FgRed, color.Bold)
	}
	for _, c := range found.Cases {
		row := pairedRow(c.Comparison, true)
		t.add(c.Name, string(c.Want), string(c.Comparison.Verdict), row[pairedChange], row[pairedInterval], fmt.Sprint(c.Comparison.Pairs), selfTestWord(c))
	}
	out.table(t, st)
	if len(found.Cases) > 0 {
		out.printf("\n%s\n", detectable(found))
		pairedDesign(out, &perf.Result{Comparisons: r.Comparisons[:1]}, st)
	}
	for _, c := range found.Cases {
		if !c.OK() && c.Comparison.Reason != "" {
			out.printf("\n%s: %s\n", st.bold(clean(c.Name)), indent(c.Comparison.Reason))
		}
	}
	failures(out, r, st)
	warnings(out, r, st)
	return out.err
}

func selfTestWord(c experiment.SelfTestCase) string {
	switch {
	case c.OK():
		return "ok"
	case c.Wrong():
		return "WRONG"
	}
	return "undecided"
}

func detectable(found experiment.SelfTestReport) string {
	if len(found.Cases) == 0 {
		return ""
	}
	metric := clean(found.Cases[0].Comparison.Metric)
	if found.Detectable == 0 {
		return fmt.Sprintf("Within %s, %s finds no slowdown up to 50 %% of such a command here.", span(found.Budget), metric)
	}
	return fmt.Sprintf("Within %s, a slowdown of %.3g %% of such a command is found here in 95 of 100 comparisons, by %s; smaller ones less often.",
		span(found.Budget), 100*found.Detectable, metric)
}

// SelfTestHeadline says in one line what did not come out as it must.
func SelfTestHeadline(found experiment.SelfTestReport) string {
	var wrong []string
	for _, c := range found.Cases {
		if !c.OK() {
			wrong = append(wrong, fmt.Sprintf("%s is %s, and must be %s", c.Name, c.Comparison.Verdict, c.Want))
		}
	}
	if len(wrong) == 0 {
		return "the self-test did not come to its end"
	}
	return clean(strings.Join(wrong, "; "))
}
