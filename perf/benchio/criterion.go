package benchio

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Files of Criterion 0.3 to 0.5, in the folder new of each benchmark.
const (
	benchmarkFile = "benchmark.json"
	sampleFile    = "sample.json"
	estimatesFile = "estimates.json"
	newest        = "new"
)

// Keys of Criterion's files, after the serde structs of its versions 0.3 to 0.7.
var (
	benchmarkKeys = []string{"group_id", "function_id", "value_str", "throughput", "full_id", "directory_name", "title"}
	sampleKeys    = []string{"sampling_mode", "iters", "times"}
	estimateKeys  = []string{"mean", "median", "median_abs_dev", "slope", "std_dev"}
)

// PerIteration is the unit of Criterion's times.
const PerIteration = perf.Second + "/op"

// ReadCriterion reads the tree that Criterion leaves in target/criterion, of which fsys
// is the root; dir is its name in faults. Of each benchmark it takes what the last run
// has left in the folder "new". A sample of Criterion is the time of many iterations; a
// value here is that time divided by their number, in run order, so that the values of
// the metric "sec/op" are times of one iteration. Where a benchmark states what an
// iteration works through there is a throughput as well. Criterion's own estimate, the
// slope of a line through the samples, is kept beside them as the metric [Slope]; its
// other estimates follow from the samples.
//
// The tree keeps benchmarks that were since renamed or removed: a run that must hold
// nothing old starts from an empty folder (CRITERION_HOME). Measurements other than of
// wall time, which Criterion allows, do not name their unit and are taken for times.
func ReadCriterion(fsys fs.FS, dir string, o Options) (*Import, error) {
	t := &tree{Import: &Import{Format: Criterion}, collector: newCollector(o), fsys: fsys, dir: dir, unknown: map[string]bool{}}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			t.fault(path.Join(dir, name), 0, "%v", cause(err))
		case entry.IsDir() && entry.Name() == newest:
			t.benchmark(name)
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	run := t.run()
	if len(run.Workloads) > 0 {
		t.Runs = []Run{run}
	} else if len(t.Faults) == 0 {
		t.fault(dir, 0, "there is no benchmark in it: Criterion keeps them in target/criterion, as NAME/new/sample.json; run cargo bench first")
	}
	return t.Import, nil
}

// tree is one call of ReadCriterion.
type tree struct {
	*Import
	*collector
	fsys    fs.FS
	dir     string
	unknown map[string]bool // keys that were noted as unknown, in whatever file
}

// document parses a file of the tree; nil where it cannot be read at all, which is a
// fault then.
func (t *tree) document(name string) (*document, *node) {
	full := path.Join(t.dir, name)
	data, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		t.fault(full, 0, "%v", cause(err))
		return nil, nil
	}
	d := &document{Import: t.Import, file: full, data: quoteNonNumbers(data), unknown: t.unknown}
	root := d.parse()
	if root == nil || !d.is(root, '{', "an object") {
		return nil, nil
	}
	return d, root
}

// cause is what is wrong with a file, without its path, which the fault has already.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// benchmark reads the files in one folder.
func (t *tree) benchmark(dir string) {
	d, about := t.document(path.Join(dir, benchmarkFile))
	if about == nil {
		return
	}
	name, ok := d.field(about, "full_id")
	if !ok {
		return
	}
	d.strangers(about, benchmarkKeys...)
	items := t.throughputs(d, about.get("throughput"))
	d, sample := t.document(path.Join(dir, sampleFile))
	if sample == nil {
		return
	}
	d.strangers(sample, sampleKeys...)
	iters, times := d.list(sample, "iters"), d.list(sample, "times")
	if iters == nil || times == nil {
		return
	}
	if len(iters.kids) != len(times.kids) {
		d.complain(sample, "%d iteration counts and %d times do not belong together", len(iters.kids), len(times.kids))
		return
	}
	b := t.named(name)
	for i := range times.kids {
		t.sample(d, b, iters.kids[i], times.kids[i], items)
	}
	t.slope(b, path.Join(dir, estimatesFile))
}

// slope adds Criterion's estimate of the time of an iteration, with its interval. There
// is none where each sample has as many iterations as the others (sampling_mode "Flat").
func (t *tree) slope(b *benchmark, name string) {
	if _, err := fs.Stat(t.fsys, name); errors.Is(err, fs.ErrNotExist) {
		return // someone keeps the samples alone
	}
	d, estimates := t.document(name)
	if estimates == nil {
		return
	}
	d.strangers(estimates, estimateKeys...)
	n := estimates.get("slope")
	if n == nil || n.kind == 'n' || !d.is(n, '{', "an object") {
		return
	}
	d.strangers(n, "confidence_interval", "point_estimate", "standard_error")
	point := n.get("point_estimate")
	if point == nil {
		d.missing(n, "point_estimate")
		return
	}
	ns, ok := d.number(point, false)
	if !ok {
		return
	}
	if msg := t.add(b, Slope, newQuantity(ns, "ns/op"), perf.Lower); msg != "" {
		d.complain(point, "%v ns %s", ns, msg)
		return
	}
	interval := n.get("confidence_interval")
	if interval == nil || !d.is(interval, '{', "an object") {
		return
	}
	low, hasLow := d.bound(interval, "lower_bound")
	high, hasHigh := d.bound(interval, "upper_bound")
	if hasLow && hasHigh {
		low, _ = tidy(low, "ns/op")
		high, _ = tidy(high, "ns/op")
		b.interval(Slope, low, high)
	}
}

// list returns the list under a key; nil where there is none, which is a fault then.
func (d *document) list(n *node, key string) *node {
	v := n.get(key)
	if v == nil {
		d.missing(n, key)
		return nil
	}
	if !d.is(v, '[', "a list") {
		return nil
	}
	return v
}

// sample adds the time of one iteration, and what it worked through.
func (t *tree) sample(d *document, b *benchmark, iters, time *node, items []item) {
	n, ok := d.number(iters, false)
	ns, isTime := d.number(time, false)
	if !ok || !isTime {
		return
	}
	if n <= 0 {
		d.complain(iters, "%v iterations are none", n)
		return
	}
	q := newQuantity(ns/n, "ns/op")
	if msg := t.add(b, string(PerIteration), q, perf.Lower); msg != "" {
		d.complain(time, "%v ns %s", ns, msg)
		return
	}
	for _, item := range items {
		if q.value > 0 {
			t.add(b, item.metric, quantity{value: item.n / q.value, unit: item.unit}, perf.Higher)
		}
	}
}

// An item is what one iteration works through.
type item struct {
	metric string
	unit   perf.Unit
	n      float64
}

// throughputs reads what an iteration works through; Criterion writes the variant of a
// Rust enum.
func (t *tree) throughputs(d *document, n *node) []item {
	if n == nil || n.kind == 'n' || !d.is(n, '{', "an object") {
		return nil
	}
	var out []item
	for _, kid := range n.kids {
		switch kid.key {
		case "ElementsAndBytes":
			for _, part := range kid.kids {
				out = append(out, t.item(d, part, part.key)...)
			}
		default:
			out = append(out, t.item(d, kid, kid.key)...)
		}
	}
	return out
}

// item reads one amount.
func (t *tree) item(d *document, n *node, variant string) []item {
	v, ok := d.number(n, false)
	if !ok {
		return nil
	}
	switch variant {
	case "Bytes", "BytesDecimal", "bytes":
		return []item{{"throughput", "B/sec", v}}
	case "Bits":
		return []item{{"throughput", "B/sec", v / 8}}
	case "Elements", "elements":
		return []item{{"throughput of elements", "elements/sec", v}}
	}
	d.complain(n, "the kind of throughput %q is unknown here and is left out", variant)
	return nil
}
