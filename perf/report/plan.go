package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// Plan prints every command that a run of the steps would start, and about how long
// each takes, without running any of them.
func Plan(w io.Writer, s suite.Suite, m suite.Mode, steps []suite.Step, st Style) error {
	out := &writer{w: w}
	var total time.Duration
	out.printf("%s (%s mode): %s\n", st.bold(clean(s.Name)), m.Name, clean(s.Subject))
	out.printf("%s stands for a folder of the run, removed at its end.", suite.Work)
	if s.Dir != "" {
		out.printf(" Commands run in %s, unless another folder is named.", clean(s.Dir))
	}
	out.printf("\n")
	for _, step := range steps {
		total += step.Expected()
		planStep(out, step, s.Dir, st)
	}
	out.printf("\nThe timed runs take at most about %s. Setup, warm-up and memory runs, and what is built or fetched\nfor the first time, come on top.\n",
		span(total.Round(time.Second)))
	return out.err
}

// planStep prints a step; dir is where commands run without a word about it.
func planStep(out *writer, s suite.Step, dir string, st Style) {
	out.printf("\n%s  %s\n", st.bold(clean(s.Name)), st.faint(runsOf(s)))
	line := func(key, text string) { out.printf("  %-8s %s\n", key, clean(text)) }
	if len(s.Needs) > 0 {
		line("needs", strings.Join(s.Needs, ", "))
	}
	switch n := len(s.Files); n {
	case 0:
	case 1:
		line("writes", s.Files[0].Name)
	default:
		line("writes", fmt.Sprintf("%d files, such as %s", n, s.Files[0].Name))
	}
	if s.Watch != nil {
		line("saves", s.Watch.File+", by a rename out of "+s.Watch.Staging)
	}
	run := s.Command
	if s.Wanted {
		run.Env = slices.Concat(run.Env, s.CleanEnv)
	}
	for _, phase := range []struct {
		name string
		list []suite.Command
	}{{"setup", s.Setup}, {"prepare", s.Prepare}, {"run", []suite.Command{run}}, {"conclude", s.Conclude}, {"cleanup", s.Cleanup}} {
		if phase.name == "run" && s.Wanted && len(s.Fresh) > 0 {
			when := ", before each run"
			if s.Watch != nil {
				when = ", before it starts"
			}
			line("empties", strings.Join(s.Fresh, ", ")+when)
		}
		if phase.name == "run" && s.Container != nil {
			line("run", s.Container.String())
			continue
		}
		for _, c := range phase.list {
			line(phase.name, commandLine(c, dir))
		}
	}
	for _, o := range s.Objectives {
		line("judges", fmt.Sprintf("%s: %s, target %s, critical %s", o.Name, quantileName(o), o.Metric.Unit.Format(o.Target), o.Metric.Unit.Format(o.Critical)))
	}
}

func quantileName(o suite.Objective) string {
	switch o.Quantile {
	case 0.5:
		return "median " + o.Metric.Name
	case 1:
		return o.Metric.Name
	}
	return fmt.Sprintf("p%.4g of %s", 100*o.Quantile, o.Metric.Name)
}

// maxPlanArgs is how much of a long command line is printed.
const maxPlanArgs = 400

// commandLine prints a command with its environment as a shell takes it, and the
// folder where that is not dir.
func commandLine(c suite.Command, dir string) string {
	words := make([]string, 0, len(c.Env)+1)
	for _, e := range c.Env {
		key, value, _ := strings.Cut(e, "=")
		words = append(words, key+"="+suite.Command{Args: []string{value}}.String())
	}
	line := clean(strings.Join(append(words, c.String()), " "))
	if runes := []rune(line); len(runes) > maxPlanArgs {
		line = fmt.Sprintf("%s ... (%d words)", string(runes[:maxPlanArgs]), len(c.Args))
	}
	if c.Dir != "" && c.Dir != dir {
		line += "  (in " + c.Dir + ")"
	}
	return line
}

func runsOf(s suite.Step) string {
	if !s.Wanted {
		return "runs once, unmeasured, because another needs it"
	}
	if s.OneShot {
		return oneShotRuns(s)
	}
	runs := fmt.Sprintf("%d to %d runs within %s", s.Min, s.Max, span(s.Budget))
	switch {
	case s.ByCost:
		runs = fmt.Sprintf("%d reloads if one takes less than %s, else what fits into %s", s.Max, span(suite.FirmReload), span(s.Budget))
	case s.Min == s.Max:
		runs = plural(s.Min, "run")
	case s.Firm:
		runs = fmt.Sprintf("at least %s, up to %d within %s", plural(s.Min, "run"), s.Max, span(s.Budget))
	}
	if s.Warmup > 0 {
		runs += fmt.Sprintf(", after %d for warm-up", s.Warmup)
	}
	if s.Memory > 0 {
		runs += fmt.Sprintf(", then %d for memory", s.Memory)
	}
	return runs
}

func oneShotRuns(s suite.Step) string {
	runs := "1 run"
	if s.Cost > 0 {
		runs += " of about " + span(s.Cost)
	}
	if len(s.Objectives) > 0 {
		runs += ", a second if it breaches a limit"
	}
	return runs
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
