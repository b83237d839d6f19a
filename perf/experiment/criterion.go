package experiment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/benchio"
)

// criterionRunner runs a command that leaves the files of Criterion's benchmarks.
func (j *job) criterionRunner() Runner {
	return Runner{
		Setup:   j.setup,
		Run:     func(ctx context.Context) (Observation, error) { return j.around(ctx, j.criterion) },
		Cleanup: func(ctx context.Context) error { return j.all(ctx, "cleanup", j.w.Cleanup) },
	}
}

// criterion runs the benchmarks once and takes every sample of each. What ran is counted
// by what is there: a filter that matches nothing exits 0.
func (j *job) criterion(ctx context.Context) (Observation, error) {
	run, err := j.main().Run(ctx)
	if err == nil {
		err = run.Err()
	}
	if err != nil {
		return Observation{}, j.failure(ctx, "", run, err)
	}
	im, err := benchio.ReadCriterion(os.DirFS(j.w.Criterion), j.w.Criterion, benchio.Options{})
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(im.Runs) == 0 && im.MoreFaults == 0 && emptyTree(im):
		return Observation{}, j.failure(ctx, "", run, fmt.Errorf("no benchmark ran, although %s exited 0: it left no file of Criterion's in CRITERION_HOME", j.w.Command))
	case err != nil:
		return Observation{}, fmt.Errorf("reading what Criterion has left: %w", err)
	case len(im.Faults) > 0:
		return Observation{}, fmt.Errorf("reading what Criterion has left: %w", im.Faults[0])
	}
	o := observe(run)
	own := o.Values
	for _, w := range im.Runs[0].Workloads {
		name := w.Name
		if slices.ContainsFunc(own, func(v Value) bool { return v.Metric.Name == name }) {
			name += " (benchmark)" // it is called wall, or the like
		}
		for _, m := range w.Metrics {
			o.Values = append(o.Values, criterionValues(name, m)...)
		}
	}
	for _, key := range im.UnknownKeys { // of a newer Criterion; its samples were read
		o.warn(perf.WarnEnvironment, "%s", key)
	}
	o.Warnings = append(o.Warnings, im.Runs[0].Warnings...)
	return o, nil
}

// emptyTree reports whether the only fault of a tree is that there is nothing in it.
func emptyTree(im *benchio.Import) bool {
	return len(im.Faults) == 1 && im.Faults[0].Line == 0
}

// criterionValues are the samples of one metric of a benchmark, which becomes a metric of
// the workload: under its own name where it is the time, with the metric behind it else,
// as in "fib 20 throughput" or "fib 20 sec/op slope".
func criterionValues(benchmark string, m perf.Series) []Value {
	metric := m.Metric
	metric.Name = benchmark
	if m.Name != string(benchio.PerIteration) {
		metric.Name += " " + m.Name
	}
	out := make([]Value, len(m.Samples))
	for i, v := range m.Samples {
		out[i] = Value{metric, v}
	}
	return out
}
