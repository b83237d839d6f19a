package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// Plan prints every command that a run of the steps would start, and about how long
// each takes, without running any of them.
func Plan(w io.Writer, s suite.Suite, m suite.Mode, steps []suite.Step, st Style) error {
	out := &writer{w: w}
	var total time.Duration
	out.printf("%s (%s mode): %s\n", st.bold(s.Name), m.Name, clean(s.Subject))
	out.printf("%s stands for a folder of the run, removed at its end.\n", suite.Work)
	for _, step := range steps {
		total += step.Expected()
		planStep(out, step, st)
	}
	out.printf("\nat most about %s, with what is built or fetched for the first time on top\n", total.Round(time.Second))
	return out.err
}

func planStep(out *writer, s suite.Step, st Style) {
	out.printf("\n%s  %s\n", st.bold(s.Name), st.faint(runsOf(s)))
	if n := len(s.Files); n > 0 {
		out.printf("  writes  %d files, as %s\n", n, s.Files[0].Name)
	}
	for _, phase := range []struct {
		name string
		list []suite.Command
	}{{"setup", s.Setup}, {"prepare", s.Prepare}} {
		for _, c := range phase.list {
			planCommand(out, phase.name, c)
		}
	}
	c := s.Command
	if s.Wanted {
		c.Env = append(append([]string{}, c.Env...), s.CleanEnv...)
	}
	planCommand(out, "run", c)
	for _, c := range s.Conclude {
		planCommand(out, "conclude", c)
	}
	for _, c := range s.Cleanup {
		planCommand(out, "cleanup", c)
	}
	for _, o := range s.Objectives {
		out.printf("  %-8s %s: %s, target %s, critical %s\n", "judges", o.Name, quantileName(o), o.Metric.Unit.Format(o.Target), o.Metric.Unit.Format(o.Critical))
	}
}

func quantileName(o suite.Objective) string {
	switch o.Quantile {
	case 0.5:
		return "median " + o.Metric.Name
	case 1:
		return o.Metric.Name
	}
	return fmt.Sprintf("p%g of %s", 100*o.Quantile, o.Metric.Name)
}

// maxPlanArgs is how much of a long command line is printed.
const maxPlanArgs = 400

func planCommand(out *writer, phase string, c suite.Command) {
	line := strings.Join(append(append([]string{}, c.Env...), c.String()), " ")
	if len(line) > maxPlanArgs {
		line = fmt.Sprintf("%s ... (%d words)", line[:maxPlanArgs], len(c.Args))
	}
	out.printf("  %-8s %s\n", phase, clean(line))
}

func runsOf(s suite.Step) string {
	if !s.Wanted {
		return "runs once, unmeasured, because another needs it"
	}
	if s.OneShot {
		return fmt.Sprintf("1 run of about %s, a second if it breaches a limit", s.Cost)
	}
	runs := fmt.Sprintf("%d to %d runs within %s", s.Min, s.Max, s.Budget.Round(time.Second))
	if s.Min == s.Max {
		runs = fmt.Sprintf("%d runs", s.Min)
	}
	if s.Warmup > 0 {
		runs += fmt.Sprintf(", after %d for warm-up", s.Warmup)
	}
	if s.Memory > 0 {
		runs += fmt.Sprintf(", then %d for memory", s.Memory)
	}
	return runs
}
