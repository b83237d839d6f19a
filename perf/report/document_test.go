package report

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/benchio"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

var gate = experiment.Policy{Gate: true}

// comparedRun is a run against a baseline, with one comparison of every verdict.
func comparedRun() *perf.Result {
	r := goodRun()
	arm := func(ref string, n int, center float64) perf.Arm {
		return perf.Arm{Ref: ref, Samples: slices.Repeat(perf.Sample{center}, n), Center: &center}
	}
	one := func(workload string, m perf.Metric, old, now float64, verdict perf.Verdict, reason string) perf.Comparison {
		ratio, low, high := now/old, now/old*0.98, now/old*1.02
		return perf.Comparison{
			Workload: workload, Metric: m.Name, Unit: m.Unit, Better: m.Better, Gate: m == perf.Wall || m == perf.PeakMemory, Design: perf.Unpaired,
			Old: arm("main", 30, old), New: arm("run", 30, now), Verdict: verdict, Alpha: 0.01, MinEffect: 0.2, Ratio: &ratio, Low: &low, High: &high, Reason: reason,
		}
	}
	r.Comparisons = []perf.Comparison{
		one("cli startup", perf.Wall, 0.002, 0.0031, perf.Slower, "the whole interval is slower by more than 20 %"),
		one("test suite", perf.Wall, 5, 5.01, perf.NoChange, ""),
		one("self-test", perf.Wall, 0.4, 0.2, perf.Faster, ""),
		one("self-test", perf.PeakMemory, 25e6, 27e6, perf.VerdictUnsure, "the interval reaches from faster to slower"),
		one("validate", perf.Wall, 0.02, 0.02, perf.Invalid, "the baseline has no wall for validate: save a new one"),
		one("cli startup", perf.CPU, 0.001, 0.0012, perf.Slower, ""),
	}
	r.Workloads[1].Source = perf.Source{File: "cmd/clnrm/main_test.go", Line: 42}
	r.Exit = perf.ExitGate
	return r
}

var documents = map[string]Document{
	"good":     {Result: goodRun(), Policy: gate},
	"bad":      {Result: badRun(), Policy: gate},
	"report":   {Result: badRun()},
	"compared": {Result: comparedRun(), Policy: gate, Compared: true},
	"paired":   {Result: warned(suiteRun()), Policy: gate, Compared: true},
	"empty":    {Result: emptyRun(), Policy: gate},
	"scaling":  {Result: scalingRun()},
}

// warned is a run of whose first workload something is to be told.
func warned(r *perf.Result) *perf.Result {
	r.Workloads[0].Warnings = []perf.Warning{{Kind: perf.WarnContention, Text: "the command waited for a CPU 12 % of its time"}}
	return r
}

// formats are those of a document.
var formats = map[string]func(Document, io.Writer) error{
	"md": Document.Markdown, "xml": Document.JUnit, "annotations": Document.Annotations,
}

func TestDocuments(t *testing.T) {
	for name, d := range documents {
		for format, write := range formats {
			var buf bytes.Buffer
			if err := write(d, &buf); err != nil {
				t.Fatal(err)
			}
			checkGolden(t, "document_"+name+"."+format+".golden", buf.Bytes())
			if format == "xml" {
				checkJUnit(t, buf.Bytes())
			}
		}
	}
}

// A failing disk must not pass for a report.
func TestDocumentsReportErrors(t *testing.T) {
	for name, d := range documents {
		for format, write := range formats {
			if (name == "good" || name == "empty") && format == "annotations" {
				continue // it says nothing
			}
			if err := write(d, brokenWriter{}); err == nil {
				t.Errorf("%s as %s: the error of writing is lost", name, format)
			}
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left") }

// wicked is what a name may do to the formats: it is HTML, Markdown, a command of the
// shell and of GitHub, XML, an escape sequence and a mention, in one.
const wicked = "<script>alert('1')</script> ]]> &amp; \"q\" **b** _i_ `c` [l](http://x.y) ![i](z) https://e.com www.e.com a|b @octocat #1 $(rm -rf /) ; ~~s~~ \x1b[31mred\x1b[0m %0A::error::x"

// wickedText is how it reads.
var wickedText = clean(wicked)

// wickedDocument has the name wherever a reader is shown one.
func wickedDocument(compared bool) Document {
	r := comparedRun()
	r.Suite, r.Subject.Name = wicked, wicked
	r.Workloads[1].Name, r.Workloads[1].Source.File = wicked, wicked
	r.Objectives[1].Name, r.Objectives[1].Workload = wicked, wicked
	r.Objectives[1].State, r.Objectives[1].Reason = perf.Breached, "::error::"+wicked+"\n::stop-commands::x\n```\n# head\n</details>"
	r.Comparisons[0].Workload, r.Comparisons[0].Reason = wicked, wicked
	r.Workloads[3].Warnings = []perf.Warning{{Kind: perf.WarnSubject, Text: wicked}}
	r.Workloads[2].Metrics[0].Name = wicked
	return Document{Result: r, Policy: gate, Compared: compared}
}

// TestWickedName sends one name through every format.
func TestWickedName(t *testing.T) {
	for _, compared := range []bool{false, true} {
		d := wickedDocument(compared)
		for format, write := range formats {
			var buf bytes.Buffer
			if err := write(d, &buf); err != nil {
				t.Fatal(err)
			}
			switch format {
			case "md":
				checkMarkdown(t, buf.Bytes())
			case "xml":
				checkJUnit(t, buf.Bytes())
				if !junitHas(t, buf.Bytes(), wickedText) {
					t.Errorf("JUnit has no case of the name:\n%s", buf.String())
				}
			case "annotations":
				checkCommands(t, buf.String())
			}
			if strings.Contains(buf.String(), "\x1b") {
				t.Errorf("%s holds an escape sequence", format)
			}
		}
		checkTerminal(t, d)
	}
	checkJSON(t, wickedDocument(false).Result)
	alone := *wickedDocument(false).Result
	alone.Comparisons = nil
	checkBench(t, &alone, len(alone.Workloads))
	checkBench(t, wickedDocument(true).Result, 5) // workloads that were compared
}

// checkTerminal looks for what GitHub's runner would take for a command in the text.
func checkTerminal(t *testing.T, d Document) {
	t.Helper()
	var buf bytes.Buffer
	if err := Result(&buf, d.Result, Style{}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(buf.String()) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Errorf("a line of the text is a workflow command: %q", line)
		}
	}
	checkText(t, "wicked", buf.String())
}

func checkJSON(t *testing.T, r *perf.Result) {
	t.Helper()
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := perf.DecodeResult(data, "wicked")
	if err != nil {
		t.Fatal(err)
	}
	if back.Workloads[1].Name != wicked {
		t.Errorf("JSON gives the name back as %q", back.Workloads[1].Name)
	}
}

func checkBench(t *testing.T, r *perf.Result, workloads int) {
	t.Helper()
	var buf bytes.Buffer
	if err := benchio.WriteGo(&buf, r); err != nil {
		t.Fatal(err)
	}
	im, err := benchio.Read(&buf, "wicked", benchio.Options{})
	if err != nil || len(im.Faults) > 0 || len(im.Runs) != 1 || len(im.Runs[0].Workloads) != workloads {
		t.Errorf("the Go benchmark format of the name cannot be read: %v %+v", err, im.Faults)
	}
	for _, write := range []func(io.Writer, *perf.Result) error{benchio.WriteBencher, benchio.WriteHyperfine} {
		buf.Reset()
		if err := write(&buf, r); err != nil {
			t.Fatal(err)
		}
		im, err := benchio.Read(&buf, "wicked", benchio.Options{})
		if err != nil || len(im.Faults) > 0 || len(im.Runs) != 1 {
			t.Fatalf("it cannot be read: %v %+v", err, im)
		}
		if !slices.ContainsFunc(im.Runs[0].Workloads, func(w perf.WorkloadResult) bool { return w.Name == wicked }) {
			t.Error("the name does not come back")
		}
	}
}

// checkMarkdown parses the text as GitHub does and looks at what is in it: no link, image
// or emphasis but our own, no HTML but our own, and the name as text.
func checkMarkdown(t *testing.T, source []byte) {
	t.Helper()
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	var cells []string
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link, *ast.Image, *ast.AutoLink, *ast.CodeSpan, *east.Strikethrough:
			t.Errorf("foreign text became a %s: %s", n.Kind(), plainText(n, source))
		case *ast.Emphasis:
			if n.Level != 2 || !slices.Contains(append(states, "SLOWER", "FASTER"), strings.TrimSpace(plainText(n, source))) {
				t.Errorf("foreign text became emphasis: %s", plainText(n, source))
			}
		case *ast.HTMLBlock, *ast.RawHTML:
			if html := htmlOf(n, source); !ownHTML.MatchString(html) {
				t.Errorf("foreign HTML: %q", html)
			}
		case *ast.Heading:
			if n.Level != 3 {
				t.Errorf("foreign text became a heading: %s", plainText(n, source))
			}
		case *east.TableCell:
			cells = append(cells, plainText(n, source))
		case *east.TableRow:
			if n.ChildCount() != 7 {
				t.Errorf("a row of %d cells: %s", n.ChildCount(), plainText(n, source))
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := shorten(shorten(wickedText, maxName)+" wall *", maxText)
	if !slices.Contains(cells, want) && !slices.Contains(cells, shorten(wickedText, maxName)) {
		t.Errorf("no cell reads %q:\n%q", want, cells)
	}
}

// ownHTML is what Markdown may hold of HTML.
var ownHTML = regexp.MustCompile(`^(\s|<details><summary>\d+ (other metrics?|warnings?)</summary>|</details>|<span>|</span>)*$`)

func htmlOf(n ast.Node, source []byte) string {
	if raw, ok := n.(*ast.RawHTML); ok {
		return string(raw.Segments.Value(source))
	}
	return string(n.Lines().Value(source))
}

// plainText is what a reader sees of a node.
func plainText(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if s, ok := n.(*ast.Text); ok && entering {
			b.WriteString(unescaped(string(s.Segment.Value(source))))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// unescaped undoes what is only in the source of Markdown.
func unescaped(s string) string {
	s = regexp.MustCompile(`\\([!-/:-@\[-`+"`"+`{-~])`).ReplaceAllString(s, "$1")
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// checkCommands reads lines as the runner does (ActionCommand.TryParseV2): "::name
// key=value,…::message", and undoes the escapes.
func checkCommands(t *testing.T, lines string) {
	t.Helper()
	count, found := map[string]int{}, false
	for line := range strings.Lines(lines) {
		m := command.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			t.Errorf("not a workflow command: %q", line)
			continue
		}
		count[m[1]]++
		for property := range strings.SplitSeq(m[2], ",") {
			key, value, ok := strings.Cut(property, "=")
			if !ok || !slices.Contains([]string{"file", "line", "title"}, key) {
				t.Errorf("the property %q of %q", property, line)
			}
			value = unescapedCommand(value)
			found = found || key == "title" && strings.HasPrefix(value, wickedText[:20])
		}
		if message := unescapedCommand(m[3]); len(message) > MaxAnnotationMessage || !utf8.ValidString(message) {
			t.Errorf("a message of %d bytes, or no UTF-8", len(message))
		}
	}
	for severity, n := range count {
		if n > MaxAnnotations {
			t.Errorf("%d annotations of severity %s", n, severity)
		}
	}
	if !found {
		t.Errorf("no annotation has the name:\n%s", lines)
	}
}

var command = regexp.MustCompile(`^::(error|warning) ([^:]*)::(.*)$`)

func unescapedCommand(s string) string {
	return strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%").Replace(s)
}

// A hundred failures give ten annotations of each severity, the worst first.
func TestAnnotationsAreBounded(t *testing.T) {
	d := Document{Result: emptyRun(), Policy: gate}
	d.Result.Exit = perf.ExitGate
	for i := range 100 {
		o := objective(fmt.Sprintf("objective %d", i), 1, 2)
		d.Result.Objectives = append(d.Result.Objectives, unmeasured(o, strings.Repeat("日本語 ", 3000)))
	}
	d.Result.Objectives[99] = judged(objective("the worst", 1, 2), perf.Breached, 10, 3, 4, 5, "")
	for range 20 {
		d.Result.Objectives = append(d.Result.Objectives, judged(objective("undecided", 1, 2), perf.Undecided, 10, 0.5, 1, 1.5, ""))
	}
	var buf bytes.Buffer
	if err := d.Annotations(&buf); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(buf.String()), "\n")
	if len(lines) != 2*MaxAnnotations {
		t.Errorf("%d annotations", len(lines))
	}
	if !strings.Contains(lines[0], "the worst") || !strings.Contains(lines[9], "and 91 more") || !strings.HasPrefix(lines[10], "::warning") {
		t.Errorf("the first is %q, the tenth %q", lines[0], lines[9])
	}
	for _, line := range lines {
		if message := unescapedCommand(command.FindStringSubmatch(line)[3]); len(message) > MaxAnnotationMessage || !utf8.ValidString(message) {
			t.Errorf("a message of %d bytes", len(message))
		}
	}
}

// A summary that has no room is a shorter one, and one that has none at all is empty.
func TestSummaryFits(t *testing.T) {
	d := Document{Result: emptyRun(), Policy: gate}
	for i := range 500 {
		// Each & becomes five bytes: pages beyond the limit, without a million words to escape.
		d.Result.Objectives = append(d.Result.Objectives, unmeasured(objective(fmt.Sprintf("objective %d", i), 1, 2), strings.Repeat("&", 600)))
	}
	whole, err := d.Summary(SummaryLimit * 10)
	if err != nil || !strings.Contains(whole, "objective 499") {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	for _, room := range []int{SummaryLimit, 10_000, 1000, 10, 0} {
		short, err := d.Summary(room)
		if err != nil || len(short) > room {
			t.Errorf("%d bytes in %d: %v", len(short), room, err)
		}
		if room >= 1000 && !strings.Contains(short, "too long") {
			t.Errorf("%d bytes do not say that something is missing", room)
		}
		if complete := strings.Contains(short, "objective 499"); room >= 1000 && complete == strings.Contains(short, "\n- and ") {
			t.Errorf("%d bytes list all: %v, and say that there is more", room, complete)
		}
	}
}

// Two metrics of one name stay two cases: readers take cases of one name for tries of
// one test.
func TestJUnitNamesAreUnique(t *testing.T) {
	r := goodRun()
	r.Objectives = append(r.Objectives, r.Objectives[1], r.Objectives[1])
	var buf bytes.Buffer
	if err := (Document{Result: r}).JUnit(&buf); err != nil {
		t.Fatal(err)
	}
	checkJUnit(t, buf.Bytes())
}

func TestSourceOfAFailure(t *testing.T) {
	for reason, want := range map[string]perf.Source{
		"./main.go:3:15: undefined: greet":                         {File: "main.go", Line: 3},
		"error[E0425]: cannot find value `x`\n --> src/lib.rs:7:5": {File: "src/lib.rs", Line: 7},
		"/usr/include/stdio.h:3: no\nsub/a.c:9: yes":               {File: "sub/a.c", Line: 9},
		"connection refused: example.com:80":                       {},
		"panicked at src/main.rs:99999999999999999999:1":           {},
	} {
		w := perf.WorkloadResult{State: perf.StateFailed, Reason: reason}
		if got := sourceOf(&w); got != want {
			t.Errorf("%q: %+v, want %+v", reason, got, want)
		}
	}
}
