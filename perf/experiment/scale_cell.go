package experiment

import (
	"fmt"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// A scaleCell is one level of parallelism in one network.
type scaleCell struct {
	network  string
	parallel int
	cold     bool // the image is not on the engine when a lifecycle begins

	excluded string // why it is not measured
	failed   string // why it has failed
	visits   int
	spent    time.Duration
	result   perf.WorkloadResult
	where    *perf.ScalingWhere // what was seen in the visit that was looked into; nil: none was
}

// lifecycleRate is the throughput of lifecycles.
var lifecycleRate = perf.Metric{Name: perf.Throughput.Name, Unit: "lifecycles/sec", Better: perf.Higher}

func (c *scaleCell) name() string {
	name := fmt.Sprintf("%s x%d", c.network, c.parallel)
	if c.cold {
		name += " cold"
	}
	return name
}

// measurable reports whether there is a point in another visit.
func (c *scaleCell) measurable() bool { return c.excluded == "" && c.failed == "" }

// leastVisit is how many lifecycles a visit makes at the least, so that it is not over
// before the engine has settled; coldVisit is that of a cold image, which is measured for
// its phases and not for its throughput.
const (
	leastVisit = 8
	coldVisit  = 2
)

// perVisit is how many lifecycles a visit makes: as many as are in parallel, or twice as
// many where these are few.
func (c *scaleCell) perVisit() int {
	switch {
	case c.cold:
		return coldVisit
	case c.parallel <= leastVisit/2:
		return leastVisit
	case c.parallel <= 2*leastVisit:
		return 2 * c.parallel
	}
	return c.parallel
}

// plan makes the cells, level by level from the lowest, and says which of them cannot be
// reached.
func (x *scaling) plan() {
	info := container.Info{}
	if x.Engine != nil {
		info = x.Engine.Info()
	}
	for i, n := range x.Levels {
		for _, network := range x.Networks {
			c := &scaleCell{network: network, parallel: n, excluded: x.unreachable(info, network, n)}
			x.cells = append(x.cells, c)
			if i == 0 && x.Spec.Config.Image == "" && x.Spec.Archive == nil {
				x.cells = append(x.cells, &scaleCell{network: network, parallel: 1, cold: true, excluded: c.excluded})
			}
		}
	}
}

// unreachable says why nothing in this network can be measured; it is empty where it can.
func (x *scaling) unreachable(info container.Info, network string, n int) string {
	tcp := x.Spec.Ready.Kind == container.ReadyTCP
	switch {
	case network == "host" && info.Local && !info.SharesClock:
		return "the engine runs in a virtual machine, whose network is the host network there: this machine's cannot be reached"
	case network == "host" && tcp && n > 1:
		return fmt.Sprintf("all containers on the host network share its ports, and only one of %d can listen on %d: another network, or another readiness (-ready=log:REGEX or exec:COMMAND)", n, x.Spec.Ready.Port)
	}
	return ""
}

// A visited is what one visit gave.
type visited struct {
	lives  []Observation      // of the lifecycles that came to their end, in that order
	phases []container.Phases // of the same
	wall   time.Duration      // from the first create until the last was removed; 0: not all came so far
	err    error              // of the first lifecycle that failed
	bad    int                // how many failed
}

// add takes a visit of so many lifecycles into the cell.
func (c *scaleCell) add(v visited, spent time.Duration, count int) {
	for _, o := range v.lives {
		collect(&c.result, o)
	}
	if v.err != nil {
		c.failed = fmt.Sprintf("%d of %d lifecycles failed: %v", v.bad, v.bad+len(v.lives), v.err)
		return
	}
	if len(v.lives) < count {
		return // interrupted
	}
	c.visits++
	c.spent += spent
	if v.wall > 0 {
		collect(&c.result, Observation{Values: []Value{{lifecycleRate, float64(count) / v.wall.Seconds()}}})
	}
}

// observeLife turns a lifecycle into values, in the order of its phases.
func observeLife(p container.Phases, cold bool) Observation {
	o := observePhases(p)
	o.Values = append(o.Values, Value{perf.ContainerImage, p.Image.Seconds()})
	if p.HasNetwork {
		o.Values = append(o.Values, Value{perf.ContainerNetwork, p.Network.Seconds()})
	}
	if p.HasExec {
		o.Values = append(o.Values, Value{perf.ContainerExec, p.Exec.Seconds()})
	}
	if cold && p.ImageWarm {
		o.Warnings = append(o.Warnings, perf.Warning{Kind: perf.WarnSubject, Text: "the engine had the image already, so that it was not cold"})
	}
	return o
}

// workload is the cell as a workload of the result.
func (c *scaleCell) workload(complete bool) perf.WorkloadResult {
	w := c.result
	w.Name, w.State = c.name(), perf.StateOK
	w.Metrics = append([]perf.Series(nil), c.result.Metrics...)
	for i := range w.Metrics {
		w.Metrics[i].Summary = fixedSummary(w.Metrics[i].Samples)
	}
	switch {
	case c.failed != "":
		w.State, w.Reason = perf.StateFailed, c.failed
	case c.excluded != "":
		w.State, w.Reason = perf.StateNotMeasured, c.excluded
	case c.visits == 0 && len(w.Metrics) > 0:
		w.State, w.Reason = perf.StateNotMeasured, "interrupted in its first visit"
	case c.visits == 0 && !complete:
		w.State, w.Reason = perf.StateNotMeasured, "the run was interrupted before it"
	case c.visits == 0:
		w.State, w.Reason = perf.StateNotMeasured, "it was not visited"
	}
	return w
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
