package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Times prints what the target time has measured: a row for each command, and for a
// single command every metric.
func Times(w io.Writer, r *perf.Result, st Style) error {
	out := &writer{w: w}
	t := &table{
		head:  []string{"", "wall", "95 % interval of the median", "min", "max", "runs", "cpu", "of cores", "peak memory"},
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
		timesDetail(out, r, st)
		timesFastest(out, r, st)
	}
	failures(out, r, st)
	warnings(out, r, st)
	return out.err
}

// maxTimeName is how much of a command stands in the table.
const maxTimeName = 50

func timesRow(r *perf.Result, w *perf.WorkloadResult) []string {
	name := clean(w.Name)
	if runes := []rune(name); len(runes) > maxTimeName {
		name = string(runes[:maxTimeName-1]) + "…"
	}
	row := []string{name, "", "", "", "", "", "", "", ""}
	if s := summary(w, perf.Wall); s != nil {
		scale := perf.NewScale(perf.Second, s.Center)
		row[1], row[2], row[3], row[4] = scale.Format(s.Center), interval(scale, s.Low, s.High), scale.Format(s.Min), scale.Format(s.Max)
		row[5] = fmt.Sprint(s.N)
	}
	if s := summary(w, perf.CPU); s != nil {
		row[6] = perf.Second.Format(s.Center)
	}
	if s := summary(w, perf.Utilisation); s != nil {
		row[7] = fmt.Sprintf("%.2f of %d", s.Center, r.Machine.Cores)
	}
	if s := summary(w, perf.PeakMemory); s != nil {
		row[8] = perf.Byte.Format(s.Center)
	}
	return row
}

func summary(w *perf.WorkloadResult, m perf.Metric) *perf.Summary {
	s, _ := w.Series(m.Name)
	return s.Summary
}

// timesDetail prints the metrics that have no column, for a single command.
func timesDetail(out *writer, r *perf.Result, st Style) {
	if len(r.Workloads) != 1 {
		return
	}
	shown := []string{perf.Wall.Name, perf.CPU.Name, perf.Utilisation.Name, perf.PeakMemory.Name}
	out.printf("\n")
	for _, m := range r.Workloads[0].Metrics {
		if slices.Contains(shown, m.Name) || m.Summary == nil {
			continue
		}
		scale := perf.NewScale(m.Unit, m.Summary.Center)
		text := scale.Format(m.Summary.Center)
		if in := interval(scale, m.Summary.Low, m.Summary.High); in != "" {
			text += st.faint("  (" + in + ")")
		}
		out.printf("  %-18s %s\n", clean(m.Name), text)
	}
}

// timesFastest ranks commands that were all measured, without a verdict: they ran
// one after another, and whether two differ is a matter for a comparison.
func timesFastest(out *writer, r *perf.Result, st Style) {
	var list []*perf.WorkloadResult
	for i := range r.Workloads {
		if w := &r.Workloads[i]; w.State == perf.StateOK && summary(w, perf.Wall) != nil {
			list = append(list, w)
		}
	}
	if len(list) < 2 || len(list) < len(r.Workloads) {
		return
	}
	slices.SortStableFunc(list, func(a, b *perf.WorkloadResult) int {
		return cmp.Compare(summary(a, perf.Wall).Center, summary(b, perf.Wall).Center)
	})
	out.printf("\nleast wall time: %s\n", st.bold(clean(list[0].Name)))
	for _, w := range list[1:] {
		out.printf("  %.2f times that: %s\n", summary(w, perf.Wall).Center/summary(list[0], perf.Wall).Center, clean(w.Name))
	}
}
