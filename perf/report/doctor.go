package report

import (
	"io"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// Doctor prints what was found on this machine: the tools with what they enable or
// the command that installs them, and the conditions with what they do to results.
func Doctor(w io.Writer, m perf.Machine, tools []measure.Tool, conditions []measure.Condition, st Style) error {
	out := &writer{w: w}
	out.printf("%s\n\n%s\n", st.faint(machineLine(m)), st.bold("Tools"))
	for _, t := range tools {
		doctorTool(out, t, st)
	}
	out.printf("\n%s\n", st.bold("Conditions"))
	for _, c := range conditions {
		doctorCondition(out, c, st)
	}
	return out.err
}

func doctorTool(out *writer, t measure.Tool, st Style) {
	what := st.state(string(perf.StateOK)) + "  " + clean(t.Version)
	switch {
	case !t.Found:
		what = st.state(string(perf.OverTarget)) + "  not found"
	case !t.Usable:
		what = st.state(string(perf.OverTarget)) + "  found, and does not work"
	}
	out.printf("  %-16s %s\n", clean(t.Name), what)
	if t.Path != "" {
		out.printf("    %-9s %s\n", "is", clean(t.Path))
	}
	out.printf("    %-9s %s\n", "enables", clean(t.Enables))
	if t.Note != "" {
		out.printf("    %-9s %s\n", "note", clean(t.Note))
	}
	if t.Install != "" && !t.Usable {
		out.printf("    %-9s %s\n", "install", clean(t.Install))
	}
}

func doctorCondition(out *writer, c measure.Condition, st Style) {
	value := clean(c.Value)
	if c.Effect != "" {
		value = st.state(string(perf.OverTarget)) + " " + value
	}
	out.printf("  %-24s %s\n", clean(c.Name), value)
	if c.Effect != "" {
		out.printf("    %-9s %s\n", "effect", clean(c.Effect))
	}
	if c.Remedy != "" {
		out.printf("    %-9s %s\n", "remedy", clean(c.Remedy))
	}
}
