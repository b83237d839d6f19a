package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// A Document is a run, or a comparison, with what it needs to be reported to other
// programs: [Document.Markdown], [Document.JUnit], [Document.Annotations].
type Document struct {
	Result *perf.Result
	// Policy is the one by which the exit status was reached. It decides what is a
	// failure and what is only said.
	Policy experiment.Policy
	// Compared makes the document one about the comparisons of the result, and not
	// about its objectives.
	Compared bool
}

// headline says in one line how it ended.
func (d Document) headline() string {
	if d.Compared {
		return ComparisonHeadline(d.Result)
	}
	return Headline(d.Result)
}

// An outcome is one thing that a report to other programs says: of an objective, a
// comparison, a workload that failed, or a metric that nobody judges.
type outcome struct {
	workload, metric string
	quantile         float64 // of an objective; 0 elsewhere
	status           int     // what it does to the exit status
	state            string  // MET, SLOWER, FAILED, ...
	good             bool    // the state is nothing to speak of
	text             string  // one line: the figures
	reason           string  // why, possibly in several lines
	seconds          *float64
	source           perf.Source
}

// name is that of the outcome within its workload. It is unique in a document, as far as
// the names of objectives are.
func (f outcome) name() string {
	switch {
	case f.metric == "":
		return f.workload
	case f.quantile > 0:
		return fmt.Sprintf("%s [%s]", f.workload, metricAt(f.metric, f.quantile))
	}
	return fmt.Sprintf("%s [%s]", f.workload, f.metric)
}

// metricAt words a quantile of a metric.
func metricAt(metric string, q float64) string {
	if metric == perf.PeakMemory.Name {
		return metric
	}
	return metric + " p" + strconv.FormatFloat(100*q, 'f', -1, 64)
}

// outcomes lists everything, in the order of the result.
func (d Document) outcomes() []outcome {
	var out []outcome
	for _, c := range d.Result.Comparisons {
		if d.Compared {
			out = append(out, d.comparison(c))
		}
	}
	if d.Compared && !d.paired() {
		return out // the workloads of the run speak in the comparisons
	}
	for i := range d.Result.Workloads {
		if w := &d.Result.Workloads[i]; w.State == perf.StateFailed || w.State == perf.StateNotMeasured && !d.judged(w.Name) {
			out = append(out, workloadOutcome(w))
		}
	}
	if d.Compared {
		return out
	}
	for _, o := range d.Result.Objectives {
		out = append(out, d.objective(o))
	}
	for i := range d.Result.Workloads {
		out = append(out, d.metrics(&d.Result.Workloads[i])...)
	}
	return out
}

// paired reports whether the comparisons are of pairs that this run has measured.
func (d Document) paired() bool {
	list := d.Result.Comparisons
	return d.Compared && (len(list) == 0 || list[0].Design == perf.Paired)
}

// judged reports whether an objective is about the workload. One that was not measured
// need not be said twice.
func (d Document) judged(workload string) bool {
	if d.Compared {
		return slices.ContainsFunc(d.Result.Comparisons, func(c perf.Comparison) bool { return c.Workload == workload })
	}
	return slices.ContainsFunc(d.Result.Objectives, func(o perf.ObjectiveResult) bool { return o.Workload == workload })
}

// workloadOutcome is about a workload that did not end well.
func workloadOutcome(w *perf.WorkloadResult) outcome {
	f := outcome{workload: w.Name, state: strings.ToUpper(string(w.State)), reason: w.Reason, source: sourceOf(w)}
	if w.State == perf.StateFailed {
		f.status = perf.ExitFailure
	}
	return f
}

func (d Document) objective(o perf.ObjectiveResult) outcome {
	f := outcome{
		workload: o.Name, metric: o.Metric, quantile: o.Quantile, status: d.Policy.ObjectiveStatus(o),
		state: stateText(d.Result, o), good: o.State == perf.Met, reason: o.Reason,
	}
	limits := fmt.Sprintf("target %s, critical %s", o.Unit.Format(o.Target), o.Unit.Format(o.Critical))
	f.text = limits
	if o.Estimate != nil && o.State != perf.NotMeasured {
		scale := newRowScale(o.Unit, *o.Estimate)
		f.text = scale.format(*o.Estimate)
		if interval := scale.interval(o.Low, o.High); interval != "" {
			f.text += " (" + interval + ")"
		}
		f.text += fmt.Sprintf(", %s; %s", plural(o.N, "run"), limits)
		f.seconds = secondsOf(o.Unit, o.Estimate)
	}
	if w := d.Result.Workload(o.Workload); w != nil {
		f.source = sourceOf(w)
	}
	if f.source.File == "" && o.Source.Line > 0 {
		f.source = o.Source
	}
	if o.Source.File != "" && o.Source.Line == 0 {
		f.text += " by " + o.Source.File
	}
	return f
}

func (d Document) comparison(c perf.Comparison) outcome {
	row := comparisonRow(c)
	f := outcome{
		workload: c.Workload, metric: c.Metric, status: d.Policy.ComparedStatus(c), state: verdictText(c),
		good: c.Verdict == perf.NoChange || c.Verdict == perf.Faster || !c.Gate,
		text: fmt.Sprintf("%s → %s", cmp.Or(row[1], "nothing"), cmp.Or(row[2], "nothing")), reason: c.Reason, seconds: secondsOf(c.Unit, c.New.Center),
	}
	if c.Ratio != nil {
		f.text += ", " + row[3]
	}
	interval := row[4]
	if c.Design == perf.Paired {
		interval = pairedBounds(c)
	}
	if interval != "" {
		f.text += " (" + interval + ")"
	}
	if c.Evidence != nil {
		f.text += fmt.Sprintf(", evidence %s in %s", evidenceText(*c.Evidence), plural(c.Pairs, "pair"))
	}
	if w := d.Result.Workload(c.Workload); w != nil {
		f.source = sourceOf(w)
	}
	return f
}

// metrics are those of a workload that no objective is about.
func (d Document) metrics(w *perf.WorkloadResult) []outcome {
	var out []outcome
	for _, m := range w.Metrics {
		judged := slices.ContainsFunc(d.Result.Objectives, func(o perf.ObjectiveResult) bool {
			return o.Workload == w.Name && o.Metric == m.Name
		})
		if judged || m.Summary == nil {
			continue
		}
		scale := newRowScale(shownUnit(m.Metric), m.Summary.Center)
		text := scale.format(m.Summary.Center)
		if interval := scale.interval(m.Summary.Low, m.Summary.High); interval != "" {
			text += " (" + interval + ")"
		}
		text += ", " + plural(m.Summary.N, "run")
		out = append(out, outcome{workload: w.Name, metric: m.Name, good: true, text: text, seconds: secondsOf(m.Unit, &m.Summary.Center), source: w.Source})
	}
	return out
}

// secondsOf is the value where its unit is one of time.
func secondsOf(u perf.Unit, v *float64) *float64 {
	if !u.IsTime() {
		return nil
	}
	return v
}

// place matches where a compiler or a test says that something is wrong.
var place = regexp.MustCompile(`(?m)(?:^|[\s(])((?:\./)?[\w./@+-]+\.(?:go|rs|c|cc|cpp|h|py|js|ts)):(\d+)(?::\d+)?\b`)

// sourceOf is where the benchmark stands or, of a workload that failed, the first place
// that its output names. Only places below the root are of use to a reader.
func sourceOf(w *perf.WorkloadResult) perf.Source {
	if w.State == perf.StateOK || w.Source.File != "" {
		return w.Source
	}
	for _, m := range place.FindAllStringSubmatch(w.Reason, -1) {
		file := strings.TrimPrefix(m[1], "./")
		line, err := strconv.Atoi(m[2])
		if err == nil && !strings.HasPrefix(file, "/") && !strings.HasPrefix(file, "../") {
			return perf.Source{File: file, Line: line}
		}
	}
	return perf.Source{}
}

// notWell sorts what is to be said by what it does to the exit status; what does
// nothing to it and is not good comes last.
func notWell(list []outcome) []outcome {
	out := slices.DeleteFunc(slices.Clone(list), func(f outcome) bool { return f.good && f.status == perf.ExitOK })
	slices.SortStableFunc(out, func(a, b outcome) int {
		switch {
		case a.status == b.status:
			return rankState(a.state) - rankState(b.state)
		case perf.WorstExit(a.status, b.status) == a.status:
			return -1
		}
		return 1
	})
	return out
}

// states orders what the exit status does not tell apart.
var states = []string{string(perf.Breached), string(perf.Slower), "FAILED", string(perf.Invalid), string(perf.OverTarget), string(perf.NotMeasured), string(perf.Undecided)}

func rankState(state string) int {
	word, _, _ := strings.Cut(state, " (")
	if i := slices.Index(states, word); i >= 0 {
		return i
	}
	return len(states)
}
