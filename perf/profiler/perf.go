package profiler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf/perfdata"
	"github.com/seanchatmangpt/clnrm-perf/perf/profileio"
)

// paranoidFile holds what the kernel lets whom record (sysctl(8)).
const paranoidFile = "/proc/sys/kernel/perf_event_paranoid"

// What is said where the kernel shows nothing of itself, and what lifts that.
const (
	hiddenSwitches = "the kernel shows its switches from one thread to another only to root (" + paranoidFile + " is %d)"
	showSwitches   = "sysctl kernel.perf_event_paranoid=1 shows them to everybody"
)

// perfWorks says why perf cannot record here; empty if it can.
func perfWorks(kind Kind) string {
	if runtime.GOOS != "linux" {
		return "perf is a tool of Linux"
	}
	if _, err := exec.LookPath("perf"); err != nil {
		return "perf is not installed"
	}
	if level := paranoid(); level > 2 && os.Geteuid() != 0 {
		return fmt.Sprintf("the kernel lets only root record (%s is %d; sysctl kernel.perf_event_paranoid=1 changes that)", paranoidFile, level)
	}
	if kind == KindOffCPU && userOnly() != "" {
		return fmt.Sprintf(hiddenSwitches+" (%s)", paranoid(), showSwitches)
	}
	return ""
}

// paranoid is the level of the kernel's restriction, 0 where it cannot be told.
func paranoid() int {
	data, err := os.ReadFile(paranoidFile)
	if err != nil {
		return 0
	}
	level, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0
	}
	return level
}

// userOnly is the modifier of an event for whom the kernel shows nothing of itself.
func userOnly() string {
	if os.Geteuid() != 0 && paranoid() > 1 {
		return ":u"
	}
	return ""
}

// defaultFrequency is in samples a second.
const defaultFrequency = 999

// loop runs a command a number of times and tells the process id of the shell, whose own
// samples are none of the command's.
const loop = `echo $$ >"$1" && n=$2 && shift 2 && while [ "$n" -gt 0 ]; do "$@" || exit; n=$((n-1)); done`

// perfRun is one recording by perf.
type perfRun struct {
	c    Command
	o    Options
	kind Kind
	data string // what perf writes
	pid  string // where the loop leaves its process id
}

// recordPerf records until the stacks are whole, or nothing else can be tried.
func recordPerf(ctx context.Context, c Command, o Options, kind Kind) (*Recording, error) {
	r := perfRun{c: c, o: o, kind: kind, data: filepath.Join(o.Dir, string(kind)+".perf.data"), pid: filepath.Join(o.Dir, "loop.pid")}
	version := perfVersion(ctx)
	graph := chooseCallGraph(c)
	if graph.stack > 0 {
		// perf (6.1, with libunwind) loses the stacks of most programs that a shell starts
		// one after the other, and of none that it starts itself.
		r.o.Repeat = 1
	}
	var best *Recording
	var used callGraph
	for more := true; more; {
		rec, err := r.record(ctx, graph)
		if errors.Is(err, ErrNothing) && o.Repeat > r.o.Repeat {
			used = graph // a longer look may see something
			break
		}
		if err != nil {
			return nil, err
		}
		rec.Tool, rec.Mode = version, graph.String()
		if best == nil || rec.Quality.Rooted > best.Quality.Rooted {
			best, used = rec, graph
		}
		if best.Quality.Rooted >= 1-MaxTruncated {
			break
		}
		if graph, more = graph.larger(); more {
			o.note("%.1f %% of the stacks were cut off: recording again with %d bytes of stack", 100*(1-rec.Quality.Rooted), graph.stack)
		}
	}
	if o.Repeat > r.o.Repeat {
		return r.again(ctx, best, used, version, o.Repeat-1)
	}
	return best, nil
}

// Bounds of recordings that are made one by one, as each takes perf some 200 ms more than
// the command.
const (
	maxSeparate  = 50
	separateTime = 20 * time.Second
)

// again records more runs, one by one, and adds them to first, which is nil where that run
// gave no sample.
func (r perfRun) again(ctx context.Context, first *Recording, graph callGraph, version string, runs int) (*Recording, error) {
	sum := &Recording{Kind: r.kind, Tool: version, Mode: graph.String()}
	var parts []*profile.Profile
	take := func(rec *Recording) {
		parts = append(parts, withoutThreads(rec.Profile))
		sum.add(rec)
	}
	if first != nil {
		take(first)
	} else {
		sum.Runs++ // it was made, and gave no sample
	}
	began := time.Now()
	for range min(runs, maxSeparate) {
		rec, err := r.record(ctx, graph)
		switch {
		case err == nil:
			take(rec)
		case errors.Is(err, ErrNothing):
			sum.Runs++
		default:
			return nil, err
		}
		if time.Since(began) > separateTime {
			break
		}
	}
	if len(parts) == 0 {
		return nil, r.nothing()
	}
	var err error
	if sum.Profile, err = merged(parts); err != nil {
		return nil, fmt.Errorf("adding up the runs of %s: %w", r.c, err)
	}
	return sum, sum.assess(false)
}

// add adds what was said of another recording.
func (r *Recording) add(other *Recording) {
	a, b := &r.Report, other.Report
	a.Format, a.Event, a.Others = b.Format, b.Event, b.Others
	r.Runs += other.Runs
	a.Samples += b.Samples
	a.Walked += b.Walked
	a.Whole += b.Whole
	a.Lost += b.Lost
	a.Waits.Blocked += b.Waits.Blocked
	a.Waits.Preempted += b.Waits.Preempted
	a.Waits.Open += b.Waits.Open
	a.Faulty += b.Faulty
	a.Faults = append(a.Faults, b.Faults...)
}

// merged adds profiles up. pprof forgets the default sample type.
func merged(parts []*profile.Profile) (*profile.Profile, error) {
	name := parts[0].DefaultSampleType
	p, err := profile.Merge(parts)
	if err == nil {
		p.DefaultSampleType = name
	}
	return p, err
}

// withoutThreads takes the numbers of processes, threads and CPUs off, which differ in each
// run and would keep equal stacks apart.
func withoutThreads(p *profile.Profile) *profile.Profile {
	for _, s := range p.Sample {
		delete(s.Label, "pid")
		delete(s.Label, "tid")
		delete(s.Label, "cpu")
	}
	return p
}

func perfVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "perf", "--version").Output()
	if err != nil {
		return "perf"
	}
	return strings.Replace(strings.TrimSpace(string(out)), "perf version", "perf", 1)
}

// record makes one recording and reads it. What perf has written is removed: it is some
// megabytes a second.
func (r perfRun) record(ctx context.Context, graph callGraph) (rec *Recording, err error) {
	defer func() { err = errors.Join(err, r.remove()) }()
	out, err := run(ctx, r.command(graph, true), r.o.Duration)
	if err == nil && !out.ended && out.err != nil && strings.Contains(string(out.out.data), "ompression") {
		out, err = run(ctx, r.command(graph, false), r.o.Duration) // a perf that was built without zstd
	}
	if err != nil {
		return nil, err
	}
	if info, serr := os.Stat(r.data); serr != nil || info.Size() == 0 {
		return nil, fmt.Errorf("perf record has recorded nothing: %w\n  %s", cmp.Or(out.err, serr, ErrNothing), out.out.last(12))
	}
	if err := out.failure(r.c); err != nil {
		return nil, err
	}
	return r.read(ctx)
}

// remove removes what perf has written.
func (r perfRun) remove() error {
	if err := os.Remove(r.data); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// command is perf record around the command.
func (r perfRun) command(graph callGraph, compress bool) Command {
	args := []string{"perf", "record", "-q", "-o", r.data, "--call-graph", graph.argument()}
	if compress && graph.stack > 0 {
		args = append(args, "-z") // dumps of stacks shrink to a fifteenth
	}
	if r.kind == KindOffCPU {
		// Each switch is a sample, with the stack of the thread that goes. The records of
		// switches tell when it comes back, and whether it went of its own accord. Unlike
		// the tracepoint sched:sched_switch they need no tracefs, and no other task is seen.
		args = append(args, "-e", "context-switches"+userOnly(), "-c", "1", "--switch-events")
	} else {
		// The clock works on virtual machines, too, which often lend no hardware
		// counters, and its weights are time.
		args = append(args, "-e", "cpu-clock"+userOnly(), "-F", strconv.Itoa(cmp.Or(r.o.Frequency, defaultFrequency)))
	}
	args = append(args, "--")
	if r.o.Repeat > 1 {
		args = append(args, "/bin/sh", "-c", loop, "sh", r.pid, strconv.Itoa(r.o.Repeat))
	}
	return Command{Args: append(args, r.c.Args...), Dir: r.c.Dir, Env: r.c.Env}
}

// read reads what perf has written.
func (r perfRun) read(ctx context.Context) (*Recording, error) {
	rec := &Recording{Kind: r.kind, Runs: max(r.o.Repeat, 1)}
	options := profileio.Options{Threads: true, CPUs: r.o.Repeat <= 1, OffCPU: r.kind == KindOffCPU}
	f, err := os.Open(r.data)
	if err != nil {
		return nil, err
	}
	rec.Profile, rec.Report, err = profileio.Read(f, r.data, options)
	err = errors.Join(err, f.Close())
	if errors.Is(err, perfdata.ErrUnsupported) {
		r.o.note("%v: taking perf script", err)
		rec.Profile, rec.Report, err = r.script(ctx, options)
	}
	switch {
	case errors.Is(err, perfdata.ErrNoSamples):
		return nil, r.nothing()
	case err != nil:
		return nil, err
	}
	rec.Notes = append(rec.Notes, rec.Report.Notes...)
	if err := r.withoutLoop(rec); err != nil {
		return nil, err
	}
	if rec.Profile.Sample == nil {
		return nil, r.nothing()
	}
	return rec, rec.assess(false)
}

// scriptFields are what perf script is asked for: what the reader needs, and no more.
const scriptFields = "comm,pid,tid,time,period,event,ip,sym,symoff,dso"

// script reads what perf has written by way of perf script. Its inlined functions are left
// out: perf of many distributions asks another program for each address, which takes
// minutes.
func (r perfRun) script(ctx context.Context, o profileio.Options) (*profile.Profile, profileio.Report, error) {
	args := []string{"script", "--no-inline", "--ns", "--show-lost-events", "-i", r.data, "-F", scriptFields}
	if o.OffCPU {
		args = append(args, "--show-switch-events")
	}
	cmd := exec.CommandContext(ctx, "perf", args...)
	var complaints tail
	cmd.Stderr = &complaints
	inGroup(cmd, false)
	text, err := cmd.StdoutPipe()
	if err != nil {
		return nil, profileio.Report{}, err
	}
	if err := cmd.Start(); err != nil {
		return nil, profileio.Report{}, fmt.Errorf("starting perf script: %w", err)
	}
	p, report, rerr := profileio.Read(text, "perf script", o)
	_, _ = io.Copy(io.Discard, text) // so that perf does not wait for a reader that has given up
	if err := cmd.Wait(); err != nil {
		return nil, report, fmt.Errorf("perf script on %s: %w\n  %s", r.data, err, complaints.last(5))
	}
	if rerr != nil {
		return nil, report, fmt.Errorf("%s was not on the CPU long enough to be sampled, or perf could not see it: %w", r.c, rerr)
	}
	return p, report, nil
}

// nothing says that there is no sample, and what would give one.
func (r perfRun) nothing() error { return nothing(r.c, r.o, r.kind) }

func nothing(c Command, o Options, kind Kind) error {
	if kind == KindOffCPU {
		return fmt.Errorf("%s has never waited: %w", c, ErrNothing)
	}
	return fmt.Errorf("%s takes less CPU time than lies between two of %d samples a second: %w", c, cmp.Or(o.Frequency, defaultFrequency), ErrNothing)
}

// mainFirst moves the program to the front of the mappings, where pprof looks for what a
// profile is of; else the shell would stand there.
func mainFirst(p *profile.Profile, program string) {
	for i, m := range p.Mapping {
		if m.File == program {
			p.Mapping[0], p.Mapping[i] = m, p.Mapping[0]
			return
		}
	}
}

// withoutLoop takes the samples of the shell that ran the loop out. Processes of many
// runs are not told apart.
func (r perfRun) withoutLoop(rec *Recording) error {
	if r.o.Repeat <= 1 {
		return nil
	}
	data, err := os.ReadFile(r.pid)
	if err != nil {
		return fmt.Errorf("the loop around %s was not started: %w", r.c, err)
	}
	if err := os.Remove(r.pid); err != nil {
		return err
	}
	pid := strings.TrimSpace(string(data))
	p := rec.Profile
	kept := p.Sample[:0]
	var n int64
	for _, s := range p.Sample {
		if id := s.Label["pid"]; len(id) == 1 && id[0] == pid {
			continue
		}
		kept = append(kept, s)
		n += s.Value[0]
	}
	p.Sample, rec.Report.Samples = kept, n
	if len(kept) == 0 {
		return r.nothing()
	}
	mainFirst(p, programOf(r.c))
	if rec.Profile, err = merged([]*profile.Profile{withoutThreads(p)}); err != nil {
		return fmt.Errorf("adding up the runs of %s: %w", r.c, err)
	}
	return nil
}
