package experiment

import "github.com/seanchatmangpt/clnrm-perf/perf"

// ObjectiveStatus is the exit status that one objective deserves under the policy: 0
// without a gate, whatever its state.
func (p Policy) ObjectiveStatus(o perf.ObjectiveResult) int {
	if !p.Gate {
		return perf.ExitOK
	}
	return p.objective(o)
}

// ComparedStatus is the exit status that one comparison deserves under the policy: 0
// without a gate, and for a metric that does not gate.
func (p Policy) ComparedStatus(c perf.Comparison) int {
	if !p.Gate || !c.Gate {
		return perf.ExitOK
	}
	return p.comparison(c)
}
