package experiment

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// Processes makes runners that start the commands of workloads as processes.
type Processes struct {
	// Work is the folder that [suite.Work] stands for; an absolute path. It is made
	// when a workload needs it, and its owner removes it.
	Work string
	// Logs is a folder that gets the output of whatever fails.
	Logs string
	// Env is added to the environment of every command, KEY=VALUE.
	Env []string
	// BuildEnv is added as well where nothing is measured: to the hooks, and to builds that
	// other workloads need.
	BuildEnv []string
	// Root is the folder that aliases are other paths of; empty means Work.
	Root string
	// EngineEnv is added to the environment of commands that make containers.
	EngineEnv []string
	// Image is the name by which the subject is to take its default image, so that its
	// containers are known to be this run's; empty means its own name for it.
	Image string
}

// Runner returns the runner of a step.
func (p Processes) Runner(step suite.Step) Runner {
	j := job{Processes: p, w: step.Expand(p.Work), clean: step.Wanted}
	if j.w.Watch != nil {
		return newReloads(j).runner()
	}
	if j.w.Criterion != "" {
		return j.criterionRunner()
	}
	return Runner{
		Setup:   j.setup,
		Run:     func(ctx context.Context) (Observation, error) { return j.around(ctx, j.timed) },
		Memory:  func(ctx context.Context) (Observation, error) { return j.around(ctx, j.memory) },
		Cleanup: func(ctx context.Context) error { return j.all(ctx, "cleanup", j.w.Cleanup) },
	}
}

// job is one workload that runs as a process.
type job struct {
	Processes
	w     suite.Workload
	clean bool // empty Fresh and use CleanEnv
	pad   int  // bytes by which the environment of the measured command grows
}

// setup writes the inputs and runs the commands that come before all runs.
func (j *job) setup(ctx context.Context) error {
	for _, dir := range []string{"bin", "home", "tmp"} {
		if err := os.MkdirAll(filepath.Join(j.Work, dir), 0o755); err != nil {
			return fmt.Errorf("making the folder of the run: %w", err)
		}
	}
	for _, f := range j.w.Files {
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
			return fmt.Errorf("making the folder of an input: %w", err)
		}
		if err := os.WriteFile(f.Name, []byte(f.Content), 0o644); err != nil {
			return fmt.Errorf("writing an input: %w", err)
		}
	}
	return j.all(ctx, "setup", j.w.Setup)
}

// all runs the commands of a hook one after another.
func (j *job) all(ctx context.Context, hook string, list []suite.Command) error {
	for _, c := range list {
		cmd := j.command(c, j.BuildEnv...)
		cmd.Timeout = cmp.Or(j.w.HookTimeout, cmd.Timeout)
		run, err := cmd.Run(ctx)
		if err == nil {
			err = run.Err()
		}
		if err != nil {
			return j.failure(ctx, "in its "+hook+": ", run, err)
		}
	}
	return nil
}

// around puts what belongs before and after a run around it.
func (j *job) around(ctx context.Context, run func(context.Context) (Observation, error)) (Observation, error) {
	if err := j.empty(); err != nil {
		return Observation{}, err
	}
	if err := j.all(ctx, "prepare", j.w.Prepare); err != nil {
		return Observation{}, err
	}
	o, err := run(ctx)
	if err != nil {
		return o, err
	}
	return o, j.all(ctx, "conclude", j.w.Conclude)
}

// empty clears the folders that a clean run needs. They must lie in the folder of the
// run: nothing else is ever removed.
func (j *job) empty() error {
	if !j.clean {
		return nil
	}
	for _, dir := range j.w.Fresh {
		if !strings.HasPrefix(filepath.Clean(dir), filepath.Clean(j.Work)+string(filepath.Separator)) {
			return fmt.Errorf("workload %s: the folder %s is to be emptied and does not lie below %s", j.w.Name, dir, suite.Work)
		}
		if err := removeAll(dir); err != nil {
			return fmt.Errorf("emptying %s: %w", dir, err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("emptying %s: %w", dir, err)
		}
	}
	return nil
}

// removeAll removes a tree in which folders may be read-only, as those of a module
// cache are.
func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o755)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

func (j *job) timed(ctx context.Context) (Observation, error) {
	cmd := j.main()
	counts := j.counters(&cmd)
	run, err := cmd.Run(ctx)
	if err == nil {
		err = run.Err()
	}
	if err == nil {
		err = j.check(counts)
	}
	if err != nil {
		return Observation{}, j.failure(ctx, "", run, err)
	}
	o := observe(run)
	if n := counts.itemCount(j.w.Items); n > 0 && run.Wall > 0 {
		o.Values = append(o.Values, Value{throughputOf(j.w.Items), float64(n) / run.Wall.Seconds()})
	}
	return o, nil
}

// throughputOf is the metric of a workload's throughput, in its items a second.
func throughputOf(items *suite.Items) perf.Metric {
	m := perf.Throughput
	m.Unit = perf.Unit(items.Unit) + perf.PerSecond
	return m
}

func (j *job) memory(ctx context.Context) (Observation, error) {
	cmd := j.main()
	counts := j.counters(&cmd)
	mem, err := cmd.RunMemory(ctx)
	if err == nil {
		err = mem.Run.Err()
	}
	if err == nil {
		err = j.check(counts)
	}
	if err != nil {
		return Observation{}, j.failure(ctx, "in its memory run, which traces it (-memory=0 of the target time leaves that out): ", mem.Run, err)
	}
	var o Observation
	for _, v := range []struct {
		has    bool
		metric perf.Metric
		bytes  int64
	}{
		{mem.HasPeak, perf.PeakMemory, mem.Peak},
		{mem.HasPeakRSS, perf.PeakMemoryRSS, mem.PeakRSS},
		{mem.HasPeakBound, perf.PeakMemoryBound, mem.PeakBound},
	} {
		if v.has {
			o.Values = append(o.Values, Value{v.metric, float64(v.bytes)})
		}
	}
	if mem.Reason != "" {
		o.Warnings = append(o.Warnings, perf.Warning{Kind: perf.WarnNotMeasured, Text: mem.Reason})
	}
	o.Warnings = append(o.Warnings, leftBehind(mem.Run)...)
	return o, nil
}

// main is the command that is measured.
func (j *job) main() measure.Command {
	c, env := j.w.Command, j.BuildEnv
	if j.clean {
		c.Env, env = append(slices.Clone(c.Env), j.w.CleanEnv...), nil
	}
	cmd := j.command(c, env...)
	cmd.CPUs, cmd.Timeout, cmd.Count = j.w.CPUs, j.w.Timeout, true
	cmd.Env = padded(cmd.Env, j.pad)
	return cmd
}

// command is c in the folder and the environment that it runs in, with env added.
func (j *job) command(c suite.Command, env ...string) measure.Command {
	base := os.Environ()
	if dir, err := filepath.Abs(c.Dir); c.Dir != "" && err == nil {
		base = environment(base, []string{"PWD=" + dir}) // as a shell would have it
	}
	base = environment(environment(base, j.Env), env)
	if j.w.MakesContainers {
		base = environment(base, j.EngineEnv)
	}
	return measure.Command{Args: c.Args, Dir: c.Dir, Env: environment(base, c.Env), Timeout: time.Hour}
}

// outputOf runs a command to its end and keeps all of its standard output.
func outputOf(ctx context.Context, cmd measure.Command) (measure.Run, []byte, error) {
	var stdout bytes.Buffer
	cmd.OnOutput = func(stream int, p []byte, _ time.Time) {
		if stream == measure.Stdout {
			stdout.Write(p)
		}
	}
	run, err := cmd.Run(ctx)
	if err == nil {
		err = run.Err()
	}
	return run, stdout.Bytes(), err
}

// environment is base with the entries of add, of which a later one replaces an
// earlier one of the same key: execve would pass both on, and programs differ in
// which they take.
func environment(base, add []string) []string {
	out := slices.Clone(base)
	for _, entry := range add {
		key, _, _ := strings.Cut(entry, "=")
		out = slices.DeleteFunc(out, func(s string) bool { return strings.HasPrefix(s, key+"=") })
		out = append(out, entry)
	}
	return out
}

// check looks at what a run that exited 0 did: whether its tests ran, and whether
// what it was to make is there.
func (j *job) check(c *lineCounts) error {
	c.flush()
	if t := j.w.Tests; t != nil {
		passed, failed := c.passed.n, c.failed.n
		if failed > 0 {
			return fmt.Errorf("%d of its tests failed, although %s exited 0", failed, j.w.Command)
		}
		if passed == 0 {
			return fmt.Errorf("no test ran, although %s exited 0: its output counts none by %s", j.w.Command, t.Passed.Pattern)
		}
	}
	for _, name := range j.w.Creates {
		if _, err := os.Stat(name); err != nil {
			return fmt.Errorf("%s exited 0 and did not make %s", j.w.Command, name)
		}
	}
	return nil
}

// failure turns the error of a command into the reason that the reader gets; where
// says in which of the commands of the workload. An interruption stays what it is.
func (j *job) failure(ctx context.Context, where string, run measure.Run, err error) error {
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return &Failure{where + reasonFor(run, err, j.w.Cause) + j.log(run)}
}

// maxLogName bounds the name of a log: a workload may be named after a whole command.
const maxLogName = 80

// log keeps the output of a run that failed, and says where.
func (j *job) log(run measure.Run) string {
	if j.Logs == "" || len(run.Output) == 0 {
		return ""
	}
	name, err := j.writeLog(run.Output)
	if err != nil {
		return fmt.Sprintf("\n(its output could not be kept: %v)", err)
	}
	return "\n(more of its output: " + name + ")"
}

// maxLogs bounds how many logs of one name are looked past.
const maxLogs = 1000

// writeLog writes a log that is named after the workload, and returns its path. Names
// that differ in what a file name cannot show, or behind maxLogName bytes as those of a
// scan may, are told apart by a number: a log never replaces that of another failure.
func (j *job) writeLog(output []byte) (path string, err error) {
	name := perf.FileName(j.w.Name)
	name = strings.TrimLeft(name[:min(len(name), maxLogName)], ".-") // a dot would hide it
	for n := 1; n <= maxLogs; n++ {
		path = filepath.Join(j.Logs, name+".log")
		if n > 1 || name == "" {
			path = filepath.Join(j.Logs, fmt.Sprintf("%s-%d.log", name, n))
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = f.Write(output)
		return path, errors.Join(err, f.Close())
	}
	return "", fmt.Errorf("%s: %d logs of that name are there already", path, maxLogs)
}

// observe turns a run into values.
func observe(r measure.Run) Observation {
	o := Observation{Wall: r.Wall, Warnings: leftBehind(r)}
	add := func(has bool, m perf.Metric, v float64) {
		if has {
			o.Values = append(o.Values, Value{m, v})
		}
	}
	add(true, perf.Wall, r.Wall.Seconds())
	add(true, perf.User, r.User.Seconds())
	add(true, perf.System, r.System.Seconds())
	add(true, perf.CPU, r.CPU().Seconds())
	add(r.Wall > 0, perf.Utilisation, r.CPU().Seconds()/max(r.Wall.Seconds(), 1e-9))
	add(r.HasFaults, perf.PageFaults, float64(r.MinorFaults+r.MajorFaults))
	add(r.HasFaults, perf.ContextSwitches, float64(r.Voluntary+r.Involuntary))
	add(r.HasIO, perf.BytesRead, float64(r.ReadBytes))
	add(r.HasIO, perf.BytesWritten, float64(r.WrittenBytes))
	add(r.HasRunDelay, perf.RunDelay, r.RunDelay.Seconds())
	for _, c := range r.Counters {
		add(true, c.Metric, c.Value)
	}
	o.Contention = Contention{
		RunDelay: r.RunDelay, HasRunDelay: r.HasRunDelay,
		Pressure: r.Pressure, HasPressure: r.HasPressure,
		Steal: r.Steal, HasSteal: r.HasSteal,
	}
	return o
}

// leftBehind warns of processes that outlived the command.
func leftBehind(r measure.Run) []perf.Warning {
	var out []perf.Warning
	for _, line := range r.LeftBehind {
		out = append(out, perf.Warning{Kind: perf.WarnLeftBehind, Text: fmt.Sprintf("it left a process behind, which was ended: %s", line)})
	}
	return out
}
