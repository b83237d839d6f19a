package targets

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// timeOptions are the flags of the target time.
type timeOptions struct {
	command                           string
	runs, warmup, memory              *int
	budget, timeout                   string
	setup, prepare, conclude, cleanup string
	scan, cpu                         string
	shell, json                       bool
}

// adHoc turns the flags into what is to be measured.
func (o timeOptions) adHoc() (a suite.AdHoc, err error) {
	a = suite.AdHoc{
		Command: o.command, Setup: o.setup, Prepare: o.prepare, Conclude: o.conclude, Cleanup: o.cleanup, Scan: o.scan,
		Runs: number(o.runs, 0), Warmup: number(o.warmup, 1), Memory: number(o.memory, 1),
	}
	if o.runs != nil && a.Runs < 1 {
		return a, perf.Usagef("-runs=%d: at least one run is needed", a.Runs)
	}
	if o.shell {
		a.Shell = shell()
	}
	if a.Budget, err = duration("budget", o.budget); err != nil {
		return a, err
	}
	if a.Timeout, err = duration("timeout", o.timeout); err != nil {
		return a, err
	}
	a.CPUs, err = cpuList(o.cpu)
	return a, err
}

func number(p *int, otherwise int) int {
	if p == nil {
		return otherwise
	}
	return *p
}

// duration reads the flag called name; an empty value is 0.
func duration(name, value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	v, unit, err := perf.ParseQuantity(value)
	if err != nil {
		return 0, perf.Usagef("-%s: %w", name, err)
	}
	if unit != perf.Second || v <= 0 || v > time.Duration(1<<62).Seconds() {
		return 0, perf.Usagef("-%s=%s is not a time, as 30s or 5m is", name, value)
	}
	return time.Duration(v * float64(time.Second)), nil
}

// cpuList reads processor numbers, as in 0,2-3.
func cpuList(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var out []int
	for item := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(item), "-")
		from, err := strconv.Atoi(first)
		to := from
		if err == nil && isRange {
			to, err = strconv.Atoi(last)
		}
		if err != nil || from < 0 || to < from || to > 1<<16 {
			return nil, perf.Usagef("-cpu=%s is not a list of processors, as 1 or 0,2-3 is", list)
		}
		for cpu := from; cpu <= to; cpu++ {
			out = append(out, cpu)
		}
	}
	return out, nil
}

// shell is the system's shell with the flag that takes a command line.
func shell() []string {
	if runtime.GOOS == "windows" {
		return []string{"cmd.exe", "/C"}
	}
	return []string{"/bin/sh", "-c"}
}

// timed is the target time.
func timed(ctx context.Context, o timeOptions) error {
	ctx, stop := guarded(ctx)
	defer stop()
	a, err := o.adHoc()
	if err != nil {
		return bare(err)
	}
	c := choice{mode: suite.AdHocMode, wanted: map[string]bool{}, adHoc: true}
	if c.suite, err = a.Suite(); err != nil {
		return bare(err)
	}
	if c.suite.Dir, err = os.Getwd(); err != nil {
		return bare(fmt.Errorf("finding the working directory: %w", err))
	}
	for _, name := range c.suite.Names() {
		c.wanted[name] = true
	}
	r, err := openRun(stdConsole())
	if err != nil {
		return bare(err)
	}
	r.announceExtras(a)
	return bare(r.finish(ctx, r.measure(ctx, c), o.json, report.Times))
}

// announceExtras says how often the command runs beside the runs that are timed,
// because every run repeats what the command does to the world.
func (r *run) announceExtras(a suite.AdHoc) {
	if extra := a.Warmup + a.Memory; extra > 0 {
		r.status.Announce(fmt.Sprintf("on top of the timed runs: %d for warm-up (-warmup) and %d for memory (-memory)", a.Warmup, a.Memory))
	}
	r.announceCounters()
}

// announceCounters says what is left out where the hardware counts nothing.
func (r *run) announceCounters() {
	if reason := measure.NoCounters(); reason != "" {
		r.status.Announce("cycles, instructions, cache misses and branch misses are left out: " + reason)
	}
}
