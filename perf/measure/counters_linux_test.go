package measure_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

func counted(r measure.Run, m perf.Metric) (float64, bool) {
	i := slices.IndexFunc(r.Counters, func(c measure.Counter) bool { return c.Metric == m })
	if i < 0 {
		return 0, false
	}
	return r.Counters[i].Value, true
}

// taken is the time of all processors that went to interrupts and to the hypervisor (proc(5)).
func taken(t *testing.T) time.Duration {
	t.Helper()
	data, err := os.ReadFile("/proc/stat")
	words := strings.Fields(string(data))
	if err != nil || len(words) < 9 {
		t.Fatalf("/proc/stat: %v", err)
	}
	var sum time.Duration
	for _, w := range words[6:9] { // irq, softirq and steal, in hundredths of a second
		n, err := strconv.Atoi(w)
		if err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum
}

// TestCounting counts events of the kernel in the way of the hardware's, and compares
// them with the kernel's own accounts: of the command, of what it forks, and of nothing else.
func TestCounting(t *testing.T) {
	sh := testenv.Tool(t, "sh")
	undo := measure.Counting()
	defer undo()
	loop := "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
	for name, c := range map[string]measure.Command{
		"alone":    {Count: true, Args: []string{sh, "-c", loop}},
		"children": {Count: true, Args: []string{sh, "-c", "(" + loop + ") & " + loop + "; wait"}},
	} {
		before := taken(t)
		r := mustRun(t, c)
		clock, ok := counted(r, measure.TaskClock)
		if !ok || len(r.Counters) != 4 {
			testenv.Missing(t, "perf events", "the kernel lets nothing be counted")
		}
		// The accounts have more by what a process takes until its execve and at its end, which
		// is a hundredth of it; the count has more by what interrupts and the hypervisor took from
		// it meanwhile, where the kernel keeps books on that. A child that is missed, or a run
		// before that is counted too, makes a difference of a half.
		disturbed := (taken(t) - before).Seconds() / r.CPU().Seconds()
		if off := clock/float64(r.CPU()) - 1; off < -0.05 || off > 0.05+disturbed {
			t.Errorf("%s: %.0f ns were counted of %s of CPU time, %+.1f %%; interrupts and the hypervisor took %.1f %%", name, clock, r.CPU(), 100*off, 100*disturbed)
		}
		// Those of the kernel itself, as when it copies arguments, are not in the count.
		faults, _ := counted(r, measure.UserFaults)
		if all := float64(r.MinorFaults + r.MajorFaults); faults < 10 || faults > all {
			t.Errorf("%s: %.0f faults of the program, of %.0f in all", name, faults, all)
		}
	}
	a, _ := counted(mustRun(t, measure.Command{Count: true, Args: []string{sh, "-c", ":"}}), measure.TaskClock)
	if a <= 0 || a > 50e6 {
		t.Errorf("a run that does nothing counts %.0f ns: of the runs before?", a)
	}
}

// TestNoCounters checks that what this machine does not have is left out, with a reason.
func TestNoCounters(t *testing.T) {
	r := mustRun(t, measure.Command{Count: true, Args: []string{testenv.Tool(t, "true")}})
	switch reason := measure.NoCounters(); {
	case reason != "" && len(r.Counters) > 0:
		t.Errorf("%q, and %v", reason, r.Counters)
	case reason == "":
		if n, ok := counted(r, perf.Instructions); !ok || n < 1000 {
			t.Errorf("%v instructions", n)
		}
	}
}

// BenchmarkCounting compares runs whose events are counted with runs that count nothing,
// in turn.
func BenchmarkCounting(b *testing.B) {
	c := measure.Command{Args: []string{testenv.Tool(b, "true")}}
	undo := measure.Counting()
	defer undo()
	var with, without []float64
	for b.Loop() {
		for _, arm := range []struct {
			count bool
			times *[]float64
		}{{false, &without}, {true, &with}} {
			c.Count = arm.count
			for range 10 {
				*arm.times = append(*arm.times, seconds(mustRun(b, c).Wall))
			}
		}
	}
	x, y := lowTenth(with), lowTenth(without)
	b.ReportMetric(x*1e6, "p10-counting-µs")
	b.ReportMetric(y*1e6, "p10-µs")
	b.ReportMetric((x-y)*1e6, "cost-µs")
}
