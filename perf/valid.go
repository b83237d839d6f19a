package perf

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A problem is what makes a result invalid, and where: path holds keys and indices.
type problem struct {
	path []any
	msg  string
}

func (p *problem) pathString() string {
	var b strings.Builder
	for _, step := range p.path {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, s)
		}
	}
	return b.String()
}

// under puts a prefix before the path of p, if there is a p.
func (p *problem) under(prefix ...any) *problem {
	if p != nil {
		p.path = append(prefix, p.path...)
	}
	return p
}

// CheckValid reports the first thing about the result that cannot be: an unknown
// state, a value that is not a finite number, two workloads of one name, a bound
// above its partner. Everything that reads or writes results calls it.
func (r *Result) CheckValid() error {
	if p := r.check(); p != nil {
		return fmt.Errorf("%s: %s", p.pathString(), p.msg)
	}
	return nil
}

func (r *Result) check() *problem {
	if msg := schemaFault(r.Schema); msg != "" {
		return &problem{[]any{"schema"}, msg}
	}
	if r.ID == "" || FileName(r.ID) != r.ID {
		return &problem{[]any{"id"}, fmt.Sprintf("%q is not an identifier", r.ID)}
	}
	if r.Suite == "" {
		return &problem{[]any{"suite"}, "is empty"}
	}
	if r.Created.IsZero() {
		return &problem{[]any{"created"}, "is missing"}
	}
	if _, known := severity[r.Exit]; !known {
		return &problem{[]any{"exit"}, fmt.Sprintf("%d is not an exit status of this module (0 to 4)", r.Exit)}
	}
	if r.Machine.Cores < 0 {
		return &problem{[]any{"machine", "cores"}, fmt.Sprintf("%d is negative", r.Machine.Cores)}
	}
	if r.Machine.Fingerprint == "" || FileName(r.Machine.Fingerprint) != r.Machine.Fingerprint {
		return &problem{[]any{"machine", "fingerprint"}, fmt.Sprintf("%q is not a fingerprint", r.Machine.Fingerprint)}
	}
	return r.checkLists()
}

// checkLists checks what the lists of the result hold.
func (r *Result) checkLists() *problem {
	seen := map[string]bool{}
	for i := range r.Workloads {
		w := &r.Workloads[i]
		if seen[w.Name] {
			return &problem{[]any{"workloads", i, "name"}, fmt.Sprintf("%q stands there twice", w.Name)}
		}
		seen[w.Name] = true
		if p := w.check().under("workloads", i); p != nil {
			return p
		}
	}
	for i := range r.Objectives {
		if p := r.Objectives[i].check().under("objectives", i); p != nil {
			return p
		}
	}
	for i := range r.Comparisons {
		if p := r.Comparisons[i].check().under("comparisons", i); p != nil {
			return p
		}
	}
	for i := range r.Scaling {
		if p := r.Scaling[i].check().under("scaling", i); p != nil {
			return p
		}
	}
	return nil
}

func (w *WorkloadResult) check() *problem {
	if w.Name == "" {
		return &problem{[]any{"name"}, "is empty"}
	}
	if !slices.Contains([]State{StateOK, StateFailed, StateNotMeasured}, w.State) {
		return &problem{[]any{"state"}, fmt.Sprintf("%q is none of ok, failed, not measured", w.State)}
	}
	if w.State != StateOK && w.Reason == "" {
		return &problem{[]any{"reason"}, fmt.Sprintf("a workload that is %s needs a reason", w.State)}
	}
	if p := checkCount("cores", w.Cores); p != nil {
		return p
	}
	if !(finite(w.Contention) && w.Contention >= 0) {
		return &problem{[]any{"contention"}, fmt.Sprintf("%v is not a share", w.Contention)}
	}
	if p := w.checkStages(); p != nil {
		return p
	}
	seen := map[string]bool{}
	for i, s := range w.Metrics {
		if seen[s.Name] || s.Name == "" {
			return &problem{[]any{"metrics", i, "name"}, fmt.Sprintf("%q is empty or stands there twice", s.Name)}
		}
		seen[s.Name] = true
		if s.Better != Lower && s.Better != Higher {
			return &problem{[]any{"metrics", i, "better"}, fmt.Sprintf("%q is neither lower nor higher", s.Better)}
		}
		if p := s.Samples.check().under("metrics", i, "samples"); p != nil {
			return p
		}
		if p := s.Summary.check(len(s.Samples)).under("metrics", i, "summary"); p != nil {
			return p
		}
	}
	return nil
}

// checkStages makes sure that a stage is either absent or measured.
func (w *WorkloadResult) checkStages() *problem {
	if i := slices.Index(w.Stages, ""); i >= 0 {
		return &problem{[]any{"stages", i}, "is empty"}
	}
	for i, name := range w.Absent {
		if !slices.Contains(w.Stages, name) {
			return &problem{[]any{"absent", i}, fmt.Sprintf("%q is none of the stages", name)}
		}
		if _, measured := w.Series(name); measured {
			return &problem{[]any{"absent", i}, fmt.Sprintf("%q is absent and has values", name)}
		}
	}
	return nil
}

// check holds a summary, if there is one, against the n samples that it summarises.
func (s *Summary) check(n int) *problem {
	if s == nil {
		return nil
	}
	if s.N != n {
		return &problem{[]any{"n"}, fmt.Sprintf("it is about %d values, and there are %d: remove the summary if you changed the samples", s.N, n)}
	}
	if !(s.Confidence >= 0 && s.Confidence < 1) {
		return &problem{[]any{"confidence"}, fmt.Sprintf("%v is not a probability below 1", s.Confidence)}
	}
	if !(s.Min <= s.Center && s.Center <= s.Max) {
		return &problem{[]any{"median"}, fmt.Sprintf("%v does not lie between min and max", s.Center)}
	}
	return ordered(s.Low, s.High)
}

func (s Sample) check() *problem {
	for i, v := range s {
		if !finite(v) {
			return &problem{[]any{i}, fmt.Sprintf("%v is not a finite number", v)}
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// A number is a value by itself, with the key it stands under.
type number struct {
	key   string
	value *float64 // nil where there is none, as JSON's null
}

// checkNumbers finds the first of the numbers that is none.
func checkNumbers(numbers ...number) *problem {
	for _, n := range numbers {
		if n.value != nil && !finite(*n.value) {
			return &problem{[]any{n.key}, fmt.Sprintf("%v is not a finite number", *n.value)}
		}
	}
	return nil
}

// checkCount finds a count below zero.
func checkCount(key string, n int) *problem {
	if n < 0 {
		return &problem{[]any{key}, fmt.Sprintf("%d is negative", n)}
	}
	return nil
}

// first returns the first problem there is.
func first(problems ...*problem) *problem {
	for _, p := range problems {
		if p != nil {
			return p
		}
	}
	return nil
}

func (o *ObjectiveResult) check() *problem {
	if o.Name == "" {
		return &problem{[]any{"name"}, "is empty"}
	}
	if !slices.Contains([]ObjectiveState{Met, OverTarget, Breached, Undecided, NotMeasured}, o.State) {
		return &problem{[]any{"state"}, fmt.Sprintf("%q is not the state of an objective", o.State)}
	}
	if o.State == NotMeasured && o.Reason == "" {
		return &problem{[]any{"reason"}, "an objective that is NOT MEASURED needs a reason"}
	}
	if !(o.Quantile >= 0 && o.Quantile <= 1) {
		return &problem{[]any{"quantile"}, fmt.Sprintf("%v is not between 0 and 1", o.Quantile)}
	}
	if !(o.Confidence > 0 && o.Confidence < 1) {
		return &problem{[]any{"confidence"}, fmt.Sprintf("%v is not between 0 and 1", o.Confidence)}
	}
	return first(
		checkNumbers(number{"target", &o.Target}, number{"critical", &o.Critical},
			number{"estimate", o.Estimate}, number{"low", o.Low}, number{"high", o.High}),
		checkCount("n", o.N), checkCount("needed", o.Needed),
		ordered(o.Low, o.High))
}

func (c *Comparison) check() *problem {
	if !slices.Contains([]Verdict{Slower, Faster, NoChange, VerdictUnsure, Invalid}, c.Verdict) {
		return &problem{[]any{"verdict"}, fmt.Sprintf("%q is not a verdict", c.Verdict)}
	}
	if c.Design != Paired && c.Design != Unpaired {
		return &problem{[]any{"design"}, fmt.Sprintf("%q is neither paired nor unpaired", c.Design)}
	}
	if c.Better != Lower && c.Better != Higher {
		return &problem{[]any{"better"}, fmt.Sprintf("%q is neither lower nor higher", c.Better)}
	}
	return first(
		c.Old.Samples.check().under("old", "samples"),
		c.New.Samples.check().under("new", "samples"),
		checkNumbers(number{"alpha", &c.Alpha}, number{"minEffect", &c.MinEffect}, number{"ratio", c.Ratio},
			number{"low", c.Low}, number{"high", c.High}, number{"evidence", c.Evidence}),
		checkCount("pairs", c.Pairs), checkCount("needed", c.Needed), checkCount("builds", c.Builds),
		c.Control.check().under("control"),
		ordered(c.Low, c.High))
}

func (c *Control) check() *problem {
	if c == nil {
		return nil
	}
	if len(c.Old) != len(c.New) {
		return &problem{[]any{"new"}, fmt.Sprintf("%d control runs on one side and %d on the other", len(c.Old), len(c.New))}
	}
	return first(c.Old.check().under("old"), c.New.check().under("new"), checkNumbers(number{"evidence", c.Evidence}))
}

// ordered checks an interval whose ends may be missing.
func ordered(low, high *float64) *problem {
	if low != nil && high != nil && !(*low <= *high) {
		return &problem{[]any{"low"}, fmt.Sprintf("%v lies above high, %v", *low, *high)}
	}
	return nil
}
