package suite

import (
	"errors"
	"fmt"
	"math"
	"path"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// check looks at one workload by itself.
func (w Workload) check() error {
	switch {
	case w.Name == "":
		return errors.New("it has no name")
	case w.Container == nil && (len(w.Command.Args) == 0 || w.Command.Args[0] == ""):
		return errors.New("it has no command")
	case w.Container != nil && len(w.Command.Args) > 0:
		return errors.New("it has a command and a container, and can measure one of them")
	case w.Container != nil && (w.Container.Ready <= 0 || w.Container.Grace <= 0):
		return fmt.Errorf("a container needs a time to become ready in and one to stop in (ready %s, grace %s)", w.Container.Ready, w.Container.Grace)
	case w.Min < 0 || w.Max < 0 || w.Warmup < 0 || w.Memory < 0:
		return fmt.Errorf("a number of runs is negative (min %d, max %d, warm-up %d, memory %d)", w.Min, w.Max, w.Warmup, w.Memory)
	case w.Max > 0 && w.Max < w.Min:
		return fmt.Errorf("at least %d runs and at most %d cannot both be", w.Min, w.Max)
	case w.Budget < 0 || w.Cost < 0 || w.Timeout < 0 || w.HookTimeout < 0:
		return fmt.Errorf("a time is negative (budget %s, cost %s, timeout %s, of hooks %s)", w.Budget, w.Cost, w.Timeout, w.HookTimeout)
	}
	for _, dir := range w.Fresh {
		if !belowWork(dir) {
			return fmt.Errorf("the folder %q under Fresh is emptied, so it must lie below %s", dir, Work)
		}
	}
	if w.Criterion != "" && !belowWork(w.Criterion) {
		return fmt.Errorf("the folder %q under Criterion must lie below %s", w.Criterion, Work)
	}
	for _, f := range w.Files {
		if !belowWork(f.Name) {
			return fmt.Errorf("the file %q under Files must lie below %s", f.Name, Work)
		}
	}
	return w.checkWatch()
}

// belowWork reports whether name is something in the folder of the run, also when the
// dots in it are followed. The folder itself is not.
func belowWork(name string) bool {
	slashed := strings.ReplaceAll(name, `\`, "/")
	return strings.HasPrefix(slashed, Work+"/") && strings.HasPrefix(path.Clean(slashed), Work+"/")
}

// check looks at one objective by itself. What it refuses would be found again when
// the result is written, after all the measuring.
func (o Objective) check() error {
	switch {
	case o.Name == "":
		return errors.New("it has no name")
	case o.Metric.Name == "":
		return errors.New("it has no metric")
	case o.Metric.Better != perf.Lower && o.Metric.Better != perf.Higher:
		return fmt.Errorf("of its metric neither lower nor higher is better, but %q", o.Metric.Better)
	case !(o.Quantile >= 0 && o.Quantile <= 1):
		return fmt.Errorf("the quantile %v does not lie from 0 to 1", o.Quantile)
	case !(o.Confidence > 0 && o.Confidence < 1):
		return fmt.Errorf("the confidence %v does not lie between 0 and 1", o.Confidence)
	}
	return o.checkLimits()
}

// checkLimits makes sure that both limits are numbers and critical is not the
// stricter one.
func (o Objective) checkLimits() error {
	for _, v := range []float64{o.Target, o.Critical} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("the limit %v is not a finite number", v)
		}
	}
	if o.Metric.Better == perf.Higher && o.Critical > o.Target || o.Metric.Better != perf.Higher && o.Critical < o.Target {
		return fmt.Errorf("critical %s is stricter than target %s", o.Metric.Unit.Format(o.Critical), o.Metric.Unit.Format(o.Target))
	}
	return nil
}
