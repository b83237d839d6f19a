package benchio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

var when = time.Date(2026, 11, 23, 2, 3, 4, 0, time.UTC)

// measured is a result as the targets of this module make it.
func measured() *perf.Result {
	series := func(m perf.Metric, v ...float64) perf.Series { return perf.Series{Metric: m, Samples: v} }
	low, high := 0.0020, 0.0023
	startup := series(perf.Wall, 0.0021, 0.00205, 0.0022)
	startup.Summary = &perf.Summary{N: 3, Center: 0.0021, Low: &low, High: &high, Min: 0.00205, Max: 0.0022, Confidence: 0.9}
	return &perf.Result{
		Schema: perf.Schema, ID: "id", Suite: "cleanroom", Mode: "quick", Created: when, Complete: true,
		Subject: perf.Subject{Commit: "f50fa93"},
		Machine: perf.Machine{Fingerprint: "linux-amd64-2c-32g-0badcafe", OS: "linux", Arch: "amd64", CPU: "AMD EPYC 7B13", Cores: 2},
		Workloads: []perf.WorkloadResult{
			{Name: "cli startup", State: perf.StateOK, Metrics: []perf.Series{startup, series(perf.User, 0.001, 0.0011, 0.001), series(perf.PeakMemory, 4.5e6)}},
			{Name: "self-test", State: perf.StateOK, Metrics: []perf.Series{
				series(perf.Wall, 0.35, 0.36), series(perf.Metric{Name: "throughput", Unit: "tests/sec", Better: perf.Higher}, 94.2, 93.1), series(perf.PageFaults, 120, 121),
			}},
			{Name: "cli_startup", State: perf.StateOK, Metrics: []perf.Series{series(perf.Wall, 1)}},
			{Name: "broken", State: perf.StateFailed, Reason: "it broke"},
		},
	}
}

// writers are the formats that can be written, with a reader for what they write.
var writers = []struct {
	name  string
	write func(io.Writer, *perf.Result) error
}{
	{"go.txt", WriteGo},
	{"smaller.json", func(w io.Writer, r *perf.Result) error { return WriteCustom(w, r, perf.Lower) }},
	{"bigger.json", func(w io.Writer, r *perf.Result) error { return WriteCustom(w, r, perf.Higher) }},
	{"bencher.json", WriteBencher},
	{"hyperfine.json", WriteHyperfine},
}

func TestWrite(t *testing.T) {
	for _, f := range writers {
		var buf bytes.Buffer
		if err := f.write(&buf, measured()); err != nil {
			t.Fatal(err)
		}
		checkGolden(t, "testdata/written/"+f.name, buf.String())
		im, err := Read(&buf, f.name, Options{})
		if err != nil || len(im.Faults) > 0 || len(im.Runs) != 1 {
			t.Errorf("%s cannot be read again: %v %v", f.name, err, im)
		}
	}
	files, err := WriteCriterion(measured(), "new")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if !json.Valid(data) {
			t.Errorf("%s is not JSON", name)
		}
	}
	checkGolden(t, "testdata/written/criterion.json", string(files["cli-startup/new/sample.json"])+string(files["cli-startup/new/estimates.json"]))
}

// Reading a file, writing what was read in its format, and reading that gives the same:
// all values where the format holds values, their medians where it holds one number.
func TestRoundTrip(t *testing.T) {
	for _, tc := range []struct {
		file    string
		write   func(io.Writer, *perf.Result) error
		medians bool
	}{
		{"go/encode.txt", WriteGo, false},
		{"go/two-packages.txt", WriteGo, false},
		{"go/windows-bom-crlf.txt", WriteGo, false},
		{"hyperfine/scan.json", WriteHyperfine, false},
		{"bencher/two.json", WriteBencher, false},
		{"custom/mixed.json", writeBoth, true},
		{"history/data.js", writeBoth, true},
	} {
		t.Run(tc.file, func(t *testing.T) {
			first := readFile(t, "testdata/"+tc.file)
			run := first.Runs[len(first.Runs)-1]
			var buf bytes.Buffer
			if err := tc.write(&buf, resultOf(run)); err != nil {
				t.Fatal(err)
			}
			again, err := Read(&buf, tc.file, Options{})
			if err != nil || len(again.Faults) > 0 || len(again.Runs) != 1 {
				t.Fatalf("reading what was written: %v %v", err, again)
			}
			sameValues(t, run, again.Runs[0], tc.medians)
		})
	}
	t.Run("criterion", func(t *testing.T) {
		first, err := ReadCriterion(os.DirFS("testdata/criterion/tree"), "tree", Options{})
		if err != nil {
			t.Fatal(err)
		}
		files, err := WriteCriterion(resultOf(first.Runs[0]), newest)
		if err != nil {
			t.Fatal(err)
		}
		tree := fstest.MapFS{}
		for name, data := range files {
			tree[name] = &fstest.MapFile{Data: data}
		}
		again, err := ReadCriterion(tree, "again", Options{})
		if err != nil || len(again.Faults) > 0 {
			t.Fatalf("%v %v", err, again)
		}
		sameTimes(t, first.Runs[0], again.Runs[0])
	})
}

// writeBoth writes a file of github-action-benchmark in which both directions stand.
func writeBoth(w io.Writer, r *perf.Result) error {
	var list []json.RawMessage
	for _, better := range []perf.Better{perf.Lower, perf.Higher} {
		var buf bytes.Buffer
		if err := WriteCustom(&buf, r, better); err != nil {
			return err
		}
		var part []json.RawMessage
		if err := json.Unmarshal(buf.Bytes(), &part); err != nil {
			return err
		}
		list = append(list, part...)
	}
	return writeJSON(w, list)
}

// near reports whether two values differ by no more than a conversion of units does.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-14*math.Abs(a) }

func sameValues(t *testing.T, want, got Run, medians bool) {
	t.Helper()
	for _, w := range want.Workloads {
		g := resultOf(got).Workload(w.Name)
		if g == nil {
			t.Errorf("%q is gone", w.Name)
			continue
		}
		for _, m := range w.Metrics {
			s, ok := g.Series(m.Name)
			if !ok || s.Unit != m.Unit {
				t.Errorf("%q %s is gone, or in %s", w.Name, m.Name, s.Unit)
				continue
			}
			a, b := m.Samples, s.Samples
			if medians {
				a, b = perf.Sample{median(a)}, perf.Sample{median(b)}
			}
			if len(a) != len(b) {
				t.Errorf("%q %s: %d values, were %d", w.Name, m.Name, len(b), len(a))
				continue
			}
			for i := range a {
				if !near(a[i], b[i]) {
					t.Errorf("%q %s: value %d is %v, was %v", w.Name, m.Name, i, b[i], a[i])
				}
			}
		}
	}
}

// sameTimes compares what a tree of Criterion's holds for certain.
func sameTimes(t *testing.T, want, got Run) {
	t.Helper()
	for i := range want.Workloads {
		s, _ := want.Workloads[i].Series(string(PerIteration))
		want.Workloads[i].Metrics = []perf.Series{s}
	}
	sameValues(t, want, got, false)
}

// TestBenchstat holds what benchstat prints of our file against what we say.
func TestBenchstat(t *testing.T) {
	benchstat := testenv.Benchstat(t)
	file := filepath.Join(t.TempDir(), "new.txt")
	im := readFile(t, "testdata/go/encode.txt")
	r := resultOf(im.Runs[0])
	r.Workloads = append(r.Workloads, measured().Workloads...)
	var buf bytes.Buffer
	if err := WriteGo(&buf, r); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), benchstat, "-format=csv", file)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("benchstat: %v\n%s", err, stderr.String())
	}
	if strings.Contains(stderr.String(), file) {
		t.Errorf("benchstat complains of our file:\n%s", stderr.String())
	}
	found := benchstatMedians(string(out))
	n := 0
	filled(r.Workloads, func(w *perf.WorkloadResult, m perf.Series) {
		key := goName(w.Name) + " " + goUnit(m.Metric)
		if w.Name == "cli_startup" {
			key = goName(w.Name) + "#02 " + goUnit(m.Metric)
		}
		n++
		if got, ok := found[key]; !ok || !nearly(got, median(m.Samples)) {
			t.Errorf("%s: benchstat says %v (%v), and the median is %v", key, got, ok, median(m.Samples))
		}
	})
	if n < 15 {
		t.Errorf("only %d medians were compared", n)
	}
}

func nearly(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

// benchstatMedians reads the medians from benchstat's CSV: tables with a head of
// their unit.
func benchstatMedians(csv string) map[string]float64 {
	out := map[string]float64{}
	unit := ""
	for line := range strings.Lines(csv) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		var v float64
		switch {
		case len(cells) < 2:
		case cells[0] == "" && !strings.Contains(cells[1], ".txt"):
			unit = cells[1]
		case cells[0] != "geomean":
			if _, err := fmt.Sscan(cells[1], &v); err == nil {
				out[cells[0]+" "+unit] = v
			}
		}
	}
	return out
}

// A comparison is written with both its sides, which benchstat sets side by side.
func TestBenchstatOfAComparison(t *testing.T) {
	benchstat := testenv.Benchstat(t)
	r := measured()
	r.Workloads = []perf.WorkloadResult{{Name: "cli startup", State: perf.StateOK}}
	for _, m := range []perf.Metric{perf.Wall, perf.CPU} {
		r.Comparisons = append(r.Comparisons, perf.Comparison{
			Workload: "cli startup", Metric: m.Name, Unit: m.Unit, Better: m.Better, Design: perf.Paired, Verdict: perf.Slower,
			Old: perf.Arm{Samples: perf.Sample{0.002, 0.002, 0.002, 0.002}}, New: perf.Arm{Samples: perf.Sample{0.003, 0.003, 0.003, 0.003}},
		})
	}
	var buf bytes.Buffer
	if err := WriteGo(&buf, r); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "both.txt")
	if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), benchstat, "-col=arm", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "+50.00%") || !strings.Contains(string(out), "cpu-sec") {
		t.Errorf("benchstat: %v\n%s\n%s", err, out, buf.String())
	}
	buf.Reset()
	if err := WriteHyperfine(&buf, r); err != nil || !strings.Contains(buf.String(), "0.003") {
		t.Errorf("the new side is not in hyperfine's JSON: %v\n%s", err, buf.String())
	}
}
