package report

import (
	"io"
	"strings"

	"github.com/fatih/color"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// Doctor prints what was found on this machine: the tools with what they enable or
// the command that installs them, and the conditions with what they do to results.
func Doctor(w io.Writer, m perf.Machine, tools []measure.Tool, conditions []measure.Condition, st Style) error {
	out := &writer{w: w}
	toolWidth, conditionWidth := 0, 0
	for _, t := range tools {
		toolWidth = max(toolWidth, columns(clean(t.Name)))
	}
	for _, c := range conditions {
		conditionWidth = max(conditionWidth, columns(clean(c.Name)))
	}
	out.printf("%s\n\n%s\n", st.faint(machineLine(m)), st.bold("Tools"))
	for _, t := range tools {
		doctorTool(out, t, toolWidth, st)
	}
	out.printf("\n%s\n", st.bold("Conditions"))
	for _, c := range conditions {
		doctorCondition(out, c, conditionWidth, st)
	}
	return out.err
}

// doctorTool prints a tool; what is usable needs no advice.
func doctorTool(out *writer, t measure.Tool, width int, st Style) {
	what := st.state(string(perf.StateOK)) + "  " + clean(t.Version)
	switch {
	case !t.Found:
		what = st.paint("not found", color.FgYellow)
	case !t.Usable:
		what = st.paint("found, and does not work", color.FgYellow)
	}
	finding(out, t.Name, width, what)
	advice(out, "is", t.Path)
	advice(out, "enables", t.Enables)
	advice(out, "note", t.Note)
	if !t.Usable {
		advice(out, "install", t.Install)
	}
}

func doctorCondition(out *writer, c measure.Condition, width int, st Style) {
	value := clean(c.Value)
	if c.Effect != "" {
		value = st.paint(value, color.FgYellow)
	}
	finding(out, c.Name, width, value)
	advice(out, "effect", c.Effect)
	advice(out, "remedy", c.Remedy)
}

// finding prints the line of a tool or a condition, and advice one below it.
func finding(out *writer, name string, width int, what string) {
	name = clean(name)
	out.printf("  %s%s  %s\n", name, strings.Repeat(" ", width-columns(name)), what)
}

func advice(out *writer, key, text string) {
	if text != "" {
		out.printf("    %-8s %s\n", key, clean(text))
	}
}
