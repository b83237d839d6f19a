package experiment

import (
	"fmt"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// progress tells the hook where the run stands. rec is nil for a step that is not
// measured.
func (s *session) progress(step *suite.Step, phase string, done, of int, rec *recording) {
	if s.Hooks.Progress == nil {
		return
	}
	p := Progress{Workload: step.Name, Phase: phase, Done: done, Of: of, Left: s.left(step, rec)}
	if rec != nil {
		if wall := rec.wall(); len(wall) > 0 {
			p.Median = stats.Median(wall)
		}
	}
	s.Hooks.Progress(p)
}

// left is how long the rest of the suite takes at the most: what the budgets allow,
// or what the runs of this workload have shown so far where that is less.
func (s *session) left(step *suite.Step, rec *recording) time.Duration {
	var left time.Duration
	for _, later := range s.steps[s.at+1:] {
		left += later.Expected()
	}
	if rec == nil || len(rec.wall()) == 0 {
		return left + step.Expected()
	}
	n := len(rec.wall())
	mean := rec.spent / time.Duration(n)
	runs := rec.atMost() - n + step.Memory
	return left + time.Duration(max(runs, 0))*mean
}

// contentionSum adds up what stood in the way of the runs of a workload.
type contentionSum struct {
	wall, delay, pressure, steal    time.Duration
	hasDelay, hasPressure, hasSteal bool
	// cpu is the processor time of the runs: a command that keeps several processors
	// busy waits for itself, and that is no contention.
	cpu time.Duration
	// engine says that a container engine works for the command: it keeps processors
	// busy that are not in cpu.
	engine bool
}

func (c *contentionSum) add(o Observation) {
	c.wall += o.Wall
	c.engine = c.engine || o.Engine
	for _, v := range o.Values {
		if v.Metric == perf.CPU {
			c.cpu += time.Duration(v.Value * float64(time.Second))
		}
	}
	c.delay += o.Contention.RunDelay
	c.pressure += o.Contention.Pressure
	c.steal += o.Contention.Steal
	c.hasDelay = c.hasDelay || o.Contention.HasRunDelay
	c.hasPressure = c.hasPressure || o.Contention.HasPressure
	c.hasSteal = c.hasSteal || o.Contention.HasSteal
}

// Shares of the wall time above which a warning is due. They are those at which the
// wall time of a command on a shared machine was seen to lose its meaning.
const (
	delayShare    = 0.05
	pressureShare = 0.20
	stealShare    = 0.05
	// parallelShare is the CPU time over wall time above which a command competes with
	// itself: the garbage collector of a Go program of one thread is enough for that.
	parallelShare = 1.05
)

func share(d, of time.Duration) float64 { return float64(d) / float64(max(of, 1)) }

// worst is the largest share of the wall time in which other work stood in the way, in
// words too; it is 0 where no share is large enough for a word.
func (c *contentionSum) worst() (of float64, seen string) {
	alone := share(c.cpu, c.wall) < parallelShare && !c.engine
	switch steal, delay, pressure := share(c.steal, c.wall), share(c.delay, c.wall), share(c.pressure, c.wall); {
	case c.hasSteal && steal > stealShare:
		return steal, fmt.Sprintf("the hypervisor took the CPU away for %.0f %% of the time", 100*steal)
	case c.hasDelay && alone && delay > delayShare:
		return max(delay, pressure), fmt.Sprintf("the command waited for a CPU %.0f %% of its time", 100*delay)
	case c.hasPressure && alone && pressure > pressureShare:
		return pressure, fmt.Sprintf("something on this machine waited for a CPU %.0f %% of the time", 100*pressure)
	}
	return 0, ""
}

// warning sums the contention up in a sentence with a remedy, or is empty. It knows
// whether the command is pinned already.
func (c *contentionSum) warning(pinned []int) string {
	_, seen := c.worst()
	if seen == "" {
		return ""
	}
	if c.cpu == 0 { // of reloads, whose CPU time nobody knows
		return seen + ": stop what else runs here"
	}
	remedy := "stop what else runs here, or pin the command to a free CPU (-cpu=N of the target time)"
	if len(pinned) > 0 {
		remedy = "stop what else runs here, or pin to another CPU"
	}
	return seen + ": trust cpu more than wall, and " + remedy
}

// paired sums the contention of a comparison up, whose runs share it between its sides.
func (c *contentionSum) paired() string {
	if _, seen := c.worst(); seen != "" {
		return seen + ": both sides had their share of it, so that it makes no difference, but it takes more pairs"
	}
	return ""
}

// LearnCosts replaces the expected cost of the one-shots among steps by what they took
// in an earlier run.
func LearnCosts(steps []suite.Step, earlier *perf.Result) {
	for i := range steps {
		w := earlier.Workload(steps[i].Name)
		if w == nil || !steps[i].OneShot {
			continue
		}
		if wall, ok := w.Series(perf.Wall.Name); ok && len(wall.Samples) > 0 {
			steps[i].Cost = time.Duration(stats.Median(wall.Samples) * float64(time.Second)).Round(time.Second)
		}
	}
}
