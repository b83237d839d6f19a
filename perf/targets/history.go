package targets

import (
	"context"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// historyRuns bounds how many of the newest runs a history is made of.
const historyRuns = 1000

// history is the target history.
func history(ctx context.Context, workload, metric, ofSuite string) error {
	s, err := openShelf(ctx, ofSuite)
	if err != nil {
		return bare(err)
	}
	runs, broken := s.runs.Recent(historyRuns, func(r *perf.Result) bool { return r.Suite == s.suite })
	for _, e := range broken {
		_ = report.Note(s.err, "skipped a run that cannot be read: "+e.Error())
	}
	name, err := suite.Resolve("workload", workload, measuredIn(runs))
	if err != nil {
		return bare(err)
	}
	h, err := experiment.NewHistory(runs, name, metric, s.print)
	if err != nil {
		return bare(err)
	}
	return bare(report.History(s.out, h, s.style))
}

// measuredIn are the names of what the runs have measured or compared.
func measuredIn(runs []*perf.Result) []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, r := range runs {
		for _, w := range r.Workloads {
			add(w.Name)
		}
		for _, c := range r.Comparisons {
			add(c.Workload)
		}
	}
	return names
}
