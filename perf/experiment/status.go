package experiment

import (
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Policy says what turns the state of a run into which exit status.
type Policy struct {
	// Gate makes a breached objective 3 and one that is NOT MEASURED 4. Without it
	// objectives are reported and change nothing.
	Gate bool
	// Strict makes a WARNING 3 and an UNDECIDED 4 as well.
	Strict bool
	// AllowUnmeasured names objectives that may be NOT MEASURED.
	AllowUnmeasured []string
}

// Status returns the exit status that a run deserves: 1 for a workload that failed,
// a run that was cut short or that measured nothing, and under a gate what its
// objectives say. A gate without an objective has compared nothing, which is 1.
func (p Policy) Status(r *perf.Result) int {
	statuses := []int{workloadStatus(r)}
	if p.Gate {
		if len(r.Objectives) == 0 {
			statuses = append(statuses, perf.ExitFailure)
		}
		for _, o := range r.Objectives {
			statuses = append(statuses, p.objective(o))
		}
	}
	return perf.WorstExit(statuses...)
}

func workloadStatus(r *perf.Result) int {
	if !r.Complete || len(r.Workloads) == 0 {
		return perf.ExitFailure
	}
	for _, w := range r.Workloads {
		if w.State == perf.StateFailed {
			return perf.ExitFailure
		}
	}
	return perf.ExitOK
}

func (p Policy) objective(o perf.ObjectiveResult) int {
	switch o.State {
	case perf.Breached:
		return perf.ExitGate
	case perf.OverTarget:
		if p.Strict {
			return perf.ExitGate
		}
	case perf.Undecided:
		if p.Strict {
			return perf.ExitUnjudged
		}
	case perf.NotMeasured:
		if !slices.Contains(p.AllowUnmeasured, o.Name) {
			return perf.ExitUnjudged
		}
	}
	return perf.ExitOK
}
