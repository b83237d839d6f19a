package profileio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// BenchmarkPerfDataToFolded measures the way from a recording with dumped stacks to folded
// stacks, beside what perf script alone takes for its text: each time a process of its
// own, with all files in the page cache. "C" is ten seconds of one CPU at 999 Hz, about
// 10,000 samples and 84 MB; "C++" half of that, of a program with 50 MB of debug
// information.
//
// cpu-ms is what all processors have worked, which other programs on the machine change
// little, best-ms the shortest time on the clock, and MB-memory the highest that the process
// had beside files.
//
// perf before version 7 takes minutes to find the inlined functions of the second: what it
// is measured with leaves them out.
func BenchmarkPerfDataToFolded(b *testing.B) {
	testenv.Tool(b, "perf")
	testenv.Tool(b, "gcc")
	program := filepath.Join(b.TempDir(), "program")
	command := exec.CommandContext(b.Context(), "gcc", "-O2", "-g", "-pthread", "-o", program, "../perfdata/testdata/record/program.c", "-ldl")
	if out, err := command.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	b.Run("C", func(b *testing.B) { benchmarkFolding(b, record(b, 10, program, "1000000000")) })
	b.Run("C++", func(b *testing.B) { benchmarkFolding(b, record(b, 5, testenv.LargeProgram(b, b.TempDir()))) })
}

// record records a program until it has had so many seconds of processors.
func record(b *testing.B, seconds int, program ...string) string {
	data := filepath.Join(b.TempDir(), "perf.data")
	args := []string{"record", "-q", "-N", "-o", data, "-e", "cpu-clock", "-F", "999", "--call-graph", "dwarf", "--", "sh", "-c", fmt.Sprintf(`ulimit -t %d; exec "$@"`, seconds), "sh"}
	out, err := exec.CommandContext(b.Context(), "perf", append(args, program...)...).CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended { // as the program, by a signal
		b.Fatalf("%v\n%s", err, out)
	}
	return data
}

func benchmarkFolding(b *testing.B, data string) {
	info, err := os.Stat(data)
	if err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name    string
		command []string
		env     string
	}{
		{"here", []string{self, "-test.run=^TestFoldAlone$"}, foldAlone + "=" + data},
		{"here, no inlined", []string{self, "-test.run=^TestFoldAlone$"}, foldAlone + "NoInlined=" + data},
		{"perf script --no-inline", []string{"perf", "script", "--no-inline", "-i", data}, ""},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(info.Size())
			best, cpu := time.Duration(math.MaxInt64), time.Duration(0)
			for b.Loop() {
				begin := time.Now()
				cmd := exec.CommandContext(b.Context(), way.command[0], way.command[1:]...)
				cmd.Env = append(os.Environ(), way.env)
				text, err := cmd.StdoutPipe()
				if err != nil {
					b.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				var said tail
				if _, err := io.Copy(&said, text); err != nil {
					b.Fatal(err)
				}
				if err := cmd.Wait(); err != nil {
					b.Fatalf("%v\n%s", err, said)
				}
				best = min(best, time.Since(begin))
				cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				said.report(b)
			}
			b.ReportMetric(float64(best)/1e6, "best-ms")
			b.ReportMetric(float64(cpu)/1e6/float64(b.N), "cpu-ms/op")
		})
	}
}

// tail keeps the end of what is written.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if n := len(*t) - 1<<12; n > 0 {
		*t = append((*t)[:0], (*t)[n:]...)
	}
	return len(p), nil
}

// report reports what TestFoldAlone has written: a value and its unit a line.
func (t *tail) report(b *testing.B) {
	for line := range strings.Lines(string(*t)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == foldAlone {
			value, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(value, f[2])
		}
	}
}

// foldAlone names, in the environment, the recording that TestFoldAlone folds.
const foldAlone = "PERFDATA_FOLD_ALONE"

// TestFoldAlone is the process that BenchmarkPerfDataToFolded measures.
func TestFoldAlone(t *testing.T) {
	data, options := os.Getenv(foldAlone), Options{}
	if data == "" {
		data, options.NoInlined = os.Getenv(foldAlone+"NoInlined"), true
	}
	if data == "" {
		t.Skip("runs for BenchmarkPerfDataToFolded")
	}
	f, err := os.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	report, err := Fold(&out, f, data, options, FoldOptions{})
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	memory := map[string]float64{}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[2] == "kB" {
			if memory[f[0]], err = strconv.ParseFloat(f[1], 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	fmt.Println(foldAlone, report.Samples, "samples")
	fmt.Println(foldAlone, bytes.Count(out.Bytes(), []byte("\n")), "stacks")
	fmt.Println(foldAlone, (memory["VmHWM:"]-memory["RssFile:"])*1024/1e6, "MB-memory")
}
