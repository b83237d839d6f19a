package targets

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// pairedMode is the mode of a run that compares.
const pairedMode = "paired"

// defaultBudget is how long the pairs of one workload may take.
const defaultBudget = 2 * time.Minute

// pairOptions are the flags that all paired comparisons share.
type pairOptions struct {
	budget, minEffect, metric string
	report                    string // reports to write
	seed                      *int
	json                      bool
}

// rules are the flags, read.
type rules struct {
	comparer experiment.Comparer
	budget   time.Duration
	gate     perf.Metric
	files    []reportFile
}

// gateMetrics are those that -metric can name.
var gateMetrics = []perf.Metric{perf.Wall, perf.CPU, perf.User, perf.System}

// rules reads the flags.
func (o pairOptions) rules() (r rules, err error) {
	r.comparer = experiment.Comparer{Seat: measure.TakeSeat}
	if r.comparer.Seed, err = seed(o.seed); err != nil {
		return r, err
	}
	if r.files, err = parseReports(o.report); err != nil {
		return r, err
	}
	if r.budget, err = duration("budget", o.budget); err != nil {
		return r, err
	}
	if r.budget == 0 {
		r.budget = defaultBudget
	}
	if r.comparer.MinEffect, err = percentage("minEffect", o.minEffect); err != nil {
		return r, err
	}
	if r.gate, err = namedMetric(o.metric); err != nil {
		return r, err
	}
	return r, nil
}

// seed reads -seed. Without it a seed is drawn, of as many digits as one likes to type.
func seed(flag *int) (uint64, error) {
	switch {
	case flag == nil:
		return uint64(rand.Uint32()), nil
	case *flag < 0:
		return 0, perf.Usagef("-seed=%d: a seed is 0 or more", *flag)
	}
	return uint64(*flag), nil
}

// percentage reads a flag such as 2%.
func percentage(name, value string) (float64, error) {
	if value == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(value, "%")), 64)
	if err != nil || !(v > 0 && v < 100) { // not a number is not above zero either
		return 0, perf.Usagef("-%s=%s is not a percentage, as 2%% is", name, value)
	}
	return v / 100, nil
}

// namedMetric reads -metric.
func namedMetric(name string) (perf.Metric, error) {
	if name == "" {
		return perf.Metric{}, nil
	}
	var names []string
	for _, m := range gateMetrics {
		names = append(names, m.Name)
	}
	found, err := suite.Resolve("metric", name, names)
	for _, m := range gateMetrics {
		if m.Name == found {
			return m, err
		}
	}
	return perf.Metric{}, err
}

// compareTwo are the flags of the target compare.
type compareTwo struct {
	pairOptions
	old, new                          string
	setup, prepare, conclude, cleanup string
	cpu, timeout                      string
	shell                             bool
}

// step is what runs for one of the two commands.
func (o compareTwo) step(command string) (suite.Step, error) {
	t := timeOptions{command: command, setup: o.setup, prepare: o.prepare, conclude: o.conclude, cleanup: o.cleanup, cpu: o.cpu, timeout: o.timeout, shell: o.shell}
	a, err := t.adHoc()
	if err != nil {
		return suite.Step{}, err
	}
	s, err := a.Suite()
	if err != nil {
		return suite.Step{}, err
	}
	return s.Plan(suite.AdHocMode, map[string]bool{command: true})[0], nil
}

// comparison is the name of the one workload of the target compare.
const comparison = "compare"

// compared is the target compare.
func compared(ctx context.Context, o compareTwo) error {
	ctx, stop := guarded(ctx)
	defer stop()
	rules, err := o.rules()
	if err != nil {
		return bare(err)
	}
	var steps [2]suite.Step
	for i, command := range []string{o.old, o.new} {
		if steps[i], err = o.step(command); err != nil {
			return bare(err)
		}
		// The old side, which is set up before the other and cleaned up after the last
		// run of both, has done what comes once for the two.
		o.setup, o.cleanup = "", ""
	}
	r, err := openRun(stdConsole())
	if err != nil {
		return bare(err)
	}
	r.paired(experiment.Policy{Gate: true}, rules.files)
	return bare(r.finish(ctx, r.compareCommands(ctx, rules, steps), o.json, report.Paired))
}

// paired makes the run one that compares, gated by the policy.
func (r *run) paired(p experiment.Policy, files []reportFile) {
	r.policy, r.files, r.compared = p, files, true
	r.judge = p.PairedStatus
	r.headline = report.ComparisonHeadline
	r.result.Mode = pairedMode
}

// compareCommands compares two commands in the working directory.
func (r *run) compareCommands(ctx context.Context, rules rules, steps [2]suite.Step) error {
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("finding the working directory: %w", err)
	}
	r.result.Suite = comparison
	r.result.Subject.Name = "two commands in " + dir
	r.result.Machine, r.result.Warnings = measure.Machine(ctx)
	processes := experiment.Processes{Work: r.space.Dir, Logs: r.dir, Env: r.mark(ctx)}
	p := experiment.Pairing{
		Workload: comparison, Command: steps[1].Command.Args, Gate: rules.gate, Budget: rules.budget,
		Old: processes.Arm(steps[0].Name, steps[0], experiment.OldSide, nil),
		New: processes.Arm(steps[1].Name, steps[1], experiment.NewSide, nil),
	}
	r.announceCounters()
	return r.pairs(ctx, rules, [][]experiment.Pairing{{p}})
}

// pairs compares the groups, saving what is known now and then.
func (r *run) pairs(ctx context.Context, rules rules, groups [][]experiment.Pairing) error {
	c := rules.comparer
	c.Hooks = experiment.CompareHooks{
		Announce: r.status.Announce,
		Phase:    r.status.Phase,
		Pair:     r.status.Pair,
		Done: func(res *perf.Result) error {
			res.Exit = r.exit(res)
			_, err := r.store.Write(res)
			return err
		},
	}
	return c.Run(ctx, groups, r.result)
}
