package perf

import (
	"math"
	"strings"
	"testing"
)

func TestCheckValid(t *testing.T) {
	for name, r := range map[string]*Result{"full": fullResult(), "minimal": minimalResult()} {
		if err := r.CheckValid(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each row spoils the full result and says what CheckValid must say of it. Encode must
// refuse it as well.
func TestCheckValidFinds(t *testing.T) {
	for want, spoil := range map[string]func(*Result){
		`schema: the schema ""`:         func(r *Result) { r.Schema = "" },
		`schema: the schema "other"`:    func(r *Result) { r.Schema = "other" },
		"schema: written by a newer":    func(r *Result) { r.Schema = SchemaPrefix + "99" },
		"id: ":                          func(r *Result) { r.ID = "a/b" },
		"suite: is empty":               func(r *Result) { r.Suite = "" },
		"created: is missing":           func(r *Result) { r.Created = minimalResult().Created.AddDate(-2025, 0, -1).Truncate(1 << 62) },
		"exit: 5":                       func(r *Result) { r.Exit = 5 },
		"exit: -1":                      func(r *Result) { r.Exit = -1 },
		"machine.fingerprint: ":         func(r *Result) { r.Machine.Fingerprint = "" },
		"machine.cores: -1":             func(r *Result) { r.Machine.Cores = -1 },
		"workloads[0].name: is empty":   func(r *Result) { r.Workloads[0].Name = "" },
		"workloads[1].name: \"build\"":  func(r *Result) { r.Workloads[1].Name = "build" },
		"workloads[1].state: \"\"":      func(r *Result) { r.Workloads[1].State = "" },
		"workloads[2].reason: ":         func(r *Result) { r.Workloads[2].Reason = "" },
		"workloads[1].metrics[1].name":  func(r *Result) { r.Workloads[1].Metrics[1].Name = "wall" },
		"workloads[1].metrics[0].bette": func(r *Result) { r.Workloads[1].Metrics[0].Better = "" },
		"workloads[1].metrics[0].samples[2]: NaN": func(r *Result) {
			r.Workloads[1].Metrics[0].Samples[2] = math.NaN()
		},
		"workloads[1].metrics[1].samples[0]: +Inf": func(r *Result) {
			r.Workloads[1].Metrics[1].Samples[0] = math.Inf(1)
		},
		"workloads[4].absent[0]: \"render\" is none of":   func(r *Result) { r.Workloads[4].Stages = nil },
		"workloads[4].stages[1]: is empty":                func(r *Result) { r.Workloads[4].Stages[1] = "" },
		"workloads[4].absent[0]: \"parse\" is absent and": func(r *Result) { r.Workloads[4].Absent[0] = "parse" },
		"objectives[0].name: is empty":                    func(r *Result) { r.Objectives[0].Name = "" },
		"objectives[0].state: \"OK\"":                     func(r *Result) { r.Objectives[0].State = "OK" },
		"objectives[1].reason: ":                          func(r *Result) { r.Objectives[1].Reason = "" },
		"objectives[0].quantile: 1.5":                     func(r *Result) { r.Objectives[0].Quantile = 1.5 },
		"objectives[0].quantile: NaN":                     func(r *Result) { r.Objectives[0].Quantile = math.NaN() },
		"objectives[0].confidence: 1":                     func(r *Result) { r.Objectives[0].Confidence = 1 },
		"objectives[0].confidence: 0":                     func(r *Result) { r.Objectives[0].Confidence = 0 },
		"objectives[0].target: NaN":                       func(r *Result) { r.Objectives[0].Target = math.NaN() },
		"objectives[0].critical: +Inf":                    func(r *Result) { r.Objectives[0].Critical = math.Inf(1) },
		"objectives[0].estimate: NaN":                     func(r *Result) { r.Objectives[0].Estimate = value(math.NaN()) },
		"objectives[0].high: NaN":                         func(r *Result) { r.Objectives[0].High = value(math.NaN()) },
		"objectives[0].low: 1 lies above":                 func(r *Result) { r.Objectives[0].Low = value(1) },
		"objectives[0].needed: -1 is negative":            func(r *Result) { r.Objectives[0].Needed = -1 },
		"comparisons[0].verdict: \"\"":                    func(r *Result) { r.Comparisons[0].Verdict = "" },
		"comparisons[0].design: \"\"":                     func(r *Result) { r.Comparisons[0].Design = "" },
		"comparisons[0].better: \"\"":                     func(r *Result) { r.Comparisons[0].Better = "" },
		"comparisons[0].old.samples[1]: NaN":              func(r *Result) { r.Comparisons[0].Old.Samples[1] = math.NaN() },
		"comparisons[0].new.samples[0]: -Inf":             func(r *Result) { r.Comparisons[0].New.Samples[0] = math.Inf(-1) },
		"comparisons[0].alpha: NaN":                       func(r *Result) { r.Comparisons[0].Alpha = math.NaN() },
		"comparisons[0].ratio: +Inf":                      func(r *Result) { r.Comparisons[0].Ratio = value(math.Inf(1)) },
		"comparisons[0].evidence: +Inf":                   func(r *Result) { r.Comparisons[0].Evidence = value(math.Inf(1)) },
		"comparisons[0].pairs: -2":                        func(r *Result) { r.Comparisons[0].Pairs = -2 },
		"comparisons[0].low: 2 lies above":                func(r *Result) { r.Comparisons[0].Low = value(2) },
	} {
		r := fullResult()
		spoil(r)
		err := r.CheckValid()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s...", err, want)
		}
		if data, err := r.Encode(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Encode gives %d bytes and %v, want %s...", len(data), err, want)
		}
	}
}

func TestWhole(t *testing.T) {
	for _, row := range []struct {
		complete bool
		only     []string
		want     bool
	}{{true, nil, true}, {true, []string{}, true}, {false, nil, false}, {true, []string{"build"}, false}, {false, []string{"build"}, false}} {
		if got := (&Result{Complete: row.complete, Only: row.only}).Whole(); got != row.want {
			t.Errorf("complete %v, only %v: %v", row.complete, row.only, got)
		}
	}
}

func TestLookups(t *testing.T) {
	r := fullResult()
	w := r.Workload("cli startup")
	if w != &r.Workloads[1] || r.Workload("cli") != nil {
		t.Errorf("Workload found %v", w)
	}
	if s, ok := w.Series("peak memory"); !ok || s.Unit != Byte {
		t.Errorf("Series found %v, %v", s, ok)
	}
	if s, ok := w.Series("peak"); ok || s.Name != "" {
		t.Errorf("Series found %v for a name that is none", s)
	}
}
