package experiment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Shares from which something is a symptom, and from which it speaks for a strategy. What
// has a tenth of the time cannot make a program faster than by a tenth, so neither is less.
const (
	symptomMost = 0.5  // most of the time
	symptomPart = 0.2  // a part that is worth a look
	adviceShare = 0.15 // what a strategy could win at the most
	// allocatorShare is what allocators must have themselves before page faults speak for
	// fewer allocations: the begin of a process and of threads is full of faults as well.
	allocatorShare = 0.05
	// parallelGain is how much more work at once must be done for parallel execution to fit,
	// and noGain what is none.
	parallelGain = 1.5
	noGain       = 1.2
	// freeCores is the share of its processors that a workload may use and still have some free.
	freeCores = 0.75
	// noCheaper is how much cheaper later runs may be and still do all anew.
	noCheaper = 0.8
)

// The kinds of profiles, as perf/profiler names them.
const (
	cpuProfile = "cpu"
	offProfile = "off-cpu"
)

// Groups of classes, as the rules of perf/calltree name them, that a strategy is about.
const (
	groupAllocation = "Allocation"
	groupSerial     = "Serialisation"
	groupLocking    = "Locking"
	groupSystem     = "System calls"
	groupDocker     = "Docker operations"
	groupUnknown    = "Waiting"
)

// Diagnose fills in the symptoms, the classes, the bottleneck and the strategies from what
// was measured. The same measurements give the same answer.
func (t *Triage) Diagnose() {
	t.Scale.Fixed, t.Scale.Law = fixedShare(t.Scale.Sizes), lawOf(t.Scale.Parallel)
	t.preempted()
	t.Classes = t.classes()
	t.Symptoms = t.symptoms()
	t.Bottleneck = t.bottleneck()
	t.Strategies = []Strategy{t.lazy(), t.parallel(), t.caching(), t.allocations()}
}

// profile returns the profile of a kind, or nil.
func (t *Triage) profile(kind string) *TriageProfile {
	for i := range t.Profiles {
		if t.Profiles[i].Kind == kind {
			return &t.Profiles[i]
		}
	}
	return nil
}

// preempted takes for delay what the profile of waits has seen of it: the system tells how
// long the first thread of a command could have run and did not, and others may do its work.
func (t *Triage) preempted() {
	u := &t.Usage
	if p := t.profile(offProfile); p != nil && p.Preempted > u.Delay {
		u.Delay = min(p.Preempted, max(u.Wall-u.CPU(), 0))
		u.Waiting = max(0, u.Wall-u.CPU()-u.Delay)
	}
	if u.Wall > 0 {
		t.Environment.Contention = u.Delay / u.Wall
	}
}

// classes weighs the classes of the profiles: those of the CPU profile have the CPU time,
// those of waits the waiting, as far as a thread that is not idle has waited for so long. What
// no profile explains is a class of its own.
func (t *Triage) classes() []TriageClass {
	used := t.Usage.used()
	if used <= 0 {
		return nil
	}
	if t.Usage.Phases != nil {
		return t.lifeClasses()
	}
	var out []TriageClass
	add := func(p *TriageProfile, unknown string, time, explained float64) {
		if p == nil || len(p.Classes) == 0 {
			explained = 0
		}
		if rest := (time - explained) / used; rest > 0 {
			out = append(out, TriageClass{Group: unknown, Name: "not known", Share: rest})
		}
		if explained <= 0 {
			return
		}
		part := explained / used
		for _, c := range p.Classes {
			at := slices.IndexFunc(out, func(o TriageClass) bool { return o.Group == c.Group && o.Name == c.Name })
			if at < 0 {
				at = len(out)
				out = append(out, TriageClass{Group: c.Group, Name: c.Name})
			}
			out[at].Share += part * c.Share
			out[at].Kernel += part * c.Kernel
			for _, l := range c.Leaders {
				if len(out[at].Leaders) < 3 && !slices.Contains(out[at].Leaders, l) {
					out[at].Leaders = append(out[at].Leaders, l)
				}
			}
		}
	}
	add(t.profile(cpuProfile), "CPU time", t.Usage.CPU(), t.Usage.CPU())
	waits, waited := t.profile(offProfile), 0.0
	if waits != nil {
		waited = min(waits.Run, t.Usage.Waiting)
	}
	add(waits, groupUnknown, t.Usage.Waiting, waited)
	slices.SortStableFunc(out, func(a, b TriageClass) int { return cmp.Compare(b.Share, a.Share) })
	return out
}

// lifeClasses are the causes of the life of one container at a time, where they were seen.
func (t *Triage) lifeClasses() []TriageClass {
	w := t.seen()
	if w == nil {
		return []TriageClass{{Group: groupUnknown, Name: "not known", Share: 1}}
	}
	var out []TriageClass
	life := 0.0
	for _, p := range w.Parts {
		life += p.Seconds
		at := slices.IndexFunc(out, func(c TriageClass) bool { return c.Name == p.Cause })
		if at < 0 {
			at = len(out)
			out = append(out, TriageClass{Group: groupDocker, Name: p.Cause})
		}
		out[at].Share += p.Seconds
		if step := p.Phase + " " + p.Step; len(out[at].Leaders) < 3 && !slices.Contains(out[at].Leaders, step) {
			out[at].Leaders = append(out[at].Leaders, step)
		}
	}
	for i := range out {
		out[i].Share /= max(life, 1e-12)
	}
	slices.SortStableFunc(out, func(a, b TriageClass) int { return cmp.Compare(b.Share, a.Share) })
	return out
}

// seen is where the time of the lives goes at the lowest level; nil where that was not
// measured.
func (t *Triage) seen() *perf.ScalingWhere {
	if c := t.Scale.Containers; c != nil && len(c.Where) > 0 {
		return &c.Where[0]
	}
	return nil
}

// share adds the classes of a group up; of the named ones only, where there are names.
func (t *Triage) share(group string, names ...string) (share float64, leaders []string) {
	for _, c := range t.Classes {
		if c.Group == group && (len(names) == 0 || slices.Contains(names, c.Name)) {
			share += c.Share
			leaders = append(leaders, c.Leaders...)
		}
	}
	return share, leaders[:min(len(leaders), 3)]
}

func pct(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

func seconds(v float64) string { return perf.Second.Format(v) }

// in names functions behind a share.
func in(leaders []string) string {
	if len(leaders) == 0 {
		return ""
	}
	return " (" + strings.Join(leaders, ", ") + ")"
}

// symptoms are what the shares of time show, the greatest first.
func (t *Triage) symptoms() []Symptom {
	u := t.Usage
	var out []Symptom
	add := func(name string, share, least float64, format string, args ...any) {
		if share >= least {
			out = append(out, Symptom{Name: name, Share: share, Evidence: fmt.Sprintf(format, args...)})
		}
	}
	if used := u.used(); used > 0 && u.Phases == nil {
		add("CPU-bound", u.CPU()/used, symptomMost, "of %s that a run takes, %s is CPU time (user %s, system %s) and %s waiting",
			seconds(used), seconds(u.CPU()), seconds(u.User), seconds(u.System), seconds(u.Waiting))
		add("waiting", u.Waiting/used, symptomMost, "a run takes %s, of which it computes for %s and could not run for %s: for %s it waits for something",
			seconds(u.Wall), seconds(u.CPU()), seconds(u.Delay), seconds(u.Waiting))
	}
	memory, leaders := t.share(groupAllocation)
	faults := perf.Count.Format(u.Faults) + " page faults"
	if u.Faults == 0 { // no process begins without one: this system does not tell
		faults = "page faults that were not counted"
	}
	add("memory-bound", memory, symptomPart, "allocation, garbage collection and page faults have %s of the time%s; a run has %s and a peak of %s",
		pct(memory), in(leaders), faults, t.peak())
	io, leaders := t.share(groupSystem, "files", "sockets")
	add("I/O-bound", io, symptomPart, "reading and writing have %s of the time%s; a run moves %s in and %s out",
		pct(io), in(leaders), perf.Byte.Format(u.Read), perf.Byte.Format(u.Written))
	locks, leaders := t.share(groupLocking)
	add("lock contention", locks, symptomPart, "locks have %s of the time%s; a run is switched off the CPU %s times", pct(locks), in(leaders), perf.Count.Format(u.Switches))
	if u.Wall > 0 {
		add("held up by others", u.Delay/u.Wall, symptomPart, "for %s of %s a run could have run, and other work had the CPU", seconds(u.Delay), seconds(u.Wall))
	}
	out = append(out, t.phases()...)
	slices.SortStableFunc(out, func(a, b Symptom) int { return cmp.Compare(b.Share, a.Share) })
	return out
}

// phases are the parts of a container's life that have a part of it.
func (t *Triage) phases() []Symptom {
	var out []Symptom
	for _, m := range []perf.Metric{perf.ContainerCreate, perf.ContainerReady, perf.ContainerStop, perf.ContainerRemove} {
		v := t.Usage.Phases[m.Name]
		if share := v / max(t.Usage.Wall, 1e-12); v > 0 && share >= symptomPart {
			out = append(out, Symptom{"container " + m.Name, share, fmt.Sprintf("of a life of %s, %s has %s", seconds(t.Usage.Wall), m.Name, seconds(v))})
		}
	}
	return out
}

func (t *Triage) peak() string {
	if t.Usage.PeakMemory == 0 {
		return "unknown memory"
	}
	return perf.Byte.Format(t.Usage.PeakMemory)
}

// bottleneck is the group of classes that has most of the time.
func (t *Triage) bottleneck() string {
	if t.Usage.Phases != nil {
		return groupDocker
	}
	sums := map[string]float64{}
	best := ""
	for _, c := range t.Classes {
		if sums[c.Group] += c.Share; c.Name != "not known" && (best == "" || sums[c.Group] > sums[best]) {
			best = c.Group
		}
	}
	return best
}

// lazy judges lazy initialisation: what is done before the work is needed.
func (t *Triage) lazy() Strategy {
	s := Strategy{Name: "lazy initialisation", Fit: FitUnknown}
	if p := t.profile(cpuProfile); p != nil && t.Usage.used() > 0 {
		share := p.Init * t.Usage.CPU() / t.Usage.used()
		s.judge(share >= adviceShare, "%s of the time is initialisation, before the program's own work begins", pct(share))
	}
	if f := t.Scale.Fixed; f != nil {
		last := t.Scale.Sizes[len(t.Scale.Sizes)-1]
		s.judge(*f >= symptomMost, "of %s for %d %s, %s would be there for none of them (a line through %d sizes)",
			seconds(last.Wall), last.N, cmp.Or(t.Scale.SizeUnit, "items"), pct(*f), len(t.Scale.Sizes))
	}
	return s
}

// judge adds a measurement. One that speaks for a strategy outweighs those that do not.
func (s *Strategy) judge(fits bool, format string, args ...any) {
	s.Evidence = append(s.Evidence, fmt.Sprintf(format, args...))
	switch {
	case fits:
		s.Fit = FitYes
	case s.Fit == FitUnknown:
		s.Fit = FitNo
	}
}

// parallel judges parallel execution: whether there is room, and whether more at once is
// more work done.
func (t *Triage) parallel() Strategy {
	s := Strategy{Name: "parallel execution", Fit: FitUnknown}
	gain, n := t.Scale.Gain()
	if gain == 0 {
		return s
	}
	u := t.Usage
	room := fmt.Sprintf("one run uses %.2f of %d cores", u.CPU()/max(u.Wall, 1e-12), u.Cores)
	hasRoom := u.CPU() < freeCores*float64(u.Cores)*max(u.Wall-u.Delay, 1e-12)
	if u.Phases != nil {
		room, hasRoom = "the engine works for one of them meanwhile", true
		if c := t.Scale.Containers; c != nil && c.Contention.Estimate != nil && c.Coherency.Estimate != nil {
			room = fmt.Sprintf("by the Universal Scalability Law only one at a time can do %s of the work (contention), and each pair costs the other %.2g of it (coherency)",
				pct(*c.Contention.Estimate), *c.Coherency.Estimate)
		}
	}
	if t.Environment.Contention >= symptomPart {
		s.Evidence = append(s.Evidence, fmt.Sprintf("%d at once do %.2g times the work of one, but other work had the CPU for %s of the time, and more at once only take a greater share of it: measure on a machine that is free",
			n, gain, pct(t.Environment.Contention)))
		return s
	}
	s.judge(gain >= parallelGain && hasRoom, "%d at once do %.2g times the work of one in the same time, and %s", n, gain, room)
	if law := t.Scale.Law.String(); law != "" {
		s.Evidence = append(s.Evidence, law)
	}
	if gain < noGain {
		if locks, leaders := t.share(groupLocking); locks >= symptomPart {
			s.judge(false, "locks have %s of the time%s: more at once would wait for them", pct(locks), in(leaders))
		}
	}
	return s
}

// repeatable are the classes of work whose result can be kept: it depends on an input, and
// not on the moment.
var repeatable = []struct {
	group string
	names []string
	what  string
}{
	{groupSerial, nil, "reading and writing formats"},
	{groupSystem, []string{"files"}, "reading and writing files"},
	{groupDocker, []string{"image pull"}, "getting images"},
}

// caching judges keeping results: whether work of that kind is done, and done anew.
func (t *Triage) caching() Strategy {
	s := Strategy{Name: "caching", Fit: FitUnknown}
	if !t.explained() {
		return s
	}
	for _, r := range repeatable {
		share, leaders := t.share(r.group, r.names...)
		if share < adviceShare {
			continue
		}
		anew := t.Usage.Repeats
		if anew == 0 {
			s.Evidence = append(s.Evidence, fmt.Sprintf("%s has %s of the time%s; whether a run repeats what another has done is not known", r.what, pct(share), in(leaders)))
			continue
		}
		s.judge(anew > noCheaper, "%s has %s of the time%s, and each run does it anew over the same input: later runs take %.2f of the time of the first ones", r.what, pct(share), in(leaders), anew)
	}
	if len(s.Evidence) == 0 {
		s.judge(false, "formats, files and images, whose results could be kept, have less than %s of the time each", pct(adviceShare))
	}
	return s
}

// allocations judges fewer allocations.
func (t *Triage) allocations() Strategy {
	s := Strategy{Name: "fewer allocations", Fit: FitUnknown}
	if !t.explained() {
		return s
	}
	share, leaders := t.share(groupAllocation)
	allocators := share
	for _, c := range t.Classes {
		if c.Group == groupAllocation {
			allocators -= c.Kernel
		}
	}
	if share >= adviceShare && allocators < allocatorShare {
		s.judge(false, "page faults and mappings have %s of the time%s, but allocators and garbage collection only %s of it: that is how a program begins, or touches its data", pct(share), in(leaders), pct(allocators))
		return s
	}
	s.judge(share >= adviceShare, "allocation, garbage collection and page faults have %s of the time%s", pct(share), in(leaders))
	return s
}

// explained reports whether profiles tell where most of the time goes.
func (t *Triage) explained() bool {
	if t.Usage.Phases != nil {
		return false // what the engine computes is not known
	}
	known := 0.0
	for _, c := range t.Classes {
		if c.Name != "not known" {
			known += c.Share
		}
	}
	return known >= symptomMost
}
