package container

import (
	"cmp"
	"slices"
	"time"
)

// The steps of a start and of a stop that an engine's events tell apart.
const (
	// StepPrepare is from the start call until the container is connected to its network:
	// the engine mounts its file system and makes its end of the network.
	StepPrepare = "mount and connect"
	// StepRuntime is from there until the program's first moment: containerd, the shim and
	// runc make namespaces and cgroups.
	StepRuntime = "runtime"
	// StepProgram is the program's own: until it is ready, or from the signal to its end.
	StepProgram = "program"
	// StepTearDown is from the program's end until the engine answers.
	StepTearDown = "tear down"
	// StepWhole is a phase, or the rest of one, that no event divides.
	StepWhole = "whole"
)

// A Share is how long a step of a phase went by for one cause.
type Share struct {
	Phase string // "create", "attach", "start", "exec", "stop", "remove"
	Step  string
	Cause Cause
	Time  time.Duration
}

// A span is a step with its beginning and end.
type span struct {
	phase, step string
	from, to    time.Time
	cause       Cause // empty: what the engine was seen to do
}

// Where tells where the time of one lifecycle went: its phases divided into steps by
// the engine's own events, and those into causes by what the engine was seen to do.
// "start" is from the start call until the program was ready. The shares of a phase make
// up its time. Without events (a zero Timeline), or where the engine has another clock,
// phases are whole; without a watch (a zero EngineWork), the engine's part is undivided.
func Where(p Phases, t Timeline, w EngineWork) []Share {
	var shares []Share
	for _, s := range spans(p, t) {
		if !s.to.After(s.from) {
			continue
		}
		if s.cause != "" {
			shares = append(shares, Share{s.phase, s.step, s.cause, s.to.Sub(s.from)})
			continue
		}
		causes := w.Between(s.from, s.to)
		for _, c := range Causes() {
			if d := causes[c]; d > 0 {
				shares = append(shares, Share{s.phase, s.step, c, d})
			}
		}
	}
	return shares
}

// spans are the steps of a lifecycle by time.
func spans(p Phases, t Timeline) []span {
	created := p.Began.Add(p.Create)
	ready, running := p.Started.Add(p.Ready), p.Started.Add(max(p.Start, p.Ready))
	stopped := p.Stopped.Add(p.Stop)
	list := []span{
		{phase: "create", step: StepWhole, from: p.Began, to: created},
		{phase: "attach", step: StepWhole, from: created, to: created.Add(p.Attach)},
	}
	main := ready
	if p.HasProgram {
		main = p.Started.Add(p.BeforeMain)
	}
	if connect := t.Connect; inside(connect, p.Started, main) {
		list = append(list, span{"start", StepPrepare, p.Started, connect, ""}, span{"start", StepRuntime, connect, main, ""})
	} else {
		list = append(list, span{"start", StepWhole, p.Started, main, ""})
	}
	// The program may be ready before the engine has answered that it runs.
	list = append(list, span{"start", StepProgram, main, ready, CauseProgram}, span{"start", StepWhole, ready, running, ""})
	if p.HasExec {
		list = append(list, span{"exec", StepWhole, running, running.Add(p.Exec), ""})
	}
	if die := t.Die; inside(die, p.Stopped, stopped) {
		kill := p.Stopped
		if inside(t.Kill, p.Stopped, die) {
			kill = t.Kill
			list = append(list, span{"stop", StepWhole, p.Stopped, kill, ""})
		}
		list = append(list, span{"stop", StepProgram, kill, die, ""}, span{"stop", StepTearDown, die, stopped, ""})
	} else {
		list = append(list, span{"stop", StepWhole, p.Stopped, stopped, ""})
	}
	return append(list, span{phase: "remove", step: StepWhole, from: p.Removed, to: p.Removed.Add(p.Remove)})
}

func inside(t, from, to time.Time) bool {
	// The wall clock is what the events have in common with the phases.
	t, from, to = t.Round(0), from.Round(0), to.Round(0)
	return !t.IsZero() && !t.Before(from) && !t.After(to)
}

// MeanShares averages the shares of many lifecycles: what a phase's shares add up to is
// the mean of the phase. They are in the order of a lifecycle.
func MeanShares(lifecycles ...[]Share) []Share {
	type key struct {
		phase, step string
		cause       Cause
	}
	var mean []Share
	at := map[key]int{}
	for _, shares := range lifecycles {
		for _, s := range shares {
			k := key{s.Phase, s.Step, s.Cause}
			i, ok := at[k]
			if !ok {
				i = len(mean)
				at[k] = i
				mean = append(mean, Share{s.Phase, s.Step, s.Cause, 0})
			}
			mean[i].Time += s.Time
		}
	}
	for i := range mean {
		mean[i].Time /= time.Duration(len(lifecycles))
	}
	slices.SortStableFunc(mean, order)
	return mean
}

// order compares shares by where they are in a lifecycle.
func order(a, b Share) int {
	return cmp.Or(
		cmp.Compare(slices.Index(phaseOrder, a.Phase), slices.Index(phaseOrder, b.Phase)),
		cmp.Compare(slices.Index(stepOrder, a.Step), slices.Index(stepOrder, b.Step)),
		cmp.Compare(slices.Index(Causes(), a.Cause), slices.Index(Causes(), b.Cause)))
}

var (
	phaseOrder = []string{"create", "attach", "start", "exec", "stop", "remove"}
	stepOrder  = []string{StepWhole, StepPrepare, StepRuntime, StepProgram, StepTearDown}
)
