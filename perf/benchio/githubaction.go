package benchio

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// custom reads the JSON that github-action-benchmark takes as customSmallerIsBetter and
// customBiggerIsBetter. Which of the two it is the file does not say.
func (d *document) custom(root *node) {
	c := newCollector(d.options)
	d.benches(c, root, "", "")
	d.keep(c.run())
}

// benches reads a list of values. prefix comes before their names; better is what the
// tool that made them says of all of them.
func (d *document) benches(c *collector, list *node, prefix string, better perf.Better) {
	if !d.is(list, '[', "a list") {
		return
	}
	names := map[string]bool{}
	for _, n := range list.kids {
		if name := n.get("name"); name != nil {
			names[name.text] = true
		}
	}
	for _, n := range list.kids {
		if d.is(n, '{', "an object") {
			d.bench(c, n, names, prefix, better)
		}
	}
}

// Keys of github-action-benchmark's JSON, after the interfaces of its version 1.22
// (extract.ts, write.ts).
var (
	benchKeys        = []string{"name", "value", "unit", "range", "extra"}
	historyKeys      = []string{"lastUpdate", "repoUrl", "entries"}
	historyEntryKeys = []string{"commit", "date", "tool", "benches"}
)

// bench reads one value.
func (d *document) bench(c *collector, n *node, names map[string]bool, prefix string, better perf.Better) {
	d.strangers(n, benchKeys...)
	name, ok := d.field(n, "name")
	if !ok {
		return
	}
	unit, hasUnit := d.field(n, "unit")
	value := n.get("value")
	if value == nil {
		d.missing(n, "value")
	}
	if !hasUnit || value == nil {
		return
	}
	v, ok := d.number(value, true)
	if !ok {
		return
	}
	name, unit = goMetric(name, unit, names)
	if name == "" {
		return
	}
	b, q := c.named(prefix+name), newQuantity(v, unit)
	if msg := c.add(b, string(q.unit), q, better); msg != "" {
		d.complain(n, "%v %s %s", v, unit, msg)
		return
	}
	if r := n.get("range"); r != nil && r.text != "" {
		if spread, ok := parseRange(r.text, v); ok {
			low, _ := tidy(v-spread, unit)
			high, _ := tidy(v+spread, unit)
			b.interval(string(q.unit), low, high)
		}
	}
}

// goMetric undoes what github-action-benchmark does to lines of go test with more than
// one metric: it writes "Name - unit" for each of them and then, for the sake of old
// charts, the first once more under "Name" with the rest of the line as its unit. name
// is empty for that one.
func goMetric(name, unit string, names map[string]bool) (string, string) {
	if first, _, rest := strings.Cut(unit, "\t"); rest {
		first = strings.TrimSpace(first)
		if names[name+" - "+first] {
			return "", ""
		}
		return name, first
	}
	return strings.TrimSuffix(name, " - "+unit), unit
}

// parseRange reads how far a value may be off: "± 12", "+/- 12" or "±1.5%".
func parseRange(s string, value float64) (float64, bool) {
	s = strings.TrimSpace(strings.TrimLeft(s, "±+/- "))
	number, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(number), ",", ""), 64)
	if percent {
		v *= value / 100
	}
	return v, err == nil && v >= 0
}

// history reads the data.js that github-action-benchmark keeps on a branch, or the same
// as JSON. Every commit becomes a run, the newest last.
func (d *document) history(root *node) {
	d.strangers(root, historyKeys...)
	entries := root.get("entries")
	if !d.is(entries, '{', "an object") {
		return
	}
	h := &commits{document: d, byCommit: map[string]*commitRun{}}
	for _, suite := range entries.kids {
		prefix := ""
		if len(entries.kids) > 1 {
			prefix = suite.key + ": "
		}
		if d.is(suite, '[', "a list") {
			for _, n := range suite.kids {
				h.entry(n, prefix)
			}
		}
	}
	h.keepAll()
}

// commits are the runs of a history.
type commits struct {
	*document
	order    []*commitRun
	byCommit map[string]*commitRun
}

// A commitRun is what was measured of one commit.
type commitRun struct {
	*collector
	id   string
	date float64 // milliseconds since 1970
}

// entry reads one run of a suite.
func (h *commits) entry(n *node, prefix string) {
	if !h.is(n, '{', "an object") {
		return
	}
	h.strangers(n, historyEntryKeys...)
	id, benches := "", n.get("benches")
	if c := n.get("commit"); c != nil { // GitHub's own account of it, of which only the id is of use
		id, _ = h.field(c, "id")
	} else {
		h.missing(n, "commit")
	}
	if benches == nil {
		h.missing(n, "benches")
		return
	}
	run := h.byCommit[id]
	if run == nil {
		run = &commitRun{collector: newCollector(h.options), id: id}
		h.byCommit[id] = run
		h.order = append(h.order, run)
	}
	if date := n.get("date"); date != nil {
		if v, ok := h.number(date, false); ok {
			run.date = max(run.date, v)
		}
	}
	var better perf.Better
	if tool := n.get("tool"); tool != nil {
		better = toolBetter[tool.text]
	}
	h.benches(run.collector, benches, prefix, better)
}

// toolBetter is the direction of the tools that have one for all their values. The
// others have one by unit, whatever github-action-benchmark takes them for.
var toolBetter = map[string]perf.Better{"customBiggerIsBetter": perf.Higher, "customSmallerIsBetter": perf.Lower}

// maxDate is the last millisecond of the year 9999, which JSON can still write.
const maxDate = 253402300799000

// keepAll adds the runs in the order of time.
func (h *commits) keepAll() {
	slices.SortStableFunc(h.order, func(a, b *commitRun) int {
		switch {
		case a.date < b.date:
			return -1
		case a.date > b.date:
			return 1
		}
		return 0
	})
	for _, c := range h.order {
		r := c.run()
		r.Commit = c.id
		if c.date > 0 && c.date <= maxDate {
			r.Created = time.UnixMilli(int64(c.date)).UTC()
		}
		h.keep(r)
	}
}
