package report

import (
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// stages prints the medians of the stages of all workloads that have some, one below
// the other, so that it is seen which of them grows with the size of the file.
func stages(out *writer, r *perf.Result, st Style) {
	names := stageNames(r)
	t := &table{head: []string{"median of each stage", perf.Wall.Name}, align: []align{left, right}}
	for _, name := range names {
		t.head, t.align = append(t.head, shorten(clean(name), maxCell)), append(t.align, right)
	}
	for i := range r.Workloads {
		if w := &r.Workloads[i]; len(w.Stages) > 0 && len(w.Metrics) > 0 {
			t.add(stageRow(w, names)...)
		}
	}
	if len(t.rows) > 0 {
		out.printf("\n")
		out.table(t, st)
	}
}

// stageNames are those of all workloads, in the order of the first that has each.
func stageNames(r *perf.Result) []string {
	var names []string
	for _, w := range r.Workloads {
		for _, s := range w.Stages {
			if !slices.Contains(names, s) {
				names = append(names, s)
			}
		}
	}
	return names
}

func stageRow(w *perf.WorkloadResult, names []string) []string {
	row := []string{shorten(clean(w.Name), maxName)}
	for _, name := range append([]string{perf.Wall.Name}, names...) {
		row = append(row, stageCell(w, name))
	}
	return row
}

// stageCell is the median, or why there is none: a stage that the subject never goes
// through is no gap in the measurement.
func stageCell(w *perf.WorkloadResult, name string) string {
	s, _ := w.Series(name)
	switch {
	case s.Summary != nil:
		return newRowScale(s.Unit, s.Summary.Center).format(s.Summary.Center)
	case slices.Contains(w.Absent, name):
		return "absent"
	case slices.Contains(w.Stages, name):
		return "not measured"
	}
	return ""
}
