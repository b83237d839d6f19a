package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fatih/color"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Result prints a run: what was measured where, one table of objectives against
// target and critical with the other metrics below, the stages of what has some, and then, in full sentences,
// what failed, what could not be measured and what to be careful about. A run at several
// levels of parallelism is printed as [Scaling] does.
func Result(w io.Writer, r *perf.Result, st Style) error {
	if len(r.Scaling) > 0 {
		return Scaling(0)(w, r, st)
	}
	out := &writer{w: w}
	head(out, r, st)
	t := newResultTable(st)
	t.fill(r)
	if len(t.rows) == 0 {
		out.printf("Nothing was measured.\n")
	} else {
		out.table(&t.table, st)
		t.notes.print(out, st)
		stages(out, r, st)
	}
	failures(out, r, st)
	warnings(out, r, st)
	return out.err
}

func head(out *writer, r *perf.Result, st Style) {
	commit := shortCommit(r.Subject.Commit)
	if commit != "" {
		commit = " at " + commit
	}
	if r.Subject.Dirty {
		commit += " with uncommitted changes"
	}
	out.printf("%s (%s mode): %s%s\n", st.bold(clean(r.Suite)), clean(r.Mode), clean(r.Subject.Name), commit)
	out.printf("%s\n\n", st.faint(machineLine(r.Machine)))
}

func machineLine(m perf.Machine) string {
	var parts []string
	for _, p := range []string{m.CPU, coresOf(m.Cores), m.MemoryClass, m.OS + "/" + m.Arch, m.Virtualisation} {
		if p != "" {
			parts = append(parts, clean(p))
		}
	}
	return "on " + strings.Join(parts, ", ") + "; fingerprint " + clean(m.Fingerprint)
}

// coresOf words a number of cores; 0 is one that is not known.
func coresOf(n int) string {
	if n == 0 {
		return ""
	}
	return plural(n, "core")
}

// inUse prints how many cores were busy on average, of those that there are.
func inUse(busy float64, n int) string {
	if n == 0 {
		return fmt.Sprintf("%.2f", busy)
	}
	return fmt.Sprintf("%.2f of %d", busy, n)
}

// Columns of the table of a run.
const (
	colName = iota
	colEstimate
	colInterval
	colRuns
	colTarget
	colCritical
	colState
)

type resultTable struct {
	table
	notes intervalNotes
}

func newResultTable(st Style) *resultTable {
	t := &resultTable{}
	t.head = []string{"", "measured", "interval", "runs", "target", "critical", "state"}
	t.align = []align{left, right, left, right, right, right, left}
	t.paint = func(_, column int, cell string) string {
		if column == colState {
			return st.state(cell)
		}
		return cell
	}
	return t
}

// fill adds the rows of a run: its objectives and, after an empty one, other metrics.
func (t *resultTable) fill(r *perf.Result) {
	for _, o := range r.Objectives {
		t.objective(r, o)
	}
	t.blank()
	for i := range r.Workloads {
		t.workload(r, &r.Workloads[i])
	}
	t.trim()
}

// objective adds the row of an objective. Its interval is that of the decision: one
// bound on each side, each at the objective's confidence.
func (t *resultTable) objective(r *perf.Result, o perf.ObjectiveResult) {
	row := make([]string, len(t.head))
	row[colName] = shorten(clean(o.Name), maxName)
	row[colTarget], row[colCritical] = o.Unit.Format(o.Target), o.Unit.Format(o.Critical)
	row[colState] = stateText(r, o)
	if o.State != perf.NotMeasured && o.Estimate != nil {
		scale := newRowScale(o.Unit, *o.Estimate)
		row[colEstimate] = scale.format(*o.Estimate)
		row[colInterval] = scale.interval(o.Low, o.High)
		row[colRuns] = fmt.Sprint(o.N)
		t.notes.objective(o)
	}
	t.add(row...)
}

// stateText is the state with the little that must stand beside it.
func stateText(r *perf.Result, o perf.ObjectiveResult) string {
	w := r.Workload(o.Workload)
	oneShot := w != nil && w.OneShot && o.State != perf.NotMeasured && o.Metric != perf.PeakMemory.Name
	switch {
	case oneShot && o.N == 1:
		return string(o.State) + " (1 run, no interval)"
	case oneShot:
		return fmt.Sprintf("%s (%d runs, no interval)", o.State, o.N)
	case o.State == perf.Undecided && o.Needed > o.N:
		return fmt.Sprintf("%s (needs %d runs)", o.State, o.Needed)
	}
	return string(o.State)
}

// inTable reports whether a metric that no objective is about stands in the table
// of a run. The others are in its JSON.
func inTable(m perf.Metric) bool {
	return slices.Contains(tableMetrics, m) || m.Unit.IsRate() || strings.HasSuffix(string(m.Unit), "/op")
}

// tableMetrics are those that stand in the table besides the rates.
var tableMetrics = []perf.Metric{
	perf.Wall, perf.CPU, perf.Utilisation, perf.PeakMemory,
	perf.ContainerImage, perf.ContainerCreate, perf.ContainerNetwork, perf.ContainerRun, perf.ContainerReady, perf.ContainerProgram, perf.ContainerExec, perf.ContainerStop, perf.ContainerRemove,
	perf.Containers, perf.SubjectLife, perf.SubjectStart,
}

// workload adds the rows of the metrics that no objective has shown already.
func (t *resultTable) workload(r *perf.Result, w *perf.WorkloadResult) {
	for _, m := range w.Metrics {
		shown := slices.ContainsFunc(r.Objectives, func(o perf.ObjectiveResult) bool {
			return o.Workload == w.Name && o.Metric == m.Name && o.State != perf.NotMeasured
		})
		if shown || m.Summary == nil || !inTable(m.Metric) && !r.Imported() {
			continue
		}
		t.metric(r, w, m)
	}
}

// metric adds the row of a metric that no objective is about.
func (t *resultTable) metric(r *perf.Result, w *perf.WorkloadResult, m perf.Series) {
	row := make([]string, len(t.head))
	name, scale := m.Name, newRowScale(shownUnit(m.Metric), m.Summary.Center)
	row[colEstimate] = scale.format(m.Summary.Center)
	if m.Metric == perf.Utilisation {
		name, row[colEstimate] = "cores in use", inUse(m.Summary.Center, cmp.Or(w.Cores, r.Machine.Cores))
	}
	row[colName] = shorten(clean(w.Name), maxName) + " " + clean(name)
	row[colInterval] = scale.interval(m.Summary.Low, m.Summary.High)
	row[colRuns] = fmt.Sprint(m.Summary.N)
	if w.State != perf.StateOK {
		row[colState] = strings.ToUpper(string(w.State))
	}
	t.notes.metric(m.Summary)
	t.add(row...)
}

// failures prints, for each workload that did not end well, why.
func failures(out *writer, r *perf.Result, st Style) {
	for _, w := range r.Workloads {
		if w.State == perf.StateOK {
			continue
		}
		word := strings.ToUpper(string(w.State))
		out.printf("\n%s %s: %s\n", st.state(word), st.bold(clean(w.Name)), indent(w.Reason))
	}
	for _, o := range r.Objectives {
		if w := r.Workload(o.Workload); w != nil && w.State != perf.StateOK {
			continue // said above
		}
		if o.Reason != "" && o.State != perf.Met {
			out.printf("\n%s %s: %s\n", st.state(string(o.State)), st.bold(clean(o.Name)), indent(o.Reason))
		}
	}
	if !r.Complete {
		missing, rest := unfinished(r)
		out.printf("\n%s %s; what is above %s\n", st.state(incomplete), missing, rest)
	}
}

// unfinished says why a result that is incomplete is that, and what stands in it.
func unfinished(r *perf.Result) (missing, rest string) {
	if r.Imported() {
		return "not all that was imported could be read", "is the rest"
	}
	return "the run did not come to its end", "had been measured by then"
}

// incomplete marks a run that did not come to its end.
const incomplete = "INCOMPLETE"

func warnings(out *writer, r *perf.Result, st Style) {
	n := 0
	one := func(name string, w perf.Warning) {
		if n == 0 {
			out.printf("\n")
		}
		n++
		out.printf("%s %s%s\n", st.paint("warning:", color.FgYellow), name, clean(w.Text))
	}
	for _, w := range r.Warnings {
		one("", w)
	}
	for _, wl := range r.Workloads {
		for _, w := range wl.Warnings {
			one(clean(wl.Name)+": ", w)
		}
	}
}
