package experiment

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// An Arm is one of the two sides of a comparison. Setup runs once before its first run
// and Cleanup once after the last, whatever happened in between; each may be nil.
type Arm struct {
	Ref     string // what it is called: a git ref, or a command
	Setup   func(context.Context) error
	Run     func(context.Context, Variation) (Observation, error)
	Cleanup func(context.Context) error
	// Record hands the command of a run to a recorder of profiles, with what Setup, Run and
	// Cleanup put around it, after the arm's own Cleanup. It is nil where a run is not a
	// command that ends.
	Record func(ctx context.Context, record func(context.Context, measure.Command) error) error
}

// named is err with the name of the arm before it, unless the error of a command that the
// arm is called after begins with that.
func (a *Arm) named(err error) error {
	if strings.HasPrefix(err.Error(), a.Ref+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", a.Ref, err)
}

// A Pairing is a workload of which two arms are compared.
type Pairing struct {
	Workload string
	Command  []string
	Old, New Arm
	// Gate names the metric that decides; the zero value leaves that to the warm-up.
	// GateReason is what the reader is told about that.
	Gate       perf.Metric
	GateReason string
	// Benchmark says that the runs are those of a Go benchmark, which brings units of
	// its own. Their times are gated by the time of an operation, and what takes the
	// same value in every run of an arm is compared exactly.
	Benchmark bool
	Budget    time.Duration // for its pairs; 0: no limit
	Builds    int           // how many times each arm was built; 0: nothing was
}

// A Standing is where a comparison stands after a pair.
type Standing struct {
	Workload string
	Metric   perf.Metric
	Pairs    int
	Evidence float64
	Enough   float64 // the evidence that a difference takes
	Needed   int     // about how many more pairs a verdict takes; 0: that cannot be told
	Left     time.Duration
	// Interval computes the ratio and its interval, which is too much for every pair.
	Interval func() (ratio, low, high float64)
}

// CompareHooks are called while a comparison runs, on its goroutine; each may be nil.
type CompareHooks struct {
	// Announce is called with a sentence before something costly begins, and about what
	// the reader should know early.
	Announce func(text string)
	// Phase is called when a workload enters another phase than its pairs.
	Phase func(workload, phase string)
	Pair  func(Standing)
	// Done is called after each workload, and now and then in between; the result holds
	// all that is known so far and may be saved.
	Done func(*perf.Result) error
}

// A Comparer compares pairs of arms: randomised adjacent pairs, evidence that may be
// looked at after each of them, and an end as soon as the metric that gates is decided
// or the budget is spent.
type Comparer struct {
	// Seed decides the order of all runs. The same seed replays the same order.
	Seed uint64
	// Alpha is the error of a verdict, and MinEffect the change that counts, as a share;
	// 0 takes the customs of perf/stats.
	Alpha, MinEffect float64
	// Controls is in how many pairs one is a control; 0 means 8, below 0 none is.
	Controls int
	// Suite controls the false discoveries across the pairings together (e-BH), instead
	// of the error of each by itself.
	Suite bool
	// MaxPairs ends a comparison whatever the budget; 0 means never.
	MaxPairs int
	// Seat picks a quiet CPU for single-threaded commands; nil pins nothing.
	Seat  func(context.Context) (*measure.Seat, error)
	Hooks CompareHooks
	// Now is the clock for budgets; nil means the system's.
	Now func() time.Time
}

// Run compares the groups one after another and fills in the workloads and comparisons
// of r. The pairings of one group take turns, in an order drawn anew for each round.
//
// If ctx ends, what was compared stays in r, Complete stays false, and the error is the
// context's. An error of the hook Done ends the run as well. What fails in an arm is a
// result, and no error.
func (c Comparer) Run(ctx context.Context, groups [][]Pairing, r *perf.Result) (err error) {
	s := newContest(c, groups, r)
	defer func() {
		if cerr := s.finish(ctx); err == nil {
			err = cerr
		}
	}()
	for _, g := range groups {
		if err := s.group(ctx, g); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.Complete = true
	return nil
}
