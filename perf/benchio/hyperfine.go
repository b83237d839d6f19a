package benchio

import (
	"fmt"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// hyperfine reads what hyperfine --export-json writes: seconds, and every run of a
// command under "times". Its user and system times are means over the runs, so they are
// one value each, as are the mean and the standard deviation, which are kept as metrics of
// their own. Median, min and max are values among the times, or the mean of two.
func (d *document) hyperfine(root *node) {
	d.strangers(root, hyperfineRootKeys...)
	list := root.get("results")
	if !d.is(list, '[', "a list") {
		return
	}
	c := newCollector(d.options)
	for _, n := range list.kids {
		if d.is(n, '{', "an object") {
			d.hyperfineResult(c, n)
		}
	}
	d.keep(c.run())
}

// Keys of hyperfine's JSON, after the serde structs of its versions 1.15 to 1.20 and, the
// last of either list, of the one in development, whose schema_version is 2. What those
// hold says nothing that the other keys do not.
var (
	hyperfineRootKeys = []string{"results", "schema_version", "metadata"}
	hyperfineKeys     = []string{
		"command", "mean", "stddev", "median", "user", "system", "min", "max", "times", "exit_codes", "memory_usage_byte", "parameters",
		"is_reference", "summary",
	}
)

// hyperfineResult reads the runs of one command.
func (d *document) hyperfineResult(c *collector, n *node) {
	d.strangers(n, hyperfineKeys...)
	command, ok := d.field(n, "command")
	if !ok {
		return
	}
	b := c.named(hyperfineName(command, n.get("parameters")))
	b.Command = []string{command}
	d.hyperfineTimes(c, b, n)
	for _, m := range []struct {
		key    string
		metric perf.Metric
	}{
		{"user", perf.User}, {"system", perf.System},
		{"mean", perf.Metric{Name: WallMean, Unit: perf.Second, Better: perf.Lower}},
		{"stddev", perf.Metric{Name: WallStddev, Unit: perf.Second, Better: perf.Lower}},
	} {
		if f := n.get(m.key); f != nil && f.kind != 'n' {
			d.addNumber(c, b, m.metric, f)
		}
	}
	if f := n.get("memory_usage_byte"); f != nil && f.kind != 'n' && d.is(f, '[', "a list") {
		for _, v := range f.kids {
			d.addNumber(c, b, perf.PeakMemoryRSS, v)
		}
	}
	d.exitCodes(b, n.get("exit_codes"))
}

// hyperfineName tells apart the commands of a scan where their text does not.
func hyperfineName(command string, parameters *node) string {
	if parameters == nil {
		return command
	}
	var list []string
	for _, p := range parameters.kids {
		if p.text != "" && !strings.Contains(command, p.text) {
			list = append(list, p.key+"="+p.text)
		}
	}
	return withParameters(command, list)
}

// withParameters puts what a benchmark ran with behind its name.
func withParameters(name string, list []string) string {
	if len(list) == 0 {
		return name
	}
	return name + " (" + strings.Join(list, ", ") + ")"
}

// hyperfineTimes reads the wall time of every run or, where a file was shortened, the
// median, which is one value.
func (d *document) hyperfineTimes(c *collector, b *benchmark, n *node) {
	times := n.get("times")
	if times != nil && times.kind != 'n' {
		if d.is(times, '[', "a list") {
			for _, v := range times.kids {
				d.addNumber(c, b, perf.Wall, v)
			}
		}
		return
	}
	for _, key := range []string{"median", "mean"} {
		if f := n.get(key); f != nil {
			d.addNumber(c, b, perf.Wall, f)
			return
		}
	}
	d.missing(n, "times")
}

// addNumber adds a number in the base unit of the metric.
func (d *document) addNumber(c *collector, b *benchmark, m perf.Metric, n *node) {
	v, ok := d.number(n, false)
	if !ok {
		return
	}
	if msg := c.add(b, m.Name, quantity{value: v, unit: m.Unit}, m.Better); msg != "" {
		d.complain(n, "%v %s", v, msg)
	}
}

// exitCodes warns of runs that failed; hyperfine keeps them under --ignore-failure.
func (d *document) exitCodes(b *benchmark, codes *node) {
	if codes == nil {
		return
	}
	failed := 0
	for _, c := range codes.kids {
		if c.kind != '0' || c.text != "0" { // null: ended by a signal
			failed++
		}
	}
	if failed > 0 {
		b.Warnings = append(b.Warnings, perf.Warning{Kind: perf.WarnSubject, Text: fmt.Sprintf("%d of its %d runs did not exit with status 0; they are kept", failed, len(codes.kids))})
	}
}
