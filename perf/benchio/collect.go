package benchio

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A collector joins what a file says, value by value, into the workloads of a run.
type collector struct {
	options Options
	order   []*benchmark
	byName  map[string]*benchmark
	unknown []string // units whose direction nobody knows
}

func newCollector(o Options) *collector {
	return &collector{options: o, byName: map[string]*benchmark{}}
}

// A benchmark is a workload that is being read.
type benchmark struct {
	perf.WorkloadResult
	pkg string // the package of a Go benchmark
}

// named returns the benchmark of that name, and makes it if there is none.
func (c *collector) named(name string) *benchmark {
	if b := c.byName[name]; b != nil {
		return b
	}
	name = strings.ToValidUTF8(name, "\ufffd")
	b := &benchmark{WorkloadResult: perf.WorkloadResult{Name: name, State: perf.StateOK}}
	c.byName[name] = b
	c.order = append(c.order, b)
	return b
}

// add appends a value to the metric called name, which better may give a direction. It
// returns what is wrong with that, or "".
func (c *collector) add(b *benchmark, name string, q quantity, better perf.Better) string {
	if msg := q.fault(); msg != "" {
		return msg
	}
	name = strings.ToValidUTF8(name, "\ufffd")
	for i := range b.Metrics {
		if m := &b.Metrics[i]; m.Name == name {
			if m.Unit != q.unit {
				return fmt.Sprintf("is in %s here, and %s of %q was in %s before", q.unit, name, b.Name, m.Unit)
			}
			m.Samples = append(m.Samples, q.value)
			m.Summary = nil // an interval was about one value
			return ""
		}
	}
	m := perf.Metric{Name: name, Unit: q.unit, Better: c.better(q, better)}
	b.Metrics = append(b.Metrics, perf.Series{Metric: m, OrigUnit: q.orig, Samples: perf.Sample{q.value}})
	return ""
}

// better is the direction of a unit: the user's word, else the file's, else what the unit
// tells.
func (c *collector) better(q quantity, said perf.Better) perf.Better {
	for _, unit := range []string{q.orig, string(q.unit)} {
		if b, ok := c.options.Better[unit]; ok && unit != "" {
			return b
		}
	}
	if said != "" {
		return said
	}
	better, known := direction(q.unit)
	if unit := string(q.unit); !known && !slices.Contains(c.unknown, unit) {
		c.unknown = append(c.unknown, unit)
	}
	return better
}

// interval keeps what the file states about a single value.
func (b *benchmark) interval(metric string, low, high float64) {
	for i := range b.Metrics {
		m := &b.Metrics[i]
		if m.Name != metric || len(m.Samples) != 1 || !(low <= high) {
			continue
		}
		v := m.Samples[0]
		m.Summary = &perf.Summary{N: 1, Center: v, Low: &low, High: &high, Min: v, Max: v}
	}
}

// workloads returns what was collected. A benchmark of which every value was bad is left
// out.
func (c *collector) workloads() []perf.WorkloadResult {
	c.qualify()
	var out []perf.WorkloadResult
	for _, b := range c.order {
		if len(b.Metrics) > 0 {
			out = append(out, b.WorkloadResult)
		}
	}
	return out
}

// qualify puts the package behind names that several packages have, before the number of
// processors, as in "Run@example.com/codec-8". The others stay short: a name is read more
// often than a package gets a namesake.
func (c *collector) qualify() {
	count, taken := map[string]int{}, map[string]bool{}
	for _, b := range c.order {
		count[b.Name]++
	}
	for _, b := range c.order {
		if count[b.Name] > 1 && b.pkg != "" {
			procs := procsSuffix.FindString(b.Name)
			b.Name = strings.TrimSuffix(b.Name, procs) + "@" + b.pkg + procs
		}
		for base, n := b.Name, 2; taken[b.Name]; n++ {
			b.Name = fmt.Sprintf("%s (%d)", base, n)
		}
		taken[b.Name] = true
	}
}

// procsSuffix is the GOMAXPROCS at the end of a Go benchmark's name.
var procsSuffix = regexp.MustCompile(`(-\d+)?$`)

// warnings are about the directions that had to be guessed.
func (c *collector) warnings() []perf.Warning {
	var out []perf.Warning
	for _, unit := range c.unknown {
		name := unit
		if unit == string(perf.Count) {
			name = "count (no unit)"
		}
		out = append(out, perf.Warning{Kind: perf.WarnEnvironment, Text: fmt.Sprintf("nobody says which direction of the unit %s is better: lower is assumed; say it with -better='%s=higher'", name, unit)})
	}
	return out
}

// run makes a run of what was collected.
func (c *collector) run() Run { return Run{Workloads: c.workloads(), Warnings: c.warnings()} }

// Join appends the samples of next to those of run, workload by workload and metric by
// metric, and adds what run does not have. What both name in different units comes back
// as an error and is left out. Neither of the two is changed.
func Join(run, next Run) (Run, []error) {
	var errs []error
	out := run
	out.Workloads = slices.Clone(run.Workloads)
	out.Warnings = slices.Concat(run.Warnings, next.Warnings)
	for _, w := range next.Workloads {
		i := slices.IndexFunc(out.Workloads, func(have perf.WorkloadResult) bool { return have.Name == w.Name })
		if i < 0 {
			out.Workloads = append(out.Workloads, w)
			continue
		}
		joined, err := joinMetrics(out.Workloads[i], w)
		out.Workloads[i], errs = joined, append(errs, err...)
	}
	return out, errs
}

// joinMetrics appends the samples of w to those of have.
func joinMetrics(have, w perf.WorkloadResult) (perf.WorkloadResult, []error) {
	var errs []error
	have.Metrics = slices.Clone(have.Metrics)
	have.Warnings = slices.Concat(have.Warnings, w.Warnings)
	for _, m := range w.Metrics {
		i := slices.IndexFunc(have.Metrics, func(s perf.Series) bool { return s.Name == m.Name })
		switch {
		case i < 0:
			have.Metrics = append(have.Metrics, m)
		case have.Metrics[i].Metric != m.Metric:
			h := have.Metrics[i]
			errs = append(errs, fmt.Errorf("joining %q: %s is in %s (%s is better) in one file and in %s (%s) in another; import them by themselves", w.Name, m.Name, h.Unit, h.Better, m.Unit, m.Better))
		default:
			h := &have.Metrics[i]
			h.Samples, h.Summary = slices.Concat(h.Samples, m.Samples), nil
		}
	}
	return have, errs
}
