package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// whereColumns are the causes of a [perf.ScalingPart], and how a table calls them.
var whereColumns = []struct{ cause, head string }{
	{"the engine's processor time", "engine's CPU"}, {"waiting for a processor", "for a CPU"}, {"disk and file systems", "disk"}, {"network set-up", "network"},
	{"other waits in the kernel", "kernel"}, {"the program itself", "program"}, {"engine, undivided", "engine, undivided"},
}

// A whereStep is a row of the table: a step of a phase with its time by cause.
type whereStep struct {
	phase, step string
	whole       float64
	causes      []float64 // by whereColumns
}

// whereSteps gathers the parts of a level by step, in their order, and what they make up.
func whereSteps(w perf.ScalingWhere) (steps []whereStep, life float64) {
	for _, p := range w.Parts {
		at := slices.IndexFunc(steps, func(s whereStep) bool { return s.phase == p.Phase && s.step == p.Step })
		if at < 0 {
			at = len(steps)
			steps = append(steps, whereStep{p.Phase, p.Step, 0, make([]float64, len(whereColumns))})
		}
		steps[at].whole += p.Seconds
		life += p.Seconds
		for i, c := range whereColumns {
			if c.cause == p.Cause {
				steps[at].causes[i] += p.Seconds
			}
		}
	}
	return steps, life
}

// leastCause is what a cause must have of a step to get a column.
const leastCause = 0.02

// whereEnds are the lowest and the highest level of a scaling of which it was seen where
// the time goes. All of them are in the JSON.
func whereEnds(s perf.Scaling) []perf.ScalingWhere {
	if len(s.Where) <= 1 {
		return s.Where
	}
	list := slices.Clone(s.Where)
	slices.SortStableFunc(list, func(a, b perf.ScalingWhere) int { return a.Parallel - b.Parallel })
	return []perf.ScalingWhere{list[0], list[len(list)-1]}
}

// whereRows is the table of where the time of a life goes. A step that has less than a
// hundredth of the life is left out, and so is a cause that has next to nothing of each step.
func whereRows(r *perf.Result) *table {
	used := make([]bool, len(whereColumns))
	for _, s := range r.Scaling {
		for _, w := range whereEnds(s) {
			steps, life := whereSteps(w)
			for _, step := range steps {
				for i, d := range step.causes {
					used[i] = used[i] || step.whole >= minShare*life && d > leastCause*step.whole
				}
			}
		}
	}
	t := &table{head: []string{"where a life goes", "at once", "step", "time"}, align: []align{left, right, left, right}}
	for i, c := range whereColumns {
		if used[i] {
			t.head, t.align = append(t.head, c.head), append(t.align, right)
		}
	}
	for _, s := range r.Scaling {
		for _, w := range whereEnds(s) {
			t.blank()
			steps, life := whereSteps(w)
			for _, step := range steps {
				if step.whole < minShare*life || step.whole <= 0 {
					continue
				}
				t.add(whereRow(s, w, step, used)...)
			}
		}
	}
	t.trim()
	return t
}

func whereRow(s perf.Scaling, w perf.ScalingWhere, step whereStep, used []bool) []string {
	name := step.phase
	if step.step != "whole" {
		name += ": " + step.step
	}
	row := []string{shorten(clean(shortName(s.Name)), maxName), strconv.Itoa(w.Parallel), name, newRowScale(perf.Second, step.whole).format(step.whole)}
	for i, d := range step.causes {
		switch {
		case !used[i]:
		case d == 0:
			row = append(row, "")
		default:
			row = append(row, shareOf(d/step.whole))
		}
	}
	return row
}

// whereNotes say what no table does: what the engine's programs took, and the control.
func whereNotes(s perf.Scaling) []string {
	var out []string
	for _, w := range whereEnds(s) {
		at := fmt.Sprintf("%s, %d at once: ", shortName(s.Name), w.Parallel)
		switch {
		case w.Undivided != "":
			out = append(out, at+"engine, undivided: "+w.Undivided)
		case w.Processors != nil:
			var list []string
			for _, p := range w.Programs {
				if p.CPU > 0 && len(list) < mostPrograms {
					list = append(list, p.Program+" "+quantity(perf.Second, p.CPU))
				}
			}
			out = append(out, fmt.Sprintf("%sthe engine's programs keep %.2f processors busy; for each life: %s", at, *w.Processors, strings.Join(list, ", ")))
		}
		if c := w.Control; c != nil {
			out = append(out, fmt.Sprintf("%sthe same program as a process without a container is started in %s, ready after %s, and ends in %s",
				at, quantity(perf.Second, c.Start), quantity(perf.Second, c.Ready), quantity(perf.Second, c.Stop)))
		} else if w.NoControl != "" {
			out = append(out, at+"no process without a container to compare with: "+w.NoControl)
		}
	}
	return out
}

// mostPrograms is how many of the engine's programs are named.
const mostPrograms = 5

// scalingWhere prints where the time of a life goes.
func scalingWhere(out *writer, r *perf.Result, st Style) {
	t := whereRows(r)
	if len(t.rows) == 0 {
		return
	}
	out.printf("\n")
	out.table(t, st)
	out.printf("\n%s\n", st.faint("Means of the first visit to the lowest and the highest level; all levels are in the JSON. Steps are told apart by the engine's events.\n"+
		"The engine's part is what its threads did meanwhile, for whomever; \"engine, undivided\" is where none was seen to do anything."))
	for _, s := range r.Scaling {
		for _, line := range whereNotes(s) {
			out.printf("%s\n", wrap("- "+clean(line)))
		}
	}
}

// markdownWhere writes the same into a part that is folded.
func markdownWhere(out *writer, r *perf.Result) {
	t := whereRows(r)
	if len(t.rows) == 0 {
		return
	}
	out.printf("\n<details><summary>Where the time of a life goes</summary>\n\n")
	markdownTable(out, t.head, t.align, t.rows)
	out.printf("\n")
	for _, s := range r.Scaling {
		for _, line := range whereNotes(s) {
			out.printf("- %s\n", mdText(line))
		}
	}
	out.printf("\n</details>\n")
}
