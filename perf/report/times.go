package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// Times prints what the target time has measured: a row for each command, and for a
// single command every metric.
func Times(w io.Writer, r *perf.Result, st Style) error {
	out := &writer{w: w}
	t := &table{
		head:  []string{"", "wall", "95 % interval of the median", "min", "max", "runs", "cpu", "cores in use", "peak memory"},
		align: []align{left, right, left, right, right, right, right, right, right},
	}
	measured := 0
	for i := range r.Workloads {
		if len(r.Workloads[i].Metrics) > 0 {
			t.add(timesRow(r, &r.Workloads[i])...)
			measured++
		}
	}
	if measured > 0 {
		out.table(t, st)
		timesShell(out, r, st)
		timesDetail(out, r, st)
		timesFastest(out, r, st)
	}
	failures(out, r, st)
	warnings(out, r, st)
	return out.err
}

func timesRow(r *perf.Result, w *perf.WorkloadResult) []string {
	row := []string{shorten(clean(w.Name), maxName), "", "", "", "", "", "", "", ""}
	if s := summary(w, perf.Wall); s != nil {
		scale := newRowScale(perf.Second, s.Center)
		row[1], row[2], row[3], row[4] = scale.format(s.Center), scale.interval(s.Low, s.High), scale.format(s.Min), scale.format(s.Max)
		row[5] = fmt.Sprint(s.N)
	}
	if s := summary(w, perf.CPU); s != nil {
		row[6] = newRowScale(perf.Second, s.Center).format(s.Center)
	}
	if s := summary(w, perf.Utilisation); s != nil {
		row[7] = inUse(s.Center, cmp.Or(w.Cores, r.Machine.Cores))
	}
	if s := summary(w, perf.PeakMemory); s != nil {
		row[8] = newRowScale(perf.Byte, s.Center).format(s.Center)
	}
	return row
}

func summary(w *perf.WorkloadResult, m perf.Metric) *perf.Summary {
	s, _ := w.Series(m.Name)
	return s.Summary
}

// timesShell says what the row of the shell is there for.
func timesShell(out *writer, r *perf.Result, st Style) {
	if w := r.Workload(suite.ShellItself); w != nil && summary(w, perf.Wall) != nil {
		out.printf("\n%s\n", st.faint("What the shell itself takes, with nothing to run, is part of each time above."))
	}
}

// timesDetail prints the metrics that have no column, for a single command.
func timesDetail(out *writer, r *perf.Result, st Style) {
	list := commands(r)
	if len(list) != 1 {
		return
	}
	shown := []string{perf.Wall.Name, perf.CPU.Name, perf.Utilisation.Name, perf.PeakMemory.Name}
	t := &table{align: []align{left, right, left}, head: []string{"", "median", "95 % interval"}}
	for _, m := range list[0].Metrics {
		if slices.Contains(shown, m.Name) || m.Summary == nil {
			continue
		}
		scale := newRowScale(m.Unit, m.Summary.Center)
		t.add(m.Name, scale.format(m.Summary.Center), scale.interval(m.Summary.Low, m.Summary.High))
	}
	if len(t.rows) > 0 {
		out.printf("\n")
		out.table(t, st)
	}
}

// commands returns the workloads that the user asked for: all but the shell itself.
func commands(r *perf.Result) []*perf.WorkloadResult {
	var list []*perf.WorkloadResult
	for i := range r.Workloads {
		if w := &r.Workloads[i]; w.Name != suite.ShellItself {
			list = append(list, w)
		}
	}
	return list
}

// timesFastest ranks commands that were all measured, without a verdict: they ran
// one after another, and whether two differ is a matter for a comparison.
func timesFastest(out *writer, r *perf.Result, st Style) {
	list := commands(r)
	unmeasured := func(w *perf.WorkloadResult) bool { return w.State != perf.StateOK || summary(w, perf.Wall) == nil }
	if len(list) < 2 || slices.ContainsFunc(list, unmeasured) {
		return
	}
	center := func(w *perf.WorkloadResult) float64 { return summary(w, perf.Wall).Center }
	slices.SortStableFunc(list, func(a, b *perf.WorkloadResult) int { return cmp.Compare(center(a), center(b)) })
	out.printf("\nleast wall time: %s\n", st.bold(clean(list[0].Name)))
	for _, w := range list[1:] {
		out.printf("  %s: %s\n", times(center(w), center(list[0])), clean(w.Name))
	}
}

// times words how many times least a value is.
func times(v, least float64) string {
	if least <= 0 {
		return "more than that"
	}
	ratio := v / least
	return perf.NewScale(perf.Ratio, ratio).Number(ratio) + " times that"
}
