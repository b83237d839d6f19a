package experiment

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A character is what the warm-up shows of a command: how it uses processors. It decides
// by which metric two versions of the command are compared.
type character struct {
	// busy is CPU time over the wall time in which the command did not wait for a
	// processor that somebody else had: on a loaded machine the wall time alone would
	// make everything look idle. It is what most runs of the busier side do not exceed:
	// parallelism may be what one of the sides has lost.
	busy float64
	// busiest is the same of the busiest run of the side that waits more. Other work on
	// the machine makes a command look idle, also where no run delay tells, and nothing
	// makes it look busier than it is; so this tells whether it waits by itself. One side
	// that waits is enough: that it does may be what has changed.
	busiest float64
	// seen is false where the runs of a side gave no CPU time.
	seen bool
}

// usualBusy is the quantile of the runs that busy is.
const usualBusy = 0.8

// Limits of the character. Below waits a command mostly waits, for a disk, a network or
// a timer, and CPU time cannot see that it waits longer. Above parallelShare more than
// one thread computes, and lost parallelism shows in wall time only.
const waits = 0.8

func (c character) parallel() bool { return c.seen && c.busy > parallelShare }
func (c character) waiting() bool  { return !c.seen || c.busiest < waits }

// single reports whether one processor is all that the command uses.
func (c character) single() bool { return c.seen && c.busy <= parallelShare }

// characterise looks at the runs of a warm-up, of each side by itself.
func characterise(sides ...[]Observation) character {
	var c character
	for i, runs := range sides {
		busy := busyness(runs)
		if len(busy) == 0 {
			return character{}
		}
		usual, most := busy[int(usualBusy*float64(len(busy)-1))], busy[len(busy)-1]
		if i == 0 {
			c = character{usual, most, true}
			continue
		}
		c.busy, c.busiest = max(c.busy, usual), min(c.busiest, most)
	}
	return c
}

// busyness is CPU time over the time that there was for it, of each run that gave both,
// in ascending order.
func busyness(runs []Observation) perf.Sample {
	var busy perf.Sample
	for _, o := range runs {
		cpu, has := o.value(perf.CPU)
		wall, hasWall := o.value(perf.Wall)
		if !has || !hasWall {
			continue
		}
		ran := wall - o.Contention.RunDelay.Seconds()
		if ran < wall/100 { // it waited all the time; the delay is a sum over CPUs on some kernels
			ran = wall
		}
		busy = append(busy, cpu/max(ran, 1e-9))
	}
	slices.Sort(busy)
	return busy
}

// value is what the run gave for the metric.
func (o Observation) value(m perf.Metric) (float64, bool) {
	for _, v := range o.Values {
		if v.Metric == m {
			return v.Value, true
		}
	}
	return 0, false
}

// A gateRule is by which metrics a comparison is decided, fixed before its first pair.
type gateRule struct {
	metrics []perf.Metric // that share alpha
	reason  string
	// cpuBlind says that CPU time may not certify "no change".
	cpuBlind bool
}

// cannotCertify reports whether "no change" of a metric would say nothing of the command:
// it is CPU time, or a part of it, of one that mostly waits.
func (g gateRule) cannotCertify(m perf.Metric) bool {
	return g.cpuBlind && slices.Contains([]perf.Metric{perf.CPU, perf.User, perf.System}, m)
}

// has reports whether a metric gates.
func (g gateRule) has(m perf.Metric) bool {
	for _, own := range g.metrics {
		if own.Name == m.Name {
			return true
		}
	}
	return false
}

// chooseGate decides by which metrics a command is compared.
func chooseGate(c character) gateRule {
	upTo := func(busy float64) string {
		return fmt.Sprintf("CPU time is up to %.2f of the time that it could run in", busy)
	}
	busy := upTo(c.busiest)
	switch {
	case !c.seen:
		return gateRule{[]perf.Metric{perf.Wall}, "there is no CPU time to decide by", true}
	case c.parallel():
		return gateRule{[]perf.Metric{perf.CPU, perf.Wall}, "it computes on several threads (" + upTo(max(c.busy, c.busiest)) + "): lost parallelism shows in wall time only, so both decide, with half of alpha each", false}
	case c.waiting():
		return gateRule{[]perf.Metric{perf.Wall}, "it mostly waits (" + busy + "), and CPU time cannot see it wait longer", true}
	}
	return gateRule{[]perf.Metric{perf.CPU}, "it computes on one thread (" + busy + "), and other work on the machine hardly touches CPU time", false}
}

// gateNamed is the rule where the metric was named: by a user, or with a reason by a
// caller who knows how the command is.
func gateNamed(m perf.Metric, reason string, c character) gateRule {
	return gateRule{[]perf.Metric{m}, cmp.Or(reason, "you named it"), reason == "" && c.waiting()}
}

// Warm-up of a pairing: enough runs to know the command, unless they take long.
const (
	warmupRuns = 10 // of each arm, at most
	warmupTime = 500 * time.Millisecond
)
