package profileio

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// BenchmarkPerfDataToFolded measures the way from a recording of ten seconds, with dumped
// stacks, to folded stacks, beside what perf script alone takes for its text.
func BenchmarkPerfDataToFolded(b *testing.B) {
	testenv.Tool(b, "perf")
	testenv.Tool(b, "gcc")
	dir := b.TempDir()
	program, data := filepath.Join(dir, "program"), filepath.Join(dir, "perf.data")
	for _, command := range [][]string{
		{"gcc", "-O2", "-g", "-pthread", "-o", program, "../perfdata/testdata/record/program.c", "-ldl"},
		{"perf", "record", "-q", "-N", "-o", data, "-e", "cpu-clock", "-F", "999", "--call-graph", "dwarf", "--", program, "7000"},
	} {
		if out, err := exec.CommandContext(b.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	info, err := os.Stat(data)
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name    string
		options Options
	}{{"here", Options{}}, {"here, no inlined", Options{NoInlined: true}}} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(info.Size())
			b.ReportAllocs()
			for b.Loop() {
				f, err := os.Open(data)
				if err != nil {
					b.Fatal(err)
				}
				var out bytes.Buffer
				report, err := Fold(&out, f, data, way.options, FoldOptions{})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(report.Samples), "samples")
				if err := f.Close(); err != nil {
					b.Fatal(err)
				}
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapSys)/1e6, "MB-heap") // which never shrinks
		})
	}
	b.Run("perf script --no-inline", func(b *testing.B) {
		b.SetBytes(info.Size())
		for b.Loop() {
			cmd := exec.CommandContext(b.Context(), "perf", "script", "--no-inline", "-i", data)
			text, err := cmd.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, text); err != nil {
				b.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
