package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// Scaling prints a run of containers at rising parallelism: a table of all levels for
// each network, the picture of throughput and of the phases, the law, and the answer with
// its advice. Prose and picture are at most width columns wide; 0 is where nobody knows.
func Scaling(width int) func(io.Writer, *perf.Result, Style) error {
	return func(w io.Writer, r *perf.Result, st Style) error {
		out := &writer{w: w}
		head(out, r, st)
		if t := scalingRows(r, medianOf); len(t.rows) == 0 {
			out.printf("Nothing was measured.\n")
		} else {
			out.table(t, st)
			scalingNotes(out, r, st)
			out.table(scalingHigh(r), st)
			scalingPlot(out, r, width, st)
			scalingWhere(out, r, st)
			scalingLaws(out, r, st)
			scalingAnswers(out, r, st)
		}
		scalingFailures(out, r, st)
		warnings(out, r, st)
		return out.err
	}
}

// scalingColumn is a column of the table: the phase that it shows and how it is called
// there.
type scalingColumn struct{ metric, head string }

// scalingPhases are the columns behind the throughput, in the order of a life. One that
// no level has is left out.
var scalingPhases = []scalingColumn{
	{perf.Wall.Name, "life"}, {perf.ContainerStart.Name, "to ready"},
	{perf.ContainerImage.Name, "image"}, {perf.ContainerCreate.Name, "create"}, {perf.ContainerNetwork.Name, "network"}, {perf.ContainerRun.Name, "start"},
	{perf.ContainerReady.Name, "ready"}, {perf.ContainerExec.Name, "exec"}, {perf.ContainerStop.Name, "stop"}, {perf.ContainerRemove.Name, "remove"},
}

// A statistic is what a table shows of each phase.
type statistic struct {
	head string
	of   func(perf.Series) float64
}

var (
	medianOf = statistic{"median", func(s perf.Series) float64 { return s.Summary.Center }}
	highOf   = statistic{"95th percentile", func(s perf.Series) float64 { return observed95(s.Samples) }}
)

// scalingRows is the table of all levels, with an empty row between two networks.
func scalingRows(r *perf.Result, show statistic) *table {
	columns := slices.DeleteFunc(slices.Clone(scalingPhases), func(c scalingColumn) bool {
		return !slices.ContainsFunc(r.Workloads, func(w perf.WorkloadResult) bool { return phaseCell(&w, c.metric, show) != "" })
	})
	t := &table{head: []string{show.head, "at once", "lives/s", "interval"}, align: []align{left, right, right, left}}
	for _, c := range columns {
		t.head, t.align = append(t.head, c.head), append(t.align, right)
	}
	t.head, t.align = append(t.head, "lives"), append(t.align, right)
	for _, s := range r.Scaling {
		fresh := len(t.rows) > 0
		for _, l := range s.Levels {
			w := r.Workload(l.Workload)
			if w == nil || len(w.Metrics) == 0 {
				continue
			}
			if fresh {
				t.blank()
				fresh = false
			}
			t.add(scalingRow(s, l, w, columns, show)...)
		}
	}
	return t
}

// scalingRow is one level.
func scalingRow(s perf.Scaling, l perf.ScalingLevel, w *perf.WorkloadResult, columns []scalingColumn, show statistic) []string {
	row := []string{shorten(clean(shortName(s.Name)), maxName), strconv.Itoa(l.Parallel), "", ""}
	if l.Cold {
		row[0] += ", cold image"
	}
	if rate, ok := w.Series(perf.Throughput.Name); ok && rate.Summary != nil {
		scale := newRowScale(perf.Ratio, rate.Summary.Center)
		row[2], row[3] = scale.format(rate.Summary.Center), scale.interval(rate.Summary.Low, rate.Summary.High)
	}
	for _, c := range columns {
		row = append(row, phaseCell(w, c.metric, show))
	}
	wall, _ := w.Series(perf.Wall.Name)
	return append(row, strconv.Itoa(len(wall.Samples)))
}

// scalingHigh is the table of what 95 % of the values do not pass. It has the phases alone.
func scalingHigh(r *perf.Result) *table {
	t := scalingRows(r, highOf)
	cut := func(cells []string) []string { return slices.Concat(cells[:2], cells[4:len(cells)-1]) }
	t.head, t.align = cut(t.head), slices.Concat(t.align[:2], t.align[4:len(t.align)-1])
	for i, row := range t.rows {
		if row != nil {
			t.rows[i] = cut(row)
		}
	}
	return t
}

// phaseCell is what is shown of a phase; empty where it was not measured.
func phaseCell(w *perf.WorkloadResult, metric string, show statistic) string {
	s, ok := w.Series(metric)
	if !ok || s.Summary == nil {
		return ""
	}
	v := show.of(s)
	return newRowScale(s.Unit, v).format(v)
}

// observed95 is the least value that 95 % of a sample do not pass.
func observed95(s perf.Sample) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[max(int(math.Ceil(0.95*float64(len(sorted))))-1, 0)]
}

func scalingNotes(out *writer, r *perf.Result, st Style) {
	out.printf("\n%s\n\n", st.faint(fmt.Sprintf("life: from the call that creates a container until it is removed; to ready: from that call until it is ready;\n"+
		"ready and network count from the call that starts it, and so they overlap start. interval: the two-sided 95 %% interval\n"+
		"of the median throughput of the visits, of which it takes six; their order was random (-seed=%d replays it).", r.Scaling[0].Seed)))
}

// scalingLaws prints the law of each scaling in one line.
func scalingLaws(out *writer, r *perf.Result, st Style) {
	out.printf("\n%s\n", st.faint("Universal Scalability Law, X(n) = λn / (1 + σ(n-1) + κn(n-1)), with 95 % intervals:"))
	for _, s := range r.Scaling {
		out.printf("%s: %s\n", st.bold(clean(s.Name)), clean(scalingLaw(s)))
	}
}

// scalingLaw words a law.
func scalingLaw(s perf.Scaling) string {
	if s.Contention.Estimate == nil || s.Coherency.Estimate == nil {
		return "no law: " + s.Reason
	}
	text := fmt.Sprintf("contention σ = %s, coherency κ = %s, ", boundedText(s.Contention), boundedText(s.Coherency))
	text += bestText(s)
	if s.Misfit != nil {
		text += fmt.Sprintf("; it misses no level by more than %.0f %%", 100**s.Misfit)
	}
	return text
}

// bestText words the level of the highest throughput.
func bestText(s perf.Scaling) string {
	if s.Best.Estimate == nil {
		switch {
		case s.Confidence == 0:
			return "by these few visits throughput never falls, but no interval bounds that"
		case s.Best.Low == nil:
			return "throughput never falls"
		}
		return fmt.Sprintf("throughput never falls, or not below %.0f in parallel", math.Floor(*s.Best.Low))
	}
	text := fmt.Sprintf("most at %.0f in parallel", *s.Best.Estimate)
	switch {
	case s.Best.Low == nil:
	case s.Best.High == nil:
		text += fmt.Sprintf(" (from %.0f)", *s.Best.Low)
	default:
		text += fmt.Sprintf(" (%.0f to %.0f)", *s.Best.Low, *s.Best.High)
	}
	if top := topLevel(s); *s.Best.Estimate > float64(top) {
		text += fmt.Sprintf(", beyond the %d that were measured", top)
	}
	return text
}

func topLevel(s perf.Scaling) int {
	top := 0
	for _, l := range s.Levels {
		top = max(top, l.Parallel)
	}
	return top
}

// boundedText prints a number with its interval, to two digits that mean something.
func boundedText(b perf.Bounded) string {
	text := twoDigits(*b.Estimate)
	if b.Low != nil && b.High != nil {
		text += " (" + twoDigits(*b.Low) + " to " + twoDigits(*b.High) + ")"
	}
	return text
}

func twoDigits(v float64) string {
	if math.Abs(v) < 1e-7 {
		return "0"
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// scalingAnswers prints what limits each network, and what would help.
func scalingAnswers(out *writer, r *perf.Result, st Style) {
	for _, s := range r.Scaling {
		if s.Answer == "" {
			continue
		}
		name := clean(s.Name)
		// Painted after it is broken into lines: colours have no width.
		out.printf("\n%s\n", strings.Replace(wrap(name+": "+clean(s.Answer)), name, st.bold(name), 1))
		for _, a := range s.Advice {
			out.printf("%s\n", wrap("- What would help: "+clean(a)+"."))
		}
	}
}

// scalingFailures says why levels were not measured. Where all of a network have the same
// reason, it is said once.
func scalingFailures(out *writer, r *perf.Result, st Style) {
	type kind struct {
		state  perf.State
		reason string
	}
	var order []kind
	names := map[kind][]string{}
	for _, w := range r.Workloads {
		if w.State == perf.StateOK {
			continue
		}
		k := kind{w.State, w.Reason}
		if names[k] == nil {
			order = append(order, k)
		}
		names[k] = append(names[k], clean(w.Name))
	}
	for _, k := range order {
		out.printf("\n%s %s: %s\n", st.state(strings.ToUpper(string(k.state))), st.bold(strings.Join(names[k], ", ")), indent(k.reason))
	}
	if !r.Complete {
		out.printf("\n%s the run did not come to its end; what is above had been measured by then\n", st.state(incomplete))
	}
}

// ScaleProgress shows where a run of a [experiment.Scale] stands. It is a hook of it. Where
// no line can be written over, each round is told once.
func (s *Status) ScaleProgress(p experiment.ScaleProgress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	round := fmt.Sprintf("round %d of %d", p.Round, p.Rounds)
	if !s.terminal {
		if s.phase != round {
			_, _ = fmt.Fprintf(s.w, "%s, %s\n", round, leftOf(p.Left))
		}
		s.phase = round
		return
	}
	fresh := s.phase != round+"\x00"+p.Workload
	s.phase = round + "\x00" + p.Workload
	if now := s.now(); fresh || now.Sub(s.last) >= refresh {
		s.last = now
		rest := fmt.Sprintf(": %s, %d of %d, %s", round, p.Done, p.Of, leftOf(p.Left))
		s.over(shorten(clean(p.Workload), max(maxLine-columns(rest), 1)) + rest)
	}
}

// ScalingHeadline says in one line why a run of containers ended as it did.
func ScalingHeadline(r *perf.Result) string {
	if !experiment.ScaleMeasured(r) && r.Complete {
		return "nothing was measured"
	}
	return Headline(r)
}
