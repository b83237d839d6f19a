package benchio

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// WriteGo writes every sample of the result in the Go benchmark format, which benchstat
// reads: one line for the first values of all metrics of a workload, one for the second
// ones, and so on. Values are in base units, so that reading them gives the same values.
//
// Names are one word there: white space in the name of a workload becomes "_", and the
// unit of a metric carries its name, as in "peak-memory-B". The wall time of a workload
// is "sec/op". Lines beginning with "Unit" state the directions that benchstat does not
// know by itself.
//
// Of a result with comparisons both sides are written, under "arm: old" and "arm: new":
// benchstat -col=arm sets them side by side.
func WriteGo(w io.Writer, r *perf.Result) error {
	out := &goWriter{bufio.NewWriter(w)}
	out.config(r)
	arms := map[string][]perf.WorkloadResult{"": r.Workloads}
	if len(r.Comparisons) > 0 {
		arms = map[string][]perf.WorkloadResult{
			"old": side(r, func(c perf.Comparison) perf.Arm { return c.Old }),
			"new": side(r, func(c perf.Comparison) perf.Arm { return c.New }),
		}
	}
	units := map[string]perf.Better{}
	for _, arm := range []string{"", "old", "new"} {
		if len(arms[arm]) > 0 {
			out.arm(arm, arms[arm], units)
		}
	}
	return out.Flush()
}

// arm writes the workloads of one side, with the directions of the units that were not
// said before.
func (w *goWriter) arm(name string, workloads []perf.WorkloadResult, units map[string]perf.Better) {
	if name != "" {
		w.printf("arm: %s\n", name)
	}
	filled(workloads, func(_ *perf.WorkloadResult, m perf.Series) {
		if unit := goUnit(m.Metric); !knownToGo[unit] && units[unit] == "" {
			units[unit] = m.Better
			w.printf("Unit %s better=%s\n", unit, m.Better)
		}
	})
	names := map[string]bool{}
	for i := range workloads {
		w.workload(&workloads[i], names)
	}
}

// goWriter writes lines; bufio keeps the first error for Flush.
type goWriter struct{ *bufio.Writer }

func (w *goWriter) printf(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// config writes what the result says of where it was made.
func (w *goWriter) config(r *perf.Result) {
	for _, c := range [][2]string{
		{"goos", r.Machine.OS}, {"goarch", r.Machine.Arch}, {"cpu", r.Machine.CPU},
		{"machine", r.Machine.Fingerprint}, {"suite", r.Suite}, {"commit", r.Subject.Commit},
	} {
		if value := oneLine(c[1]); value != "" {
			w.printf("%s: %s\n", c[0], value)
		}
	}
}

// workload writes the lines of a workload.
func (w *goWriter) workload(wl *perf.WorkloadResult, names map[string]bool) {
	name := goName(wl.Name)
	for base, n := name, 2; names[name]; n++ {
		name = fmt.Sprintf("%s#%02d", base, n)
	}
	names[name] = true
	lines := 0
	for _, m := range wl.Metrics {
		lines = max(lines, len(m.Samples))
	}
	for i := range lines {
		w.printf("Benchmark%s 1", name)
		for _, m := range wl.Metrics {
			if i < len(m.Samples) {
				w.printf(" %s %s", strconv.FormatFloat(m.Samples[i], 'g', -1, 64), goUnit(m.Metric))
			}
		}
		w.printf("\n")
	}
}

// knownToGo are the units whose direction every reader of the format knows.
var knownToGo = map[string]bool{"sec/op": true, "B/op": true, "allocs/op": true, "B/s": true}

// goUnit is the unit under which a metric is written.
func goUnit(m perf.Metric) string {
	unit := string(m.Unit)
	if base, rate := strings.CutSuffix(unit, string(perf.PerSecond)); rate && m.Unit != perf.PerSecond {
		unit = base + "/s"
	}
	switch {
	case m.Name == perf.Wall.Name && m.Unit == perf.Second:
		unit = "sec/op"
	case m.Unit == perf.Count:
		unit = m.Name
	case m.Name != string(m.Unit):
		unit = m.Name + "-" + unit
	}
	return word(unit, '-')
}

// goName is the name under which a workload is written. The format wants something
// behind "Benchmark", and tells the test framework's own words by a capital letter.
func goName(name string) string {
	runes := []rune(word(name, '_'))
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}

// word replaces what cannot stand in a field of a line.
func word(s string, by rune) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar {
			return by
		}
		return r
	}, strings.ToValidUTF8(s, string(by)))
	if s == "" {
		return string(by)
	}
	return s
}

// oneLine makes a value of a configuration line.
func oneLine(s string) string {
	fields := strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	return strings.Join(slices.Clip(fields), " ")
}
