package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/fatih/color"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// A triagePart is a heading with what stands below it, in a form that the terminal and
// Markdown share.
type triagePart struct {
	head  string
	lines []string
	table *table
}

// Triage prints what a triage found: the four questions, the bottleneck, the strategies.
func Triage(w io.Writer, t *experiment.Triage, st Style) error {
	out := &writer{w: w}
	out.printf("%s\n", st.bold(clean(triageTitle(t))))
	for _, p := range triageParts(t) {
		out.printf("\n%s\n", st.bold(p.head))
		for _, line := range p.lines {
			out.printf("  %s\n", strings.ReplaceAll(wrap(clean(line)), "\n", "\n  "))
		}
		if p.table != nil {
			p.table.paint = func(_, _ int, cell string) string {
				if cell == string(experiment.FitYes) {
					return st.paint(cell, color.FgGreen)
				}
				return cell
			}
			out.table(p.table, st)
		}
	}
	return out.err
}

// TriageMarkdown writes the same as Markdown.
func TriageMarkdown(w io.Writer, t *experiment.Triage) error {
	out := &writer{w: w}
	out.printf("### %s\n", mdText(triageTitle(t)))
	for _, p := range triageParts(t) {
		out.printf("\n**%s**\n\n", mdText(p.head))
		for _, line := range p.lines {
			out.printf("- %s\n", mdText(clean(line)))
		}
		if p.table != nil {
			if len(p.lines) > 0 {
				out.printf("\n")
			}
			markdownTable(out, p.table.head, p.table.align, p.table.rows)
		}
	}
	return out.err
}

// triageTitle is the answer in one line.
func triageTitle(t *experiment.Triage) string {
	var fits []string
	for _, s := range t.Strategies {
		if s.Fit == experiment.FitYes {
			fits = append(fits, s.Name)
		}
	}
	advice := "no strategy has evidence"
	if len(fits) > 0 {
		advice = strings.Join(fits, ", ")
	}
	return fmt.Sprintf("%s: the bottleneck is %s; what fits: %s", t.Workload.Name, cmp.Or(t.Bottleneck, "not known"), advice)
}

func triageParts(t *experiment.Triage) []triagePart {
	parts := []triagePart{triageWorkload(t), triageScale(t), triageEnvironment(t), triageSymptoms(t), triageClasses(t)}
	for _, s := range t.Strategies {
		evidence := s.Evidence
		if len(evidence) == 0 {
			evidence = []string{"nothing that was measured says so, or says that it does not"}
		}
		parts = append(parts, triagePart{head: fmt.Sprintf("Strategy: %s %s", s.Name, s.Fit), lines: evidence})
	}
	if len(t.Unknown) > 0 {
		parts = append(parts, triagePart{head: "Not measured", lines: t.Unknown})
	}
	return slices.DeleteFunc(parts, func(p triagePart) bool { return len(p.lines) == 0 && p.table == nil })
}

func triageWorkload(t *experiment.Triage) triagePart {
	u := t.Usage
	lines := []string{
		shorten(strings.Join(t.Workload.Command, " "), maxText) + " (" + t.Workload.Why + ")",
		fmt.Sprintf("a run takes %s (median of %d): user %s, system %s, waiting %s, not let run %s; %.2f of %d cores",
			quantity(perf.Second, u.Wall), u.Runs, quantity(perf.Second, u.User), quantity(perf.Second, u.System), quantity(perf.Second, u.Waiting),
			quantity(perf.Second, u.Delay), u.CPU()/max(u.Wall, 1e-12), u.Cores),
	}
	if u.Phases != nil {
		lines[1] = fmt.Sprintf("a container's life takes %s (median of %d)", quantity(perf.Second, u.Wall), u.Runs)
	}
	switch { // of a container nothing but its memory is read, and 0 would be no reading
	case u.Phases != nil && u.PeakMemory > 0:
		lines = append(lines, "peak memory "+quantity(perf.Byte, u.PeakMemory))
	case u.Phases == nil && u.Faults+u.Read+u.Written+u.PeakMemory > 0:
		peak, faults := "not measured", "page faults not measured"
		if u.PeakMemory > 0 {
			peak = quantity(perf.Byte, u.PeakMemory)
		}
		if u.Faults > 0 { // no process begins without one
			faults = grouped(u.Faults) + " page faults"
		}
		lines = append(lines, fmt.Sprintf("%s, %s context switches, %s read, %s written, peak memory %s",
			faults, grouped(u.Switches), quantity(perf.Byte, u.Read), quantity(perf.Byte, u.Written), peak))
	}
	if t.Workload.Items > 0 {
		lines = append(lines, fmt.Sprintf("%d %s a run", t.Workload.Items, t.Workload.Unit))
	}
	return triagePart{head: "Workload: " + t.Workload.Name, lines: lines}
}

// quantity prints with three digits: of what is measured a few times, more say nothing.
func quantity(u perf.Unit, v float64) string {
	if v == 0 {
		return "0"
	}
	return u.Format(v)
}

func triageScale(t *experiment.Triage) triagePart {
	rows := &table{head: []string{"", "wall", "against the first", "work done"}, align: []align{left, right, right, right}}
	add := func(points []experiment.ScalePoint, name string) {
		for _, p := range points {
			first := points[0]
			rows.add(strconv.Itoa(p.N)+" "+name, perf.Second.Format(p.Wall), fmt.Sprintf("%.2fx", p.Wall/first.Wall),
				fmt.Sprintf("%.2fx", float64(p.N)/float64(first.N)*first.Wall/p.Wall))
		}
	}
	add(t.Scale.Parallel, "at once")
	add(t.Scale.Sizes, cmp.Or(t.Scale.SizeUnit, "items"))
	part := triagePart{head: "Scale"}
	if len(rows.rows) > 0 {
		part.table = rows
	}
	if law := t.Scale.Law.String(); law != "" {
		part.lines = append(part.lines, law)
	}
	if c := t.Scale.Containers; c != nil {
		part.lines = append(part.lines, "Universal Scalability Law, with 95 % intervals: "+scalingLaw(*c))
		if c.Answer != "" {
			part.lines = append(part.lines, c.Answer)
		}
		for _, a := range c.Advice {
			part.lines = append(part.lines, "what would help: "+a)
		}
		part.lines = append(part.lines, whereNotes(*c)...)
	}
	if f := t.Scale.Fixed; f != nil {
		part.lines = append(part.lines, fmt.Sprintf("%.0f %% of the greatest size's time would be there for none (a line through the sizes)", 100**f))
	}
	return part
}

func triageEnvironment(t *experiment.Triage) triagePart {
	e := t.Environment
	lines := []string{machineLine(e.Machine), fmt.Sprintf("%s build: %s", e.Build, e.BuildWhy)}
	for _, l := range e.Limits {
		text := l.Name + ": " + l.Value
		if l.Effect != "" {
			text += " (" + l.Effect + ")"
		}
		lines = append(lines, text)
	}
	lines = append(lines, fmt.Sprintf("other work had the CPU for %.0f %% of the wall time of a run", 100*e.Contention))
	return triagePart{head: "Environment", lines: lines}
}

func triageSymptoms(t *experiment.Triage) triagePart {
	part := triagePart{head: "Symptoms"}
	for _, s := range t.Symptoms {
		part.lines = append(part.lines, fmt.Sprintf("%s (%.0f %%): %s", s.Name, 100*s.Share, s.Evidence))
	}
	if len(part.lines) == 0 {
		part.lines = []string{"none that stands out"}
	}
	return part
}

func triageClasses(t *experiment.Triage) triagePart {
	rows := &table{head: []string{"of the time", "class of bottleneck", "mostly in"}, align: []align{right, left, left}}
	for _, c := range t.Classes {
		if c.Share >= minShare {
			rows.add(shareOf(c.Share), c.String(), strings.Join(c.Leaders, ", "))
		}
	}
	part := triagePart{head: "Bottleneck: " + cmp.Or(t.Bottleneck, "not known")}
	if len(rows.rows) > 0 {
		part.table = rows
	}
	for _, p := range t.Profiles {
		part.lines = append(part.lines, fmt.Sprintf("%s profile of %s samples: %s/flamegraph.svg", p.Kind, grouped(float64(p.Samples)), p.Folder))
	}
	return part
}
