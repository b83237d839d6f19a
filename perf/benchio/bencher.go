package benchio

import "github.com/seanchatmangpt/clnrm-perf/perf"

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
// measures, each with a value and, if known, its bounds.
func (d *document) bencher(root *node) {
	c := newCollector(d.options)
	for _, n := range root.kids {
		if n.key == "" {
			d.complain(n, "the benchmark has no name")
			continue
		}
		if !d.is(n, '{', "an object of measures") {
			continue
		}
		b := c.named(n.key)
		for _, m := range n.kids {
			if d.is(m, '{', `an object with "value"`) {
				d.measure(c, b, m)
			}
		}
	}
	d.keep(c.run())
}

// measure reads one measure of a benchmark.
func (d *document) measure(c *collector, b *benchmark, n *node) {
	d.strangers(n, "value", "lower_value", "upper_value")
	value := n.get("value")
	if value == nil {
		d.missing(n, "value")
		return
	}
	v, ok := d.number(value, false)
	if !ok {
		return
	}
	if n.key == "" {
		d.complain(n, "the measure has no name")
		return
	}
	known, isKnown := measures[n.key]
	if !isKnown {
		known.unit = n.key
	}
	q := newQuantity(v, known.unit)
	if msg := c.add(b, n.key, q, known.better); msg != "" {
		d.complain(value, "%v %s", v, msg)
		return
	}
	low, hasLow := d.bound(n, "lower_value")
	high, hasHigh := d.bound(n, "upper_value")
	if hasLow && hasHigh {
		low, _ = tidy(low, known.unit)
		high, _ = tidy(high, known.unit)
		b.interval(n.key, low, high)
	}
}

// bound reads a bound, which may be missing or null.
func (d *document) bound(n *node, key string) (float64, bool) {
	f := n.get(key)
	if f == nil || f.kind == 'n' {
		return 0, false
	}
	return d.number(f, false)
}
