package benchio

import (
	"bytes"
	"io"
	"os"
	"testing"
	"testing/fstest"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// FuzzRead reads any text: it never panics, what it reads is a valid result, and that
// can be written in every format.
func FuzzRead(f *testing.F) {
	for _, file := range files(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 16<<10 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := Read(bytes.NewReader(data), "fuzz", Options{})
		if err != nil {
			t.Fatalf("a reader that cannot fail: %v", err)
		}
		checkImport(t, im)
		for _, r := range im.Runs {
			writeAll(t, resultOf(r))
		}
	})
}

// FuzzCriterion reads any two files as a benchmark of Criterion's.
func FuzzCriterion(f *testing.F) {
	for _, dir := range []string{"tree/fib", "tree/enc/json", "tree/enc/gob/16", "bad/cut", "bad/kind", "bad/nothing"} {
		about, err := os.ReadFile("testdata/criterion/" + dir + "/new/" + benchmarkFile)
		if err != nil {
			f.Fatal(err)
		}
		sample, err := os.ReadFile("testdata/criterion/" + dir + "/new/" + sampleFile)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(about, sample)
	}
	f.Fuzz(func(t *testing.T, about, sample []byte) {
		im, err := ReadCriterion(fstest.MapFS{"x/new/" + benchmarkFile: {Data: about}, "x/new/" + sampleFile: {Data: sample}}, "fuzz", Options{})
		if err != nil {
			t.Fatal(err)
		}
		checkImport(t, im)
		for _, r := range im.Runs {
			writeAll(t, resultOf(r))
		}
	})
}

// writeAll writes a result in every format, and reads the Go benchmark format again:
// nothing in a name can break a line of it.
func writeAll(t *testing.T, r *perf.Result) {
	t.Helper()
	for _, f := range writers[1:] {
		if err := f.write(io.Discard, r); err != nil && !overflows(r) {
			t.Errorf("%s: %v", f.name, err)
		}
	}
	if _, err := WriteCriterion(r, "base"); err != nil && !overflows(r) {
		t.Error(err)
	}
	var buf bytes.Buffer
	if err := WriteGo(&buf, r); err != nil {
		t.Fatal(err)
	}
	text := buf.String()
	im, err := Read(&buf, "again", Options{})
	if err != nil || len(im.Faults) > 0 || len(im.Runs) != 1 || len(im.Runs[0].Workloads) != len(r.Workloads) {
		t.Errorf("what was written cannot be read: %v %v\n%s", err, im, text)
	}
}

// overflows reports whether a value is so large that its nanoseconds are no number.
func overflows(r *perf.Result) bool {
	huge := false
	filled(r.Workloads, func(_ *perf.WorkloadResult, m perf.Series) {
		for _, v := range m.Samples {
			huge = huge || v > 1e150 || v < -1e150
		}
	})
	return huge
}
