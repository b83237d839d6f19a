package profiler

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// BenchmarkRecording runs a program of a fixed amount of work as it is, while it is
// recorded, and while perf records it in the same way, in turn. It reports medians: the
// CPU time of the program, in which the kernel's part of sampling is, and what the recorder
// takes beside it.
func BenchmarkRecording(b *testing.B) {
	needsEvents(b)
	args := []string{alloc(b), "3", "150000000"}
	for name, graph := range map[string]callGraph{"frame pointers": {}, "DWARF": {stack: firstStack}} {
		b.Run(name, func(b *testing.B) { recording(b, args, graph) })
	}
}

func recording(b *testing.B, args []string, graph callGraph) {
	perf := testenv.Tool(b, "perf")
	c, o := Command{Args: args}, Options{Dir: b.TempDir()}
	var plain, ours, beside, theirs, perfBeside []time.Duration
	for b.Loop() {
		out, err := runAs(b.Context(), c, 0, true)
		if err != nil || out.err != nil {
			b.Fatal(err, out)
		}
		plain = append(plain, out.cpu)

		r, err := recordOnce(b.Context(), c, o, graph)
		if err != nil {
			b.Fatal(err)
		}
		if r.sampler.lost > 0 {
			b.Errorf("%d samples were lost", r.sampler.lost)
		}
		ours, beside = append(ours, r.cpu), append(beside, r.sampler.cost)

		cpu, all := underPerf(b, perf, graph, args)
		theirs, perfBeside = append(theirs, cpu), append(perfBeside, all-cpu)
	}
	report := func(times []time.Duration, name string) {
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)/2])/1e6, name)
	}
	report(plain, "plain-ms")
	report(ours, "recorded-ms")
	report(beside, "recorder-ms")
	report(theirs, "by-perf-ms")
	report(perfBeside, "perf-ms")
}

// recordOnce records into a file that is thrown away.
func recordOnce(ctx context.Context, c Command, o Options, graph callGraph) (*eventRun, error) {
	f, err := os.CreateTemp(o.Dir, "")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	return sampleRuns(ctx, c, o, KindCPU, graph, f)
}

// underPerf is the CPU time of a command that perf records, as its samples tell, and of
// all together.
func underPerf(b *testing.B, perf string, graph callGraph, args []string) (cpu, all time.Duration) {
	b.Helper()
	data := filepath.Join(b.TempDir(), "perf.data")
	cmd := exec.CommandContext(b.Context(), perf, append([]string{"record", "-q", "-o", data, "-e", cpuClock, "-F", strconv.Itoa(defaultFrequency), "--call-graph", graph.argument(), "--"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	r := perfRun{c: Command{Args: args}, kind: KindCPU, data: data}
	rec, err := r.read(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range rec.Profile.Sample {
		cpu += time.Duration(s.Value[1])
	}
	return cpu, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
