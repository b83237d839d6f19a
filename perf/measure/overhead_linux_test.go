package measure_test

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// compileC compiles a C program of testdata and returns its path.
func compileC(t testing.TB, name string) string {
	t.Helper()
	cc := testenv.Tool(t, "cc")
	bin := filepath.Join(t.TempDir(), name)
	out, err := exec.Command(cc, "-O2", "-Wall", "-pthread", "-o", bin, filepath.Join("testdata", name+".c")).CombinedOutput()
	if err != nil {
		t.Fatalf("compile %s.c: %v\n%s", name, err, out)
	}
	return bin
}

// BenchmarkOverhead compares the wall time that this package reports for
// /bin/true with that of a C program which calls posix_spawn and wait4 in a
// loop. Each iteration is a short round of both in shuffled order, and the tenth
// percentiles are taken over all rounds, so that what the machine does
// meanwhile meets both alike. Run it with -benchtime=200x on a quiet machine.
//
// Pinned to one CPU the C loop keeps that CPU busy and its caches warm, while
// this package works elsewhere between runs. The third case gives the C program a
// pause of 50 µs before each start, so that both begin on a CPU that was idle.
func BenchmarkOverhead(b *testing.B) {
	spawn := compileC(b, "spawn")
	b.Run("free", func(b *testing.B) { overhead(b, nil, spawn, "0") })
	b.Run("pinned", func(b *testing.B) { overhead(b, []int{0}, spawn, "0") })
	b.Run("pinned and paused", func(b *testing.B) { overhead(b, []int{0}, spawn, "50") })
}

func overhead(b *testing.B, cpus []int, spawn, pause string) {
	const perRound = 20
	subject := measure.Command{Args: []string{"/bin/true"}, CPUs: cpus}
	rival := measure.Command{Args: []string{spawn, strconv.Itoa(perRound), pause, "/bin/true"}, CPUs: cpus}
	var ours, theirs []float64
	arms := []func(){
		func() {
			for range perRound {
				ours = append(ours, seconds(mustRun(b, subject).Wall))
			}
		},
		func() {
			for _, line := range strings.Fields(string(mustRun(b, rival).Output)) {
				ns, err := strconv.ParseFloat(line, 64)
				if err != nil {
					b.Fatal(err)
				}
				theirs = append(theirs, ns/1e9)
			}
		},
	}
	order := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		first := order.IntN(2)
		arms[first]()
		arms[1-first]()
	}
	p10, rivalP10 := lowTenth(ours), lowTenth(theirs)
	b.ReportMetric(p10*1e6, "p10-µs")
	b.ReportMetric(rivalP10*1e6, "C-p10-µs")
	b.ReportMetric(p10/rivalP10, "ratio")
}

func mustRun(t testing.TB, c measure.Command) measure.Run {
	t.Helper()
	run, err := c.Run(context.Background())
	if err == nil {
		err = run.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func seconds(d time.Duration) float64 { return d.Seconds() }

// lowTenth is the tenth percentile of the samples, which it sorts.
func lowTenth(samples []float64) float64 {
	slices.Sort(samples)
	return samples[len(samples)/10]
}

// BenchmarkSleep reports how much longer than asked a command that waits for
// 0.2 s is measured to take, its own start included.
func BenchmarkSleep(b *testing.B) {
	c := measure.Command{Args: []string{testenv.Tool(b, "sleep"), "0.2"}}
	var over []float64
	for b.Loop() {
		over = append(over, seconds(mustRun(b, c).Wall-200*time.Millisecond)*1e3)
	}
	slices.Sort(over)
	b.ReportMetric(over[len(over)/2], "median-ms-over")
	b.ReportMetric(over[len(over)-1], "worst-ms-over")
}

// BenchmarkFlood reports how fast output is drained; the command writes without
// looking.
func BenchmarkFlood(b *testing.B) {
	const size = 1 << 28
	b.SetBytes(size)
	for b.Loop() {
		mustRun(b, role("flood", strconv.Itoa(size)))
	}
}

// BenchmarkMemory reports what a memory run takes, of a short command and of one that
// starts many, beside a timed run of the same: traced by filter, and by stops at
// every system call.
func BenchmarkMemory(b *testing.B) {
	sh, short := testenv.Tool(b, "sh"), testenv.Tool(b, "true")
	commands := map[string]measure.Command{
		"true":     {Args: []string{short}},
		"100 true": {Args: []string{sh, "-c", "for i in $(seq 100); do " + short + "; done"}},
	}
	memory := func(b *testing.B, c measure.Command) {
		if mem, err := c.RunMemory(b.Context()); err != nil || !mem.HasPeakBound {
			b.Fatal(err, mem.Reason)
		}
	}
	for name, c := range commands {
		b.Run(name+"/timed", func(b *testing.B) {
			for b.Loop() {
				mustRun(b, c)
			}
		})
		for _, watching := range watchings {
			b.Run(name+"/"+watching.name, func(b *testing.B) {
				defer watching.set()()
				for b.Loop() {
					memory(b, c)
				}
			})
		}
	}
}
