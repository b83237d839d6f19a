package suite_test

import (
	"fmt"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// A suite of one's own, restricted and with another limit, planned into a mode.
func Example() {
	parse := suite.Workload{
		Name:    "parse",
		Command: suite.Command{Args: []string{suite.Work + "/bin/parser", "big file.json"}},
		Needs:   []string{"build"},
		Warmup:  1, Memory: 2, Timeout: time.Minute,
	}
	build := suite.Workload{
		Name:    "build",
		Command: suite.Command{Args: []string{"go", "build", "-o", suite.Work + "/bin/parser", "./parser"}},
		OneShot: true, Cost: 20 * time.Second, Timeout: 10 * time.Minute,
	}
	s := suite.Suite{
		Name: "parser", Subject: "the parser", Workloads: []suite.Workload{build, parse},
		Objectives: []suite.Objective{{
			Name: "parse time", Workload: "parse", Metric: perf.Wall, Quantile: 0.5, Confidence: 0.95, Target: 0.2, Critical: 0.5,
		}},
	}
	if err := s.CheckValid(); err != nil {
		fmt.Println(err)
		return
	}
	s, err := s.Set("parse=50ms/100ms")
	if err != nil {
		fmt.Println(err)
		return
	}
	s, wanted, err := s.Select("parse")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range s.Plan(suite.Quick, wanted) {
		fmt.Printf("%s, measured: %v, at most about %s\n\t%s\n", step.Name, step.Wanted, step.Expected(), step.Command)
		for _, o := range step.Objectives {
			fmt.Printf("\t%s: target %s, critical %s\n", o.Name, o.Metric.Unit.Format(o.Target), o.Metric.Unit.Format(o.Critical))
		}
	}
	// Output:
	// build, measured: false, at most about 20s
	// 	go build -o $WORK/bin/parser ./parser
	// parse, measured: true, at most about 15s
	// 	$WORK/bin/parser 'big file.json'
	// 	parse time: target 50 ms, critical 100 ms
}

// One command for each value of a scan, as the target time measures it.
func ExampleAdHoc() {
	s, err := suite.AdHoc{Command: "sort --parallel={n} big.txt", Scan: "n=1..4..3", Prepare: "rm -f out"}.Suite()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range s.Workloads {
		fmt.Println(w.Name)
	}
	_, err = suite.AdHoc{Command: "sort big.txt | uniq"}.Suite()
	fmt.Println(err)
	// Output:
	// sort --parallel=1 big.txt
	// sort --parallel=4 big.txt
	// splitting the command "sort big.txt | uniq": '|' is for a shell: quote it, or use -shell
}
