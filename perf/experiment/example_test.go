package experiment_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// A suite of one workload with one objective, run by a function. A program that
// measures commands passes Processes.Runner in its place.
func ExampleEngine() {
	s := suite.Suite{
		Name:      "example",
		Workloads: []suite.Workload{{Name: "lookup", Command: suite.Command{Args: []string{"lookup"}}, Min: 20, Max: 20}},
		Objectives: []suite.Objective{{
			Name: "lookup time", Workload: "lookup", Metric: perf.Wall,
			Quantile: 0.5, Confidence: 0.95, Target: 0.005, Critical: 0.010,
		}},
	}
	runner := func(suite.Step) experiment.Runner {
		took := 2 * time.Millisecond
		return experiment.Runner{Run: func(context.Context) (experiment.Observation, error) {
			took += 10 * time.Microsecond
			return experiment.Observation{Wall: took, Values: []experiment.Value{{Metric: perf.Wall, Value: took.Seconds()}}}, nil
		}}
	}
	var r perf.Result
	steps := s.Plan(suite.Quick, map[string]bool{"lookup": true})
	if err := (experiment.Engine{New: runner}).Run(context.Background(), steps, &r); err != nil {
		fmt.Println(err)
		return
	}
	o := r.Objectives[0]
	scale := perf.NewScale(o.Unit, *o.Estimate)
	fmt.Printf("%s: %s, at most %s, %s (exit status %d under a gate)\n",
		o.Name, scale.Format(*o.Estimate), scale.Format(*o.High), o.State, experiment.Policy{Gate: true}.Status(&r))
	// Output: lookup time: 2.10 ms, at most 2.15 ms, MET (exit status 0 under a gate)
}
