package benchio

import (
	"slices"
	"strconv"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// measures are the measures of Bencher whose unit is set: a file of the Bencher Metric
// Format holds none.
var measures = map[string]struct {
	unit   string
	better perf.Better
}{
	"latency":          {"ns", perf.Lower},
	"throughput":       {"/s", perf.Higher},
	"build-time":       {"s", perf.Lower},
	"file-size":        {"B", perf.Lower},
	"instructions":     {"instructions", perf.Lower},
	"allocations":      {"allocations", perf.Lower},
	"l1-accesses":      {"accesses", perf.Lower},
	"l2-accesses":      {"accesses", perf.Lower},
	"ram-accesses":     {"accesses", perf.Lower},
	"estimated-cycles": {"cycles", perf.Lower},
}

// bencher reads the Bencher Metric Format: an object of benchmarks, each an object of
// measures, each with a value and, if known, its bounds. In version 1 of the format,
// which Bencher has next to that one, a benchmark is a list of variants, see variants.
func (d *document) bencher(root *node) {
	c := newCollector(d.options)
	for _, n := range root.kids {
		if n.key == "" {
			d.complain(n, "the benchmark has no name")
			continue
		}
		if n.kind == '[' {
			d.variants(c, n)
			continue
		}
		if !d.is(n, '{', "an object of measures") {
			continue
		}
		b := c.named(n.key)
		for _, m := range n.kids {
			if d.is(m, '{', `an object with "value"`) {
				d.strangers(m, "value", "lower_value", "upper_value")
				d.measure(c, b, m)
			}
		}
	}
	d.keep(c.run())
}

// variants reads the benchmark of a file of version 1: a list of objects with the
// parameters with which it ran, and measures of any number of named values each. What
// is called value is the measure itself, with its bounds; another name, as p99, makes a
// metric of its own.
func (d *document) variants(c *collector, list *node) {
	if len(list.kids) == 0 {
		d.complain(list, "the list is empty")
	}
	for _, n := range list.kids {
		if !d.is(n, '{', `an object with "measures"`) {
			continue
		}
		d.strangers(n, "parameters", "measures")
		of := n.get("measures")
		if of == nil {
			d.missing(n, "measures")
			continue
		}
		if !d.is(of, '{', "an object of measures") {
			continue
		}
		b := c.named(withParameters(list.key, variant(n.get("parameters"))))
		for _, m := range of.kids {
			if d.is(m, '{', "an object of numbers") {
				d.named(c, b, m)
			}
		}
	}
}

// variant lists parameters in one order and form: two variants are one where they differ
// in the order of their keys, or in how a number is written.
func variant(parameters *node) []string {
	if parameters == nil {
		return nil
	}
	var list []string
	for _, p := range parameters.kids {
		value := p.text
		if v, err := strconv.ParseFloat(value, 64); p.kind == '0' && err == nil {
			value = strconv.FormatFloat(v, 'g', -1, 64)
		}
		list = append(list, p.key+"="+value)
	}
	slices.Sort(list)
	return list
}

// named reads a measure of version 1.
func (d *document) named(c *collector, b *benchmark, m *node) {
	if m.get("value") != nil {
		d.measure(c, b, m)
	}
	for _, v := range m.kids {
		switch v.key {
		case "value":
			continue
		case "lower_value", "upper_value":
			if m.get("value") != nil {
				continue // read as bounds
			}
		}
		if n, ok := d.number(v, false); ok {
			d.add(c, b, m, v, v.key, n)
		}
	}
}

// measure reads one measure of a benchmark.
func (d *document) measure(c *collector, b *benchmark, n *node) {
	value := n.get("value")
	if value == nil {
		d.missing(n, "value")
		return
	}
	v, ok := d.number(value, false)
	if !ok || !d.add(c, b, n, value, "", v) {
		return
	}
	unit := measureUnit(n.key)
	low, hasLow := d.bound(n, "lower_value")
	high, hasHigh := d.bound(n, "upper_value")
	if hasLow && hasHigh {
		low, _ = tidy(low, unit)
		high, _ = tidy(high, unit)
		b.interval(n.key, low, high)
	}
}

// measureUnit is the unit of a measure; of one that Bencher does not define it is its name.
func measureUnit(name string) string {
	if known, ok := measures[name]; ok {
		return known.unit
	}
	return name
}

// add adds a number that a measure gives, which may have a name of its own, and reports
// whether it could. at is where it stands.
func (d *document) add(c *collector, b *benchmark, measure, at *node, name string, v float64) bool {
	if measure.key == "" {
		d.complain(measure, "the measure has no name")
		return false
	}
	metric := measure.key
	if name != "" {
		metric += " " + name
	}
	if msg := c.add(b, metric, newQuantity(v, measureUnit(measure.key)), measures[measure.key].better); msg != "" {
		d.complain(at, "%v %s", v, msg)
		return false
	}
	return true
}

// bound reads a bound, which may be missing or null.
func (d *document) bound(n *node, key string) (float64, bool) {
	f := n.get(key)
	if f == nil || f.kind == 'n' {
		return 0, false
	}
	return d.number(f, false)
}
