package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Result prints a run: what was measured where, one table of objectives against
// target and critical with the other metrics below, and then, in full sentences,
// what failed, what could not be measured and what to be careful about.
func Result(w io.Writer, r *perf.Result, st Style) error {
	out := &writer{w: w}
	head(out, r, st)
	t := newResultTable(st)
	for _, o := range r.Objectives {
		t.objective(r, o)
	}
	for i := range r.Workloads {
		t.workload(r, &r.Workloads[i])
	}
	if len(t.rows) > 0 {
		out.table(&t.table, st)
	}
	failures(out, r, st)
	warnings(out, r, st)
	return out.err
}

func head(out *writer, r *perf.Result, st Style) {
	commit := r.Subject.Commit
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if commit != "" {
		commit = " at " + commit
	}
	if r.Subject.Dirty {
		commit += " with uncommitted changes"
	}
	out.printf("%s (%s mode): %s%s\n", st.bold(r.Suite), r.Mode, clean(r.Subject.Name), commit)
	out.printf("%s\n\n", st.faint(machineLine(r.Machine)))
}

func machineLine(m perf.Machine) string {
	parts := []string{clean(m.CPU), fmt.Sprintf("%d cores", m.Cores), m.MemoryClass, m.OS + "/" + m.Arch}
	if m.Virtualisation != "" {
		parts = append(parts, m.Virtualisation)
	}
	return "on " + strings.Join(parts, ", ") + "; fingerprint " + m.Fingerprint
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
	st Style
}

func newResultTable(st Style) *resultTable {
	t := &resultTable{st: st}
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

// objective adds the row of an objective. Its interval is that of the decision: one
// bound on each side, each at the objective's confidence.
func (t *resultTable) objective(r *perf.Result, o perf.ObjectiveResult) {
	row := make([]string, len(t.head))
	row[colName] = o.Name
	row[colTarget], row[colCritical] = o.Unit.Format(o.Target), o.Unit.Format(o.Critical)
	row[colState] = stateText(r, o)
	if o.State != perf.NotMeasured && o.Estimate != nil {
		scale := perf.NewScale(o.Unit, *o.Estimate)
		row[colEstimate] = scale.Format(*o.Estimate)
		row[colInterval] = interval(scale, o.Low, o.High)
		row[colRuns] = fmt.Sprint(o.N)
	}
	t.rows = append(t.rows, row)
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

// interval prints what is known of an interval; an open end is a missing bound.
func interval(s perf.Scale, low, high *float64) string {
	switch {
	case low != nil && high != nil:
		return s.Number(*low) + " to " + s.Format(*high)
	case low != nil:
		return "from " + s.Format(*low)
	case high != nil:
		return "up to " + s.Format(*high)
	}
	return ""
}

// inTable reports whether a metric that no objective is about stands in the table
// of a run. The others are in its JSON.
func inTable(m perf.Metric) bool {
	return slices.Contains([]perf.Metric{perf.Wall, perf.CPU, perf.Utilisation, perf.PeakMemory}, m) || m.Unit.IsRate()
}

// workload adds the rows of the metrics that no objective has shown already.
func (t *resultTable) workload(r *perf.Result, w *perf.WorkloadResult) {
	for _, m := range w.Metrics {
		shown := slices.ContainsFunc(r.Objectives, func(o perf.ObjectiveResult) bool {
			return o.Workload == w.Name && o.Metric == m.Name && o.State != perf.NotMeasured
		})
		if shown || m.Summary == nil || !inTable(m.Metric) {
			continue
		}
		row := make([]string, len(t.head))
		row[colName] = clean(w.Name) + " " + clean(m.Name)
		scale := perf.NewScale(m.Unit, m.Summary.Center)
		row[colEstimate] = scale.Format(m.Summary.Center)
		if m.Metric == perf.Utilisation {
			row[colEstimate] = fmt.Sprintf("%.2f of %d", m.Summary.Center, r.Machine.Cores)
			row[colName] = clean(w.Name) + " cores in use"
		}
		row[colInterval] = interval(scale, m.Summary.Low, m.Summary.High)
		row[colRuns] = fmt.Sprint(m.Summary.N)
		if w.State != perf.StateOK {
			row[colState] = strings.ToUpper(string(w.State))
		}
		t.rows = append(t.rows, row)
	}
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
			out.printf("\n%s %s: %s\n", st.state(string(o.State)), st.bold(o.Name), indent(o.Reason))
		}
	}
	if !r.Complete {
		out.printf("\n%s\n", st.state(string(perf.NotMeasured)+" (the run is incomplete: it was interrupted)"))
	}
}

func warnings(out *writer, r *perf.Result, st Style) {
	n := 0
	one := func(name string, w perf.Warning) {
		if n == 0 {
			out.printf("\n")
		}
		n++
		out.printf("%s %s%s\n", st.paint("warning:", 33), name, clean(w.Text))
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

// indent keeps a text of several lines together under its first.
func indent(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n    ")
}

// Saved tells where the result is and how the run ended.
func Saved(w io.Writer, path string, exit int, took time.Duration) error {
	_, err := fmt.Fprintf(w, "\nsaved %s after %s; exit status %d (%s)\n", path, took.Round(time.Second), exit, exitWord(exit))
	return err
}

func exitWord(status int) string {
	switch status {
	case perf.ExitOK:
		return "all well"
	case perf.ExitGate:
		return "breached"
	case perf.ExitUnjudged:
		return "could not judge"
	case perf.ExitUsage:
		return "usage"
	}
	return "something failed"
}

// Headline says in one line what made a run end as it did: the breached objectives,
// else what failed, else what could not be measured or decided.
func Headline(r *perf.Result) string {
	var breached, failed, open []string
	for _, w := range r.Workloads {
		if w.State == perf.StateFailed {
			failed = append(failed, w.Name+" failed")
		}
	}
	for _, o := range r.Objectives {
		text := o.Name + " is " + string(o.State)
		switch o.State {
		case perf.Breached, perf.OverTarget:
			breached = append(breached, text)
		case perf.Undecided, perf.NotMeasured:
			open = append(open, text)
		}
	}
	for _, list := range [][]string{breached, failed, open} {
		if len(list) > 0 {
			return clean(strings.Join(list, ", "))
		}
	}
	return "nothing was judged: the suite has no objective"
}
