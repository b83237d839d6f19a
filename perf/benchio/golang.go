package benchio

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// readGo reads the Go benchmark format (golang.org/design/14313-benchmark-format), as go
// test -bench prints it. golang.org/x/perf/benchfmt knows its lines; what it passes over
// and a reader must know, lines looks for.
func readGo(r io.Reader, file string, o Options) (*Import, error) {
	im := &Import{Format: Go}
	lines := &lineReader{r: bufio.NewReaderSize(r, maxLine), fault: func(line int, format string, args ...any) { im.fault(file, line, format, args...) }}
	in := benchfmt.NewReader(lines, file)
	g := &goReader{Import: im, collector: newCollector(o), file: file, units: in.Units(), packages: map[string]map[string]*benchmark{}, keys: map[string]string{}}
	for in.Scan() {
		switch rec := in.Result().(type) {
		case *benchfmt.Result:
			g.result(rec)
		case *benchfmt.SyntaxError:
			im.fault(file, rec.Line, "%s", rec.Msg)
		}
	}
	if err := errors.Join(in.Err(), lines.err); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	g.done()
	return im, nil
}

// goReader is one call of readGo.
type goReader struct {
	*Import
	*collector
	file     string
	units    benchfmt.UnitMetadataMap
	packages map[string]map[string]*benchmark // by package and name
	keys     map[string]string                // the first value of each key
	changed  []string                         // keys that changed within the file
	lines    int
}

// result takes the values of a line.
func (g *goReader) result(rec *benchfmt.Result) {
	_, line := rec.Pos()
	g.lines++
	g.config(rec)
	if len(rec.Name) == 0 {
		g.fault(g.file, line, "the benchmark has no name")
		return
	}
	b := g.benchmark(rec)
	for _, v := range rec.Values {
		value, unit := v.Value, v.Unit
		if v.OrigUnit != "" {
			value, unit = v.OrigValue, v.OrigUnit
		}
		if math.IsNaN(value) || math.IsInf(value, 0) {
			g.fault(g.file, line, "%v %s is not a finite number", value, unit)
			continue
		}
		q := newQuantity(value, unit)
		if msg := g.add(b, string(q.unit), q, g.said(v.Unit)); msg != "" {
			g.fault(g.file, line, "%v %s %s", value, unit, msg)
		}
	}
}

// config notes the keys of the file: those that have another value than before, under
// which the same benchmark is not the same.
func (g *goReader) config(rec *benchfmt.Result) {
	for _, c := range rec.Config {
		if c.Key == "pkg" { // packages are told apart
			continue
		}
		switch first, seen := g.keys[c.Key]; {
		case !seen:
			g.keys[c.Key] = string(c.Value)
		case first != string(c.Value) && !slices.Contains(g.changed, c.Key):
			g.changed = append(g.changed, c.Key)
		}
	}
}

// benchmark returns the benchmark of a line. Two packages may have one of the same name.
func (g *goReader) benchmark(rec *benchfmt.Result) *benchmark {
	var pkg []byte
	if i, ok := rec.ConfigIndex("pkg"); ok {
		pkg = rec.Config[i].Value
	}
	names := g.packages[string(pkg)]
	if names == nil {
		names = map[string]*benchmark{}
		g.packages[string(pkg)] = names
	}
	b := names[string(rec.Name)]
	if b == nil {
		b = &benchmark{pkg: string(pkg), WorkloadResult: perf.WorkloadResult{Name: strings.ToValidUTF8(string(rec.Name), "\ufffd"), State: perf.StateOK}}
		names[string(rec.Name)] = b
		g.order = append(g.order, b)
	}
	return b
}

// said is the direction that a line "Unit … better=…" has given to a unit.
func (g *goReader) said(unit string) perf.Better {
	if m := g.units.Get(unit, "better"); m != nil {
		if b := perf.Better(m.Value); b == perf.Lower || b == perf.Higher {
			return b
		}
	}
	return ""
}

// done turns what was collected into a run.
func (g *goReader) done() {
	run := g.run()
	run.Machine, run.Commit = perf.Machine{OS: g.keys["goos"], Arch: g.keys["goarch"], CPU: g.keys["cpu"]}, g.keys["commit"]
	if len(g.changed) > 0 {
		run.Warnings = append(run.Warnings, perf.Warning{Kind: perf.WarnEnvironment, Text: fmt.Sprintf("within the file the value of %s changes, and samples of all values are joined: import them by themselves", strings.Join(g.changed, ", "))})
	}
	if g.lines == 0 && len(g.Faults) == 0 {
		g.fault(g.file, 0, "there is no benchmark result in it, and it is none of: the output of go test -bench, hyperfine --export-json, github-action-benchmark's JSON or data.js, Bencher Metric Format; of Criterion, name the folder target/criterion")
	}
	if len(run.Workloads) > 0 {
		g.Runs = []Run{run}
	}
}

// maxLine is the longest line that is read: benchfmt's scanner ends at 64 KiB, and one
// such line would end the file.
const maxLine = 60 << 10

// A lineReader passes lines on to benchfmt: what is too long for it as an empty line, so
// that the numbers of the lines stay what they are. It looks for the lines by which go
// test says that a benchmark failed.
type lineReader struct {
	r     *bufio.Reader
	fault func(line int, format string, args ...any)
	line  int
	rest  []byte // of the current line
	err   error  // of r, if it is not its end
	ended bool
}

// Read implements io.Reader.
func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		if l.ended {
			return 0, io.EOF
		}
		l.next()
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// next reads a line.
func (l *lineReader) next() {
	l.line++
	text, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		if isResult := bytes.HasPrefix(text, []byte("Benchmark")); isResult {
			l.fault(l.line, "the line is longer than %d bytes; it is left out", maxLine)
		}
		text = []byte("\n")
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.r.ReadSlice('\n')
		}
	}
	if l.ended = err != nil; l.ended && !errors.Is(err, io.EOF) {
		l.err = err
	}
	for _, prefix := range failures {
		if bytes.HasPrefix(text, prefix) {
			l.fault(l.line, "go test reports a failure, so results may be missing: %s", bytes.TrimRight(text, "\r\n"))
		}
	}
	l.rest = text
}

// failures begin the lines by which go test says that something failed.
var failures = [][]byte{[]byte("--- FAIL: "), []byte("panic: "), []byte("FAIL\t")}
