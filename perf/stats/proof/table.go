package proof

import (
	"fmt"
	"strings"
)

// A Table is the outcome of a proof.
type Table struct {
	Trials int
	Rows   []Row
}

// String returns the table as text: the engine beside its rival, and then the customs.
func (t *Table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sessions in each cell, of at most %d runs. Shares in %%, mean runs as clnrm-perf/group-sequential Wilcoxon.\n\n", t.Trials, 2*maxPairs)
	const form = "%-21s %11s %11s %11s %11s  %9s %9s %9s %9s\n"
	fmt.Fprintf(&b, form, "", "A/A: alarm", "no change", "+2%: slower", "no change", "runs A/A", "+2%", "+5%", "+20%")
	for _, r := range t.Rows {
		e, g := r.Engine, r.Rival
		cells := []any{r.Scenario,
			duel(max(e[0].alarms(), r.Ever.alarms()), g[0].alarms()), duel(e[0].share(e[0].Same), g[0].share(g[0].Same)),
			duel(e[1].share(e[1].Slower), g[1].share(g[1].Slower)), duel(e[1].share(e[1].Same), g[1].share(g[1].Same))}
		for k := range effects {
			cells = append(cells, fmt.Sprintf("%.0f/%.0f", e[k].Runs, g[k].Runs))
		}
		fmt.Fprintf(&b, form, cells...)
	}
	b.WriteString("\nalarm: of clnrm-perf, at any of 200 looks, also after an answer.\n\n")
	t.writeCustoms(&b)
	return b.String()
}

func (t *Table) writeCustoms(b *strings.Builder) {
	fmt.Fprintf(b, "What people use today: A/A false alarms/found at +2 %%, in %% of %d sessions. None of it can say \"no change\".\n\n", min(t.Trials, customTrials))
	fmt.Fprintf(b, "%-21s", "")
	for _, c := range customs {
		fmt.Fprintf(b, " %13s", c.name)
	}
	fmt.Fprintf(b, " %13s\n", shipped.name)
	for _, r := range t.Rows {
		fmt.Fprintf(b, "%-21s", r.Scenario)
		for _, c := range append(r.Customs, [2]Tally{r.Engine[0], r.Engine[1]}) {
			fmt.Fprintf(b, " %13s", duel(c[0].alarms(), c[1].share(c[1].Slower)))
		}
		b.WriteByte('\n')
	}
}

// duel words two shares in percent.
func duel(a, b float64) string { return percent(a) + "/" + percent(b) }

func percent(share float64) string {
	if share == 0 || share >= 0.1 {
		return fmt.Sprintf("%.0f", 100*share)
	}
	return fmt.Sprintf("%.2g", 100*share)
}

// floors are what a table has to keep.
type floors struct {
	alarm  float64 // A/A, and false "no change" at +2 %: at most this share
	power  float64 // A/A in "no change", and +2 % found: at least this share
	rivals float64 // mean runs: at most this multiple of the rival's
}

// full are the floors at full size.
var full = floors{alarm: 0.01, power: 0.95, rivals: 1.1}

// Broken lists the floors that the table breaks, a sentence each: alarms without an
// effect and "no change" with one of 2 %, at most 1 %; "no change" without an effect
// and SLOWER with 2 %, at least 95 % where the scenario is not weak; mean runs with
// each effect at most 1.1 times those of group-sequential Wilcoxon. They are meant for a
// table of [FullTrials]; a small one breaks them by chance.
func (t *Table) Broken() []string { return t.broken(full) }

func (t *Table) broken(f floors) []string {
	var out []string
	for _, r := range t.Rows {
		check := func(ok bool, format string, args ...any) {
			if !ok {
				out = append(out, r.Scenario+": "+fmt.Sprintf(format, args...))
			}
		}
		none, some := r.Engine[0], r.Engine[1]
		check(none.alarms() <= f.alarm, "A/A alarms in %.2f %%, at most %.2f", 100*none.alarms(), 100*f.alarm)
		check(r.Ever.alarms() <= f.alarm, "A/A alarms at some time in %.2f %%, at most %.2f", 100*r.Ever.alarms(), 100*f.alarm)
		check(some.share(some.Same) <= f.alarm, "no change at +2 %% in %.2f %%, at most %.2f", 100*some.share(some.Same), 100*f.alarm)
		for k, effect := range effects {
			e, g := r.Engine[k].Runs, r.Rival[k].Runs
			check(e <= f.rivals*g, "%.1f runs at +%.0f %%, at most %.2f times %.1f", e, 100*effect, f.rivals, g)
		}
		if r.Weak {
			continue
		}
		check(none.share(none.Same) >= f.power, "A/A ends in no change in %.1f %%, at least %.1f", 100*none.share(none.Same), 100*f.power)
		check(some.share(some.Slower) >= f.power, "found +2 %% in %.1f %%, at least %.1f", 100*some.share(some.Slower), 100*f.power)
	}
	return out
}
