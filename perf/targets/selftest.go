package targets

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// workEnv makes this program compute for a while and exit, in place of what it is: its
// value is how many hashes. So the self-test needs no other program.
const workEnv = "CLNRM_PERF_SELF_TEST_HASHES"

func init() {
	value, ok := os.LookupEnv(workEnv)
	if !ok || len(os.Args) > 1 {
		return // a gate is told what to do, and no variable keeps it from that
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		os.Exit(perf.ExitUsage)
	}
	hashes(n)
	os.Exit(perf.ExitOK)
}

// hashes computes a chain of n hashes, which no compiler can leave out or shorten.
func hashes(n int) {
	for range n {
		chain = sha256.Sum256(chain[:])
	}
}

// chain is the last hash.
var chain [sha256.Size]byte

// workTime is how long the work of the self-test takes: a short command, as people have.
const workTime = 17 * time.Millisecond

// hashesFor is how many hashes take about d here: the quickest of several tries counts,
// since other work on the machine only adds.
func hashesFor(d time.Duration) int {
	const sample = 20_000
	least := time.Duration(1<<63 - 1)
	for range 5 {
		began := time.Now()
		hashes(sample)
		least = min(least, time.Since(began))
	}
	return max(int(float64(sample)*float64(d)/float64(max(least, 1))), 1)
}

// selfTestBudget is for each part of the self-test.
const selfTestBudget = 30 * time.Second

// selfTested is the target selfTest.
func selfTested(ctx context.Context, o pairOptions) error {
	ctx, stop := guarded(ctx)
	defer stop()
	rules, err := o.rules()
	if err != nil {
		return bare(err)
	}
	if o.budget == "" {
		rules.budget = selfTestBudget
	}
	self, err := os.Executable()
	if err != nil {
		return bare(fmt.Errorf("finding this program, which is the work of the self-test: %w", err))
	}
	r, err := openRun(stdConsole())
	if err != nil {
		return bare(err)
	}
	r.result.Suite, r.result.Mode, r.result.Subject.Name = "self-test", pairedMode, "this program against itself"
	r.result.Machine, r.result.Warnings = measure.Machine(ctx)
	var found experiment.SelfTestReport
	r.judge = func(*perf.Result) int { return found.Status() }
	r.untold = true // it makes something SLOWER on purpose
	r.headline = func(*perf.Result) string { return report.SelfTestHeadline(found) }
	test, err := r.selfTest(ctx, rules, self)
	if err == nil {
		found, err = test.Run(ctx, r.result)
	}
	return bare(r.finish(ctx, err, o.json, func(w io.Writer, res *perf.Result, st report.Style) error {
		return report.SelfTest(w, res, found, st)
	}))
}

// selfTest is the test with the program self as its work.
func (r *run) selfTest(ctx context.Context, rules rules, self string) (experiment.SelfTest, error) {
	n := hashesFor(workTime)
	processes := experiment.Processes{Work: r.space.Dir, Logs: r.dir, Env: r.mark(ctx)}
	arms := map[int]experiment.Arm{}
	work := func(ctx context.Context, count int, v experiment.Variation) (experiment.Observation, error) {
		arm, ok := arms[count]
		if !ok {
			step := suite.Step{Wanted: true, Workload: suite.Workload{Name: "self-test", Timeout: time.Minute,
				Command: suite.Command{Args: []string{self}, Env: []string{workEnv + "=" + strconv.Itoa(count), "GOMAXPROCS=1"}}}}
			arm = processes.Arm("work", step, experiment.OldSide, nil)
			arms[count] = arm
		}
		return arm.Run(ctx, v)
	}
	whole, err := experiment.WorkOfWhole(n, func(count int) (experiment.Observation, error) { return work(ctx, count, experiment.Variation{}) })
	if err != nil {
		return experiment.SelfTest{}, err
	}
	c := rules.comparer
	c.Hooks = experiment.CompareHooks{Announce: r.status.Announce, Phase: r.status.Phase, Pair: r.status.Pair}
	return experiment.SelfTest{Comparer: c, Budget: rules.budget, Work: func(ctx context.Context, factor float64, v experiment.Variation) (experiment.Observation, error) {
		return work(ctx, n+int((factor-1)*whole), v)
	}}, nil
}
