package targets_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// writeText writes a file in dir, and returns its name.
func writeText(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// goOutput is what go test -bench prints of 20 runs of about ns nanoseconds.
func goOutput(ns int) string {
	text := "goos: linux\ncpu: some other CPU\npkg: example.com/codec\n"
	for i := range 20 {
		text += fmt.Sprintf("BenchmarkEncode/json-8 \t 1000 \t %d ns/op \t 64 B/op\n", ns+i%5)
	}
	return text + "PASS\n"
}

// A file becomes a run, the run a baseline, and another file is gated by it.
func TestImportGates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, dir, "codec/codec_test.go", "package codec\n\nimport \"testing\"\n\nfunc BenchmarkEncode(b *testing.B) {}\n")
	writeText(t, dir, "old.txt", goOutput(1000))
	writeText(t, dir, "same.txt", goOutput(1001))
	writeText(t, dir, "slow.txt", goOutput(1900))
	call(t, dir, nil, "import", "old.txt").want(t, 0, "Encode/json-8 sec/op", "1.00 µs", "B/op", "some other CPU")
	call(t, dir, nil, "baseline:save", "main", "-suite=import").want(t, 0, filepath.Join("baselines", "import"))
	call(t, dir, nil, "import", "same.txt").want(t, 0)
	call(t, dir, nil, "baseline:compare", "main", "-suite=import", "-gate").want(t, 0, "NO CHANGE")
	call(t, dir, nil, "import", "slow.txt").want(t, 0)
	call(t, dir, nil, "baseline:compare", "main", "-suite=import", "-gate", "-report=junit=c.xml").want(t, perf.ExitGate, "Encode/json-8 sec/op is SLOWER")
	if xml := readText(t, filepath.Join(dir, "c.xml")); !strings.Contains(xml, `file="codec/codec_test.go" line="5"`) {
		t.Errorf("the report does not say where the benchmark stands:\n%s", xml)
	}
	call(t, dir, nil, "baseline:list", "-suite=import").want(t, 0, "main")
	call(t, dir, nil, "baseline:show", "main", "-suite=import").want(t, 0, "Encode/json-8")
}

// What cannot be read is told with its place, the rest is read, the end is 1, and the
// run is no baseline.
func TestImportOfABadFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, dir, "bad.txt", "BenchmarkGood-2 1 5 ns/op\r\nBenchmarkBad-2 x\r\n")
	writeText(t, dir, "h.json", "{\"results\": [\n{\"command\": \"a\", \"times\": [1, null]}]}\n")
	o := call(t, dir, nil, "import", "bad.txt,h.json", "-json")
	o.want(t, 1, "bad.txt:2: parsing iteration count", "h.json:2: results[0].times[1]: found a null", "2 places")
	r := o.decoded(t)
	if len(r.Workloads) != 2 || r.Complete || r.Exit != 1 || len(r.Warnings) != 2 {
		t.Errorf("%d workloads, complete %v, exit %d, warnings %v", len(r.Workloads), r.Complete, r.Exit, r.Warnings)
	}
	call(t, dir, nil, "baseline:save", "main", "-suite=import").want(t, 1)
	writeText(t, dir, "one.json", `{"results": [{"command": "a", "times": [1, null]}]}`)
	call(t, dir, nil, "import", "one.json").want(t, 1, "1 place in what was imported")
	writeText(t, dir, "bad.txt", strings.Repeat("BenchmarkBad x\n", 2000))
	if o := call(t, dir, nil, "import", "bad.txt"); o.status != 1 || strings.Count(o.stderr, "bad.txt:") != 20 || !strings.Contains(o.stderr, "and 1980 more") {
		t.Errorf("exit status %d of 2000 faults:\n%s", o.status, o.stderr)
	}
	writeText(t, dir, "empty.txt", "")
	call(t, dir, nil, "import", "empty.txt").want(t, 1, "no benchmark result", "Nothing was measured")
}

// A key that no version of the tool has is told with its place and ends with 1. All that
// is known was read, so that the run is whole.
func TestImportOfUnknownKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, dir, "new.json", "{\"results\": [\n{\"command\": \"a\", \"times\": [1, 2],\n\"energy\": 7}]}\n")
	o := call(t, dir, nil, "import", "new.json", "-json")
	o.want(t, 1, "new.json:3: results[0].energy: the key is unknown here", "1 unknown key", "kept as a run")
	if r := o.decoded(t); !r.Complete || r.Exit != 1 || len(r.Warnings) != 1 || len(r.Workloads) != 1 {
		t.Errorf("complete %v, exit %d, warnings %v, %d workloads", r.Complete, r.Exit, r.Warnings, len(r.Workloads))
	}
	call(t, dir, nil, "baseline:save", "main", "-suite=import").want(t, 0)
}

// What a tool made of its own samples is kept and shown, and gates nothing.
func TestImportOfEstimates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, times, mean string) {
		writeText(t, dir, name, `{"results": [{"command": "a", "mean": `+mean+`, "stddev": 0.1, "times": [`+times+`]}]}`)
	}
	times := strings.Repeat("1, 1.01, 0.99, ", 10) + "1"
	file("old.json", times, "1")
	file("new.json", times, "2")
	call(t, dir, nil, "import", "old.json").want(t, 0, "a wall mean", "a wall stddev")
	call(t, dir, nil, "baseline:save", "main", "-suite=import").want(t, 0)
	call(t, dir, nil, "import", "new.json").want(t, 0)
	o := call(t, dir, nil, "baseline:compare", "main", "-suite=import", "-gate", "-strict", "-json")
	o.want(t, 0)
	for _, c := range o.decoded(t).Comparisons {
		if estimate := c.Metric != "wall"; c.Gate == estimate {
			t.Errorf("%s gates: %v", c.Metric, c.Gate)
		}
	}
}

// Several files are one run, of a history the newest commit or the one that is named.
func TestImportJoins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, dir, "a.txt", "BenchmarkX-2 1 5 ns/op\nBenchmarkX-2 1 6 ns/op\n")
	writeText(t, dir, "b.txt", "BenchmarkX-2 1 7 ns/op 3 things\n")
	r := call(t, dir, nil, "import", "a.txt,b.txt", "-better=things=higher", "-suite=mine", "-json").decoded(t)
	s, _ := r.Workload("X-2").Series("sec/op")
	things, _ := r.Workload("X-2").Series("things")
	if len(s.Samples) != 3 || s.Samples[2] != 7e-9 || s.OrigUnit != "ns/op" || things.Better != perf.Higher || r.Suite != "mine" {
		t.Errorf("samples %v from %s, things %+v, suite %s", s.Samples, s.OrigUnit, things, r.Suite)
	}
	if s.Summary == nil || s.Summary.Center != 6e-9 {
		t.Errorf("summary %+v", s.Summary)
	}
	for _, f := range []string{"history/data.js", "custom/mixed.json", "bencher/two.json", "hyperfine/scan.json"} {
		text := readText(t, filepath.Join("..", "benchio", "testdata", filepath.FromSlash(f)))
		writeText(t, dir, filepath.Base(f), text)
		call(t, dir, nil, "import", filepath.Base(f)).want(t, 0)
	}
	call(t, dir, nil, "import", "data.js").want(t, 0, "2 commits", "222222222222", "2025-10-09")
	call(t, dir, nil, "import", "data.js", "-commit=1111").want(t, 0, "325 ns/op")
	call(t, dir, nil, "import", "data.js", "-commit=abcd").want(t, perf.ExitUsage, "abcd")
}

// target/criterion is found in target, too.
func TestImportOfCriterion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "target", "criterion"), os.DirFS("../benchio/testdata/criterion/tree")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"target", "target/criterion"} {
		call(t, dir, nil, "import", path).want(t, 0, "enc/json sec/op", "fib 20 sec/op", "26.0 µs/op")
	}
}

func TestImportUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, dir, "a.txt", "BenchmarkX 1 5 ns/op\n")
	for _, tc := range [][]string{
		{"import", "no-such-file"}, {"import", ""}, {"import", "a.txt", "-better=things"}, {"import", "a.txt", "-better=things=more"},
		{"import", "a.txt", "-suite=../x"}, {"import", "a.txt", "-report=x"},
	} {
		call(t, dir, nil, tc...).want(t, perf.ExitUsage)
	}
	if len(results(t, dir)) > 0 {
		t.Error("a call that makes no sense has left a result")
	}
}
