package benchio

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

var update = flag.Bool("update", false, "write the golden files")

// dump is a stable text of all that was read.
func dump(im *Import) string {
	var b strings.Builder
	fmt.Fprintf(&b, "format %s\n", im.Format)
	for _, r := range im.Runs {
		fmt.Fprintf(&b, "run commit %q created %s machine %q %q %q\n", r.Commit, r.Created.Format("2006-01-02"), r.Machine.OS, r.Machine.Arch, r.Machine.CPU)
		for _, w := range r.Workloads {
			fmt.Fprintf(&b, "  %q %s %q\n", w.Name, w.State, w.Command)
			for _, m := range w.Metrics {
				fmt.Fprintf(&b, "    %s in %s (from %q), %s is better: %v", m.Name, m.Unit, m.OrigUnit, m.Better, m.Samples)
				if low, high, ok := bounds(m); ok {
					fmt.Fprintf(&b, " stated as %v to %v", low, high)
				}
				b.WriteByte('\n')
			}
			for _, w := range w.Warnings {
				fmt.Fprintf(&b, "    warning: %s\n", w.Text)
			}
		}
		for _, w := range r.Warnings {
			fmt.Fprintf(&b, "  warning: %s\n", w.Text)
		}
	}
	for _, f := range im.Faults {
		fmt.Fprintf(&b, "fault %s\n", f)
	}
	for _, f := range im.UnknownKeys {
		fmt.Fprintf(&b, "unknown %s\n", f)
	}
	return b.String()
}

func checkGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s is not what was written (-update accepts it):\n%s", path, got)
	}
}

func readFile(t testing.TB, file string) *Import {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	im, err := Read(bytes.NewReader(data), filepath.Base(file), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// files are the inputs of testdata: one folder a format, the bad ones named by what is
// wrong with them.
func files(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/*/*.*")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range all {
		if filepath.Ext(f) != ".golden" && filepath.Base(filepath.Dir(f)) != "written" {
			out = append(out, f)
		}
	}
	if len(out) < 15 {
		t.Fatalf("testdata holds %d inputs", len(out))
	}
	return out
}

func TestRead(t *testing.T) {
	for _, file := range files(t) {
		t.Run(filepath.ToSlash(file), func(t *testing.T) {
			im := readFile(t, file)
			checkGolden(t, file+".golden", dump(im))
			if strings.Contains(file, "bad") && len(im.Faults) == 0 {
				t.Error("a bad file has no fault")
			}
			checkImport(t, im)
		})
	}
}

// checkImport holds what is true of everything that was read.
func checkImport(t *testing.T, im *Import) {
	t.Helper()
	for _, r := range im.Runs {
		if err := resultOf(r).CheckValid(); err != nil {
			t.Errorf("what was read makes no valid result: %v", err)
		}
		for _, w := range r.Workloads {
			if len(w.Metrics) == 0 {
				t.Errorf("%q has no metric", w.Name)
			}
			for _, m := range w.Metrics {
				if len(m.Samples) == 0 {
					t.Errorf("%q %s has no value", w.Name, m.Name)
				}
			}
		}
	}
	if len(im.Runs) == 0 && len(im.Faults) == 0 {
		t.Error("neither a result nor a fault")
	}
	if len(im.Faults) > MaxFaults || len(im.UnknownKeys) > MaxFaults {
		t.Errorf("%d faults, more than %d", len(im.Faults), MaxFaults)
	}
}

// resultOf is a result with the workloads of a run, as an importer makes it.
func resultOf(r Run) *perf.Result {
	return &perf.Result{
		Schema: perf.Schema, ID: "id", Suite: "import", Mode: perf.ModeImport, Created: when, Complete: true,
		Subject: perf.Subject{Commit: r.Commit}, Workloads: r.Workloads,
		Machine: perf.Machine{Fingerprint: "f", OS: r.Machine.OS, Arch: r.Machine.Arch, CPU: r.Machine.CPU},
	}
}

func TestReadCriterion(t *testing.T) {
	for _, dir := range []string{"tree", "bad", "unknown", "none"} {
		im, err := ReadCriterion(os.DirFS(filepath.Join("testdata/criterion", dir)), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, "testdata/criterion/"+dir+".golden", dump(im))
		checkImport(t, im)
	}
	if _, err := ReadCriterion(os.DirFS("testdata/no-such-folder"), "no-such-folder", Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// The user's word on a unit wins over the file's and over what the unit tells.
func TestBetter(t *testing.T) {
	o := Options{Better: map[string]perf.Better{"score": perf.Lower, "ns/op": perf.Higher, "things": perf.Higher}}
	im, err := Read(strings.NewReader("Unit score better=higher\nBenchmarkX 1 1 ns/op 2 score 3 things 4 B/op\n"), "x", o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]perf.Better{"sec/op": perf.Higher, "score": perf.Lower, "things": perf.Higher, "B/op": perf.Lower}
	for _, m := range im.Runs[0].Workloads[0].Metrics {
		if m.Better != want[m.Name] {
			t.Errorf("%s: %s is better, want %s", m.Name, m.Better, want[m.Name])
		}
	}
	if w := im.Runs[0].Warnings; len(w) > 0 {
		t.Errorf("warnings %v, though every direction was said", w)
	}
}

func TestUnits(t *testing.T) {
	for _, tc := range []struct {
		value  float64
		unit   string
		want   float64
		base   perf.Unit
		better perf.Better
		known  bool
	}{
		{5, "ns/op", 5e-9, "sec/op", perf.Lower, true},
		{5, "ms", 5e-3, "sec", perf.Lower, true},
		{5, "µs/iter", 5e-6, "sec/iter", perf.Lower, true},
		{0, "ns/op", 0, "sec/op", perf.Lower, true},
		{5, "MB/s", 5e6, "B/sec", perf.Higher, true},
		{5, "GiB/s", 5 << 30, "B/sec", perf.Higher, true},
		{5, "ops/sec", 5, "ops/sec", perf.Higher, true},
		{5, "iter/s", 5, "iter/sec", perf.Higher, true},
		{2, "p99-ns", 2e-9, "p99-sec", perf.Lower, true},
		{2, "peak-RSS-bytes", 2, "peak-RSS-bytes", perf.Lower, true},
		{2, "KiB", 2048, "B", perf.Lower, true},
		{2, "allocs/op", 2, "allocs/op", perf.Lower, true},
		{2, "instructions", 2, "instructions", perf.Lower, true},
		{2, "fps", 2, "fps", perf.Higher, true},
		{2, "score", 2, "score", perf.Lower, false},
		{2, "%", 2, "%", perf.Lower, false},
	} {
		got, base := tidy(tc.value, tc.unit)
		better, known := direction(base)
		if diff := got - tc.want; diff > 1e-9*tc.want || -diff > 1e-9*tc.want || base != tc.base || better != tc.better || known != tc.known {
			t.Errorf("%v %s is %v %s, %s is better (known %v); want %v %s, %s (%v)", tc.value, tc.unit, got, base, better, known, tc.want, tc.base, tc.better, tc.known)
		}
	}
}

func TestJoin(t *testing.T) {
	read := func(text string) Run {
		im, err := Read(strings.NewReader(text), "x", Options{})
		if err != nil || len(im.Runs) != 1 {
			t.Fatalf("%v, %v", im, err)
		}
		return im.Runs[0]
	}
	a, b := read("BenchmarkA 1 1 ns/op\nBenchmarkA 1 2 ns/op\n"), read("BenchmarkA 1 3 ns/op 7 B/op\nBenchmarkB 1 4 ns/op\n")
	both, errs := Join(a, b)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if got, _ := both.Workloads[0].Series("sec/op"); len(got.Samples) != 3 || got.Samples[2] != b.Workloads[0].Metrics[0].Samples[0] {
		t.Errorf("joined %v", got.Samples)
	}
	if _, ok := both.Workloads[0].Series("B/op"); !ok || len(both.Workloads) != 2 {
		t.Errorf("something is missing: %+v", both.Workloads)
	}
	if len(a.Workloads) != 1 || len(a.Workloads[0].Metrics[0].Samples) != 2 {
		t.Error("joining has changed what was joined")
	}
	c := b
	c.Workloads = []perf.WorkloadResult{{Name: "A", Metrics: []perf.Series{{Metric: perf.Metric{Name: "sec/op", Unit: "B", Better: perf.Lower}, Samples: perf.Sample{1}}}}}
	if _, errs := Join(a, c); len(errs) != 1 || !strings.Contains(errs[0].Error(), `"A"`) {
		t.Errorf("another unit: %v", errs)
	}
}

// failing fails after a part of the text.
type failing struct{ text io.Reader }

var errDisk = errors.New("the disk is gone")

func (f failing) Read(p []byte) (int, error) {
	n, err := f.text.Read(p)
	if errors.Is(err, io.EOF) {
		err = errDisk
	}
	return n, err
}

func TestReadErrors(t *testing.T) {
	for _, text := range []string{"", "BenchmarkA 1 2 ns/op\n", `{"results": [`, "\xff\xfea\x00"} {
		if _, err := Read(failing{strings.NewReader(text)}, "f.txt", Options{}); !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "f.txt") {
			t.Errorf("%q: error %v, want that of the reader with the file's name", text, err)
		}
	}
}

// Faults are bounded, and the rest of a long file is read.
func TestManyFaults(t *testing.T) {
	text := strings.Repeat("BenchmarkBad x\n", MaxFaults+5) + "BenchmarkGood 1 1 ns/op\n"
	im, err := Read(strings.NewReader(text), "x", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(im.Faults) != MaxFaults || im.MoreFaults != 5 || len(im.Runs) != 1 {
		t.Errorf("%d faults and %d more, %d runs", len(im.Faults), im.MoreFaults, len(im.Runs))
	}
}

func TestMillionLines(t *testing.T) {
	const n = 1_000_000
	if testing.Short() {
		t.Skip("reads a million lines; left out by -short")
	}
	im, err := Read(&lines{n: n, text: []byte("BenchmarkEncode/format=json-8 714387 1423 ns/op 64 B/op\r\n")}, "x", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(im.Runs[0].Workloads[0].Metrics[0].Samples); got != n {
		t.Errorf("%d samples of %d lines", got, n)
	}
	const perValue = 4 // lines, as a program writes indented JSON
	list := &lines{n: n / perValue, head: "[\n", text: []byte("{\"name\": \"a\",\n\"value\": 1,\n\"unit\": \"ns\"\n},\n"), tail: "{\"name\": \"a\", \"value\": null, \"unit\": \"ns\"}]\n"}
	if im, err = Read(list, "x", Options{}); err != nil {
		t.Fatal(err)
	}
	if got := len(im.Runs[0].Workloads[0].Metrics[0].Samples); got != n/perValue || len(im.Faults) != 1 || im.Faults[0].Line != n+2 {
		t.Errorf("%d samples of %d values, faults %v", got, n/perValue, im.Faults)
	}
}

// lines is a text of n equal lines between a head and a tail.
type lines struct {
	n          int
	head, tail string
	text, rest []byte
	started    bool
}

func (l *lines) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		switch {
		case !l.started:
			l.rest, l.started = []byte(l.head+string(l.text)), true
			l.n--
		case l.n > 0:
			l.rest = l.text
			l.n--
		case l.tail != "":
			l.rest, l.tail = []byte(l.tail), ""
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}
