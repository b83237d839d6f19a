package suite

import (
	"cmp"
	"slices"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Mode is how much time a run of a suite may take, and how exact it gets.
type Mode struct {
	Name string
	// Budget is for the repeated runs of the whole suite. One-shots come on top,
	// because nobody can make a build shorter, and so do hot reloads.
	Budget time.Duration
	// Share is the most that one workload may take of it.
	Share time.Duration
	// Narrow is the width of the interval, relative to the estimate, at which
	// another run would tell nothing new.
	Narrow float64
	// Min and Max bound the timed runs of a workload that names none.
	Min, Max int
	// Tail is how many reloads bound the quantile that the mode can afford to bound,
	// one-sided at 95 %: 59 for 0.95, 299 for 0.99 (order statistics).
	Tail int
}

// The modes.
var (
	Quick = Mode{Name: "quick", Budget: 60 * time.Second, Share: 15 * time.Second, Narrow: 0.10, Min: 10, Max: 100, Tail: 59}
	Full  = Mode{Name: "full", Budget: 10 * time.Minute, Share: 3 * time.Minute, Narrow: 0.02, Min: 20, Max: 1000, Tail: 299}
)

// ModeNamed returns the mode called name; an empty name means quick.
func ModeNamed(name string) (Mode, error) {
	if name == "" {
		return Quick, nil
	}
	found, err := Resolve("mode", name, []string{Quick.Name, Full.Name})
	if err != nil {
		return Mode{}, err
	}
	if found == Full.Name {
		return Full, nil
	}
	return Quick, nil
}

// A Step is a workload with what the plan allots to it.
type Step struct {
	Workload
	Objectives []Objective
	// Wanted is false where the step runs only because another needs it; then its
	// command is run once and is not measured.
	Wanted bool
	// Narrow is the relative width of an interval that needs no more runs.
	Narrow float64
	// Firm says that the workload states its fewest runs itself, so that they are
	// made however long they take.
	Firm bool
	// ByCost says that the number of runs is decided by what the warm-up takes: Max
	// where a run takes less than [FirmReload], else what fits into the budget.
	ByCost bool
}

// Expected is about how long the step's timed runs take: the cost of a one-shot, or
// the budget, which is an upper bound for the rest.
func (s Step) Expected() time.Duration {
	if s.OneShot || !s.Wanted {
		return s.Cost
	}
	if s.ByCost {
		return max(s.Budget, time.Duration(s.Max)*FirmReload)
	}
	return s.Budget
}

// Plan fits the suite into the mode's budget. Workloads that are repeated share it
// equally, up to the mode's share; what a workload states itself stays.
func (s Suite) Plan(m Mode, wanted map[string]bool) []Step {
	repeated := 0
	for _, w := range s.Workloads {
		if wanted[w.Name] && !w.OneShot && w.Watch == nil {
			repeated++
		}
	}
	share := m.Share
	if repeated > 0 {
		share = min(share, m.Budget/time.Duration(repeated))
	}
	steps := make([]Step, 0, len(s.Workloads))
	for _, w := range s.Workloads {
		step := Step{Workload: w, Objectives: s.ObjectivesOf(w.Name), Wanted: wanted[w.Name], Narrow: m.Narrow}
		step.fit(m, share)
		steps = append(steps, step)
	}
	return steps
}

// fit fills in what the workload leaves to the mode.
func (s *Step) fit(m Mode, share time.Duration) {
	if s.OneShot || !s.Wanted {
		s.Min, s.Max, s.Warmup, s.Memory = 1, 1, 0, 0
		return
	}
	if s.Watch != nil {
		s.fitReloads(m)
		return
	}
	s.Firm = s.Min > 0
	if s.Max == 0 {
		s.Max = m.Max
	}
	if s.Min == 0 {
		s.Min = min(m.Min, s.Max)
	}
	if s.Budget == 0 {
		s.Budget = share
	}
	s.Max = max(s.Max, s.Min)
}

// fitReloads plans the reloads of one file: those whose tail is judged get two thirds
// of the mode's share of the time, those that are shown beside them one third. What
// comes before the first that counts, a run of the file to get ready and the warm-up,
// takes about as long again.
func (s *Step) fitReloads(m Mode) {
	runs, share := 2*m.Min, m.Share/3
	if slices.ContainsFunc(s.Objectives, func(o Objective) bool { return o.Quantile > 0.5 }) {
		runs, share = cmp.Or(m.Tail, m.Max), 2*m.Share/3
	}
	s.ByCost, s.Min, s.Max, s.Warmup = true, 1, cmp.Or(s.Max, runs), max(s.Warmup, 1)
	s.Budget = cmp.Or(s.Budget, share)
}

// Objectives of the seed that presets share.
func buildTime() Objective {
	return Objective{Name: "build time", Workload: "build", Metric: perf.Wall, Quantile: 0.5, Confidence: 0.95, Target: 120, Critical: 180}
}

func cliStartup() Objective {
	return Objective{Name: "cli startup", Workload: "cli startup", Metric: perf.Wall, Quantile: 0.5, Confidence: 0.95, Target: 2, Critical: 5}
}

func containerStart() Objective {
	return Objective{Name: "container start", Workload: "container lifecycle", Metric: perf.ContainerStart, Quantile: 0.5, Confidence: 0.95, Target: 3, Critical: 10}
}

func containerLifecycle() Objective {
	return Objective{Name: "container lifecycle", Workload: "container lifecycle", Metric: perf.Wall, Quantile: 0.5, Confidence: 0.95, Target: 5, Critical: 10}
}

func testSuite() Objective {
	return Objective{Name: "test suite", Workload: "test suite", Metric: perf.Wall, Quantile: 0.5, Confidence: 0.95, Target: 30, Critical: 60}
}

func memory() Objective {
	return Objective{Name: "memory", Workload: "self-test", Metric: perf.PeakMemory, Quantile: 1, Confidence: 0.95, Target: 100e6, Critical: 200e6}
}
