package report

import (
	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// shownMovers is how many functions are named for each comparison.
const shownMovers = 5

// comparisonProfiles says of what is SLOWER where the difference lies, as profiles that
// were recorded after the verdict show it.
func comparisonProfiles(out *writer, list []perf.Comparison, st Style) {
	for _, c := range list {
		p := c.Profile
		if p == nil {
			continue
		}
		out.printf("\n%s of %s: a run takes %s, and took %s (%s of each side, recorded after the verdict)\n", st.bold("Profile ("+clean(p.Kind)+")"),
			st.bold(clean(c.Workload)), p.Unit.Format(p.NewWeight), p.Unit.Format(p.OldWeight), plural(p.Runs, "run"))
		out.table(moverRows(p), st)
		out.printf("flame graph of the difference: %s, beside the result\n", clean(p.Diff))
	}
}

// markdownProfiles says the same in Markdown.
func markdownProfiles(out *writer, list []perf.Comparison) {
	for _, c := range list {
		p := c.Profile
		if p == nil {
			continue
		}
		out.printf("\n**Profile** (%s) of %s: a run takes %s, and took %s; flame graph of the difference: %s\n\n", mdText(p.Kind), mdText(c.Workload),
			mdText(p.Unit.Format(p.NewWeight)), mdText(p.Unit.Format(p.OldWeight)), mdText(p.Diff))
		t := moverRows(p)
		markdownTable(out, t.head, t.align, t.rows)
	}
}

// moverRows are the functions that changed most, as changes of one run.
func moverRows(p *perf.ProfileDiff) *table {
	t := &table{head: []string{"own", "with callees", "function"}, align: []align{right, right, left}}
	for _, m := range p.Movers[:min(len(p.Movers), shownMovers)] {
		t.add(signedQuantity(p.Unit, m.Flat), signedQuantity(p.Unit, m.Cum), m.Name)
	}
	return t
}

func signedQuantity(u perf.Unit, v float64) string {
	if v < 0 {
		return "-" + u.Format(-v)
	}
	return "+" + u.Format(v)
}
