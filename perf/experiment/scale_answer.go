package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// report writes what is known so far into the result.
func (x *scaling) report() {
	x.result.Workloads, x.result.Scaling = nil, nil
	if x.pulled != nil {
		x.result.Workloads = append(x.result.Workloads, *x.pulled)
	}
	for _, network := range x.Networks {
		for _, cold := range []bool{false, true} {
			for _, c := range x.cells {
				if c.network == network && c.cold == cold {
					x.result.Workloads = append(x.result.Workloads, c.workload(x.result.Complete))
				}
			}
		}
	}
	for _, network := range x.Networks {
		x.result.Scaling = append(x.result.Scaling, x.scalingOf(network))
	}
	answerScaling(x.result)
}

// ScaleMeasured reports whether any level of a result of a [Scale] has a throughput.
func ScaleMeasured(r *perf.Result) bool {
	return slices.ContainsFunc(r.Workloads, func(w perf.WorkloadResult) bool {
		_, ok := w.Series(lifecycleRate.Name)
		return ok
	})
}

// scalingOf fits the law to the levels of a network.
func (x *scaling) scalingOf(network string) perf.Scaling {
	s := perf.Scaling{Name: "network " + network, Seed: x.Seed}
	var loads []stats.Load
	for _, c := range x.cells {
		if c.network != network {
			continue
		}
		s.Levels = append(s.Levels, perf.ScalingLevel{Parallel: c.parallel, Workload: c.name(), Cold: c.cold})
		if c.where != nil {
			s.Where = append(s.Where, *c.where)
		}
		if w := c.workload(x.result.Complete); !c.cold && w.State == perf.StateOK {
			rate, _ := w.Series(lifecycleRate.Name)
			loads = append(loads, stats.Load{Parallel: c.parallel, Throughput: rate.Samples})
		}
	}
	fit, err := stats.FitScaling(loads, confidence)
	if err != nil {
		s.Reason = err.Error()
		return s
	}
	s.Lambda, s.Misfit = finite(fit.Lambda), finite(fit.Misfit)
	s.Contention, s.Coherency, s.Best = bounded(fit.Contention), bounded(fit.Coherency), bounded(fit.Best)
	if fit.Contention.HasBounds {
		s.Confidence = confidence
	}
	return s
}

// bounded is an interval as a result holds it, where an infinity is null.
func bounded(i stats.Interval) perf.Bounded {
	b := perf.Bounded{Estimate: finite(i.Estimate)}
	if i.HasBounds {
		b.Low, b.High = finite(i.Low), finite(i.High)
	}
	return b
}

func finite(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}

// A levelFigures is what a level is judged by: medians, in seconds and lifecycles a
// second.
type levelFigures struct {
	n       int
	rate    perf.Summary
	rates   perf.Sample
	life    float64 // from the create until it is removed
	start   float64 // from the create until it is ready
	program float64 // the program's own part of the start; 0: it is not known
	phases  map[string]float64
	where   *perf.ScalingWhere // nil: that was not seen
}

// figuresOf reads the levels of a scaling that were measured, without the cold one.
func figuresOf(r *perf.Result, s perf.Scaling) []levelFigures {
	var out []levelFigures
	for _, l := range s.Levels {
		w := r.Workload(l.Workload)
		if l.Cold || w == nil || w.State != perf.StateOK {
			continue
		}
		f := levelFigures{n: l.Parallel, phases: map[string]float64{}}
		for _, m := range w.Metrics {
			if m.Summary != nil {
				f.phases[m.Name] = m.Summary.Center
			}
		}
		rate, ok := w.Series(lifecycleRate.Name)
		if !ok || rate.Summary == nil {
			continue
		}
		if at := slices.IndexFunc(s.Where, func(w perf.ScalingWhere) bool { return w.Workload == l.Workload }); at >= 0 {
			f.where = &s.Where[at]
		}
		f.rate, f.rates = *rate.Summary, rate.Samples
		f.life, f.start, f.program = f.phases[perf.Wall.Name], f.phases[perf.ContainerStart.Name], f.phases[perf.ContainerProgram.Name]
		out = append(out, f)
	}
	return out
}

// asGood is the share of the highest throughput from which on a level counts as
// saturated: less than visits differ by.
const asGood = 0.95

// saturation is the lowest level with nearly the highest throughput of all.
func saturation(levels []levelFigures) levelFigures {
	most := 0.0
	for _, l := range levels {
		most = max(most, l.rate.Center)
	}
	for _, l := range levels {
		if l.rate.Center >= asGood*most {
			return l
		}
	}
	return levels[len(levels)-1]
}

// fallen reports whether throughput is lower at the top than where it was highest, beyond
// doubt.
func fallen(full, top levelFigures) bool {
	return top.rate.Center < asGood*full.rate.Center && apart(top, full)
}

// answerScaling says of each network of a result what limits it and what would help.
func answerScaling(r *perf.Result) {
	var all [][]levelFigures
	for i := range r.Scaling {
		all = append(all, figuresOf(r, r.Scaling[i]))
	}
	kept := false
	for i := range r.Scaling {
		s := &r.Scaling[i]
		if len(all[i]) == 0 {
			continue
		}
		s.Advice = append(advise(all[i]), relieve(all[i][len(all[i])-1], r.Machine.Cores)...)
		if text := keepContainers(all[i]); text != "" && !kept {
			s.Advice, kept = append(s.Advice, text), true // the same in every network
		}
		if text := otherNetwork(r.Scaling, all, i); text != "" {
			s.Advice = append(s.Advice, text)
		}
		s.Answer = answer(all[i], s.Advice)
	}
}

// longer is how many times a start must take what it does alone to be called longer.
const longer = 1.05

// answer says in one sentence what a start takes at the highest level, why, and what would
// help; and then what that rests on.
func answer(levels []levelFigures, advice []string) string {
	top, one, full := levels[len(levels)-1], levels[0], saturation(levels)
	var b strings.Builder
	fmt.Fprintf(&b, "A start takes %s at %d in parallel", seconds(top.start), top.n)
	if top.n == one.n {
		fmt.Fprintf(&b, ", and %s a second are started and removed again. Why, only several levels can tell.", rate(top))
		return b.String()
	}
	switch {
	case full.n == top.n && !apart(levels[len(levels)-2], top):
		fmt.Fprintf(&b, ", and the most are finished there, %s a second, but the visits are too few or too different to tell whether throughput still rises", rate(top))
	case full.n == top.n:
		fmt.Fprintf(&b, ", and throughput still rises there, to %s a second: no level was reached from which on containers wait for each other alone", rate(top))
	case fallen(full, top):
		fmt.Fprintf(&b, ", because this engine finishes at most %s a second, at %d in parallel, and only %s at %d", rate(full), full.n, rate(top), top.n)
	case top.rate.Center < asGood*full.rate.Center:
		fmt.Fprintf(&b, ", because this engine finishes no more from %d in parallel on (%s a second there and %s at %d, which so few visits do not tell apart)", full.n, rate(full), rate(top), top.n)
	default:
		fmt.Fprintf(&b, ", because this engine finishes %s a second from %d in parallel on", rate(top), full.n)
	}
	b.WriteString(waiting(one, top))
	if top.start > longer*one.start {
		b.WriteString(remedies(advice))
	}
	b.WriteString(".")
	if full.n != top.n {
		// Little's law, L = λW: what is in flight is what is finished a second times what each takes.
		fmt.Fprintf(&b, " %d under way at %s a second are %s for each, from create to removed (%s were measured).", top.n, rate(top), seconds(float64(top.n)/top.rate.Center), seconds(top.life))
	}
	b.WriteString(alone(one, top))
	return b.String()
}

// waiting says how much of a start at the top is not there at the lowest level, which is
// time in which others are served, and what the engine did meanwhile.
func waiting(one, top levelFigures) string {
	if !(top.start > longer*one.start) {
		return fmt.Sprintf("; it takes hardly longer than at %d in parallel (%s)", one.n, seconds(one.start))
	}
	text := "; " + pct((top.start-one.start)/top.start) + " of it is waiting, for the engine or in the program, whose own part is not known"
	if one.program > 0 && top.program > 0 {
		text = waitingDivided(one, top)
	}
	if top.where != nil {
		text += " (of the start, " + causeText(top.where) + ")"
	}
	return text
}

// remedies names what would help, whose evidence the advice has.
func remedies(advice []string) string {
	var list []string
	for _, a := range advice {
		what, _, _ := strings.Cut(a, ":")
		list = append(list, "to "+what)
	}
	switch n := len(list); n {
	case 0:
		return ""
	case 1:
		return "; " + list[0] + " would help"
	default:
		return "; " + strings.Join(list[:n-1], ", ") + " or " + list[n-1] + " would help"
	}
}

// alone says what a start takes at the lowest level, what has grown since, and what the
// program takes without a container.
func alone(one, top levelFigures) string {
	text := ""
	if top.start > longer*one.start {
		text = fmt.Sprintf(" At %d in parallel a start takes %s", one.n, seconds(one.start))
		if one.program > 0 {
			text += fmt.Sprintf(", %s of it in the program", seconds(one.program))
		}
		text += "."
		if name, grown, whole := mostGrown(one, top); name != "" {
			text += fmt.Sprintf(" Of what a whole life takes longer, %s is in %s.", pct(grown/whole), name)
		}
	}
	if one.where == nil || top.where == nil || one.where.Control == nil || top.where.Control == nil {
		return text
	}
	return text + fmt.Sprintf(" As a process without a container the same program is ready after %s at %d in parallel, and %s at %d.",
		seconds(one.where.Control.Ready), one.n, seconds(top.where.Control.Ready), top.n)
}

// worthTelling is the share of a start from which on a part of it is told.
const worthTelling = 0.01

// waitingDivided says what of the waiting is for the engine and what is in the program. Both
// are differences of medians, of which one can be nothing, or a little less.
func waitingDivided(one, top levelFigures) string {
	engine := (top.start - top.program - (one.start - one.program)) / top.start
	program := (top.program - one.program) / top.start
	const ofProgram = "the program's waiting for processor and disk"
	switch {
	case engine < worthTelling:
		return fmt.Sprintf("; %s of it is %s", pct(program), ofProgram)
	case program < worthTelling:
		return fmt.Sprintf("; %s of it is waiting for the engine", pct(engine))
	}
	return fmt.Sprintf("; %s of it is waiting for the engine and %s %s", pct(engine), pct(program), ofProgram)
}

// lifePhases are the phases that follow each other in a life. Start and ready overlap: ready has
// the whole of both.
var lifePhases = []struct{ metric, word string }{
	{perf.ContainerCreate.Name, "create"}, {perf.ContainerReady.Name, "start to ready"}, {perf.ContainerExec.Name, "exec"},
	{perf.ContainerStop.Name, "stop"}, {perf.ContainerRemove.Name, "remove"},
}

// mostGrown is the phase that has grown most, by how much, and how much all have grown.
func mostGrown(one, top levelFigures) (name string, grown, whole float64) {
	for _, p := range lifePhases {
		more := top.phases[p.metric] - one.phases[p.metric]
		if p.metric == perf.ContainerReady.Name { // the call can return after the program is ready
			more = max(top.phases[p.metric], top.phases[perf.ContainerRun.Name]) - max(one.phases[p.metric], one.phases[perf.ContainerRun.Name])
		}
		whole += max(more, 0)
		if more > grown {
			name, grown = p.word, more
		}
	}
	return name, grown, whole
}

// advise says what would help within one network.
func advise(levels []levelFigures) []string {
	top, one, full := levels[len(levels)-1], levels[0], saturation(levels)
	var out []string
	if full.n < top.n && full.start < top.start {
		gain := "as many"
		switch {
		case fallen(full, top):
			gain = "more"
		case top.rate.Center < asGood*full.rate.Center:
			gain = "no fewer"
		}
		out = append(out, fmt.Sprintf("begin at most %d at once: a start then takes %s and not %s, and %s are finished a second (%s, against %s at %d)",
			full.n, seconds(full.start), seconds(top.start), gain, rate(full), rate(top), top.n))
	}
	if one.program > one.start/2 {
		out = append(out, fmt.Sprintf("share one container among tests, or make its program start faster: %s of the %s of a start at %d in parallel are the program's own, which no engine makes shorter",
			seconds(one.program), seconds(one.start), one.n))
	}
	return out
}

// What speaks for a remedy against what the engine waits for: a share of the start that is
// worth it, and processors that are as good as taken.
const (
	reliefShare = 0.15
	takenShare  = 0.8
)

// relieve says what would shorten the engine's own work at a level, as far as it was seen.
// Each could win what it names at the most.
func relieve(l levelFigures, cores int) []string {
	w := l.where
	if w == nil || w.Undivided != "" || w.Processors == nil || cores < 1 {
		return nil
	}
	var out []string
	if delay := shareOfStart(w, container.CauseRunDelay); delay >= reliefShare {
		evidence := fmt.Sprintf("at %d in parallel it waits for one for %s of a start, while its programs keep %.1f of %d busy", l.n, pct(delay), *w.Processors, cores)
		if *w.Processors >= takenShare*float64(cores) {
			out = append(out, "give the engine more processors: "+evidence)
		} else {
			// Who has the rest is not known: other work, but also the kernel, the hypervisor, and
			// programs of the engine that live too short to be seen.
			out = append(out, "give the engine more processors or fewer competitors for them: "+evidence+
				" as far as was seen; other work may have the rest, or its programs that are gone too soon to be seen")
		}
	}
	if disk := shareOfStart(w, container.CauseDisk); disk >= reliefShare {
		out = append(out, fmt.Sprintf("put the engine's data on a faster disk: at %d in parallel it waits for disk and file systems for %s of a start", l.n, pct(disk)))
	}
	all, fuse := 0.0, 0.0
	for _, p := range w.Programs {
		all += p.CPU
		if p.Program == fuseOverlay {
			fuse = p.CPU
		}
	}
	if share := fuse / max(all, 1e-12); share >= reliefShare {
		out = append(out, fmt.Sprintf("let the kernel stack the images' layers (the storage driver overlay2): %s, which does that as a process, takes %s of processor time for each life, %s of the engine's", fuseOverlay, seconds(fuse), pct(share)))
	}
	return out
}

// fuseOverlay is the program by which an engine stacks layers where the kernel's own file
// system for that cannot be used.
const fuseOverlay = "fuse-overlayfs"

// keepContainers says what it saves to run one more command in a container that is there.
func keepContainers(levels []levelFigures) string {
	one := levels[0]
	exec := one.phases[perf.ContainerExec.Name]
	if !(exec > 0 && exec < one.life/2) {
		return ""
	}
	return fmt.Sprintf("keep containers and run commands in them: an exec takes %s at %d in parallel, and a whole life %s", seconds(exec), one.n, seconds(one.life))
}

// otherNetwork names the network that is faster than this one beyond doubt, at the
// highest level that both have.
func otherNetwork(list []perf.Scaling, all [][]levelFigures, this int) string {
	best, gain, text := -1, 1.0, ""
	for i := range all {
		mine, theirs, ok := commonTop(all[this], all[i])
		if i == this || !ok || !apart(mine, theirs) {
			continue
		}
		if ratio := theirs.rate.Center / mine.rate.Center; ratio > gain {
			best, gain = i, ratio
			text = fmt.Sprintf("use %s: it finishes %s a second at %d in parallel, and %s only %s", list[i].Name, rate(theirs), theirs.n, strings.TrimPrefix(list[this].Name, "network "), rate(mine))
		}
	}
	if best < 0 {
		return ""
	}
	return text
}

// commonTop is the highest level that both have.
func commonTop(a, b []levelFigures) (x, y levelFigures, ok bool) {
	for _, l := range a {
		for _, m := range b {
			if l.n == m.n {
				x, y, ok = l, m, true
			}
		}
	}
	return x, y, ok
}

// apart reports whether one level is faster than another beyond doubt: their intervals do
// not touch, or, with too few visits for intervals, each of the one is faster than all of
// the other.
func apart(slow, fast levelFigures) bool {
	if slow.rate.High != nil && fast.rate.Low != nil {
		return *fast.rate.Low > *slow.rate.High
	}
	return len(slow.rates) > 0 && len(fast.rates) > 0 && slices.Min(fast.rates) > slices.Max(slow.rates) && orders(len(slow.rates), len(fast.rates)) >= fewestOrders
}

// fewestOrders is how many ways there must be to deal the visits out, so that one way has
// a chance of 2.5 % at the most where the levels do not differ (the rank sum test, exact and
// one-sided). Four visits to each are 70 ways, and three are 20.
const fewestOrders = 40

// orders is how many ways there are to choose n of n+m.
func orders(n, m int) float64 {
	ways := 1.0
	for i := 1; i <= n; i++ {
		ways *= float64(m+i) / float64(i)
	}
	return ways
}

// rate prints a throughput with the digits that mean something.
func rate(l levelFigures) string {
	return perf.NewScale(perf.Ratio, l.rate.Center).Number(l.rate.Center)
}
