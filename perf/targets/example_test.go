package targets_test

import (
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
	"github.com/seanchatmangpt/clnrm-perf/perf/targets"
)

// A magefile that imports the targets chooses what they measure in an init function.
func ExampleUse() {
	targets.Use(suite.Suite{
		Name: "compressor", Subject: "the compressor", Dir: ".",
		Workloads: []suite.Workload{
			{
				Name:    "build",
				Command: suite.Command{Args: []string{"make", "PREFIX=" + suite.Work, "install"}},
				Creates: []string{suite.Work + "/bin/compress"},
				OneShot: true, Cost: time.Minute,
			},
			{
				Name:    "large file",
				Command: suite.Command{Args: []string{suite.Work + "/bin/compress", "testdata/large"}},
				Needs:   []string{"build"}, Memory: 1,
			},
		},
		Objectives: []suite.Objective{{
			Name: "compression time", Workload: "large file", Metric: perf.Wall,
			Quantile: 0.5, Confidence: 0.95, Target: 1, Critical: 2,
		}},
	})
}
