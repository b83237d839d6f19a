package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// A Scale measures lifecycles of containers at rising parallelism and in several
// networks: how many a second, and how long each phase of them takes.
//
// Every round visits every level of every network once, the first from the lowest level
// to the highest, so that a budget which runs out leaves the low ones measured, and the
// others in random order, so that what the machine does meanwhile falls on all of them. A
// visit keeps as many lifecycles going as the level says, until so many have been begun
// as [perVisit] says, and waits for the last of them; its throughput is their number over
// the time from the first create until the last is removed. At the beginning and at the
// end of it fewer are under way, so that the throughput is a little lower than that of an
// endless run.
type Scale struct {
	Containers
	// Spec is what each lifecycle is. Without an image it is the probe, and then the level
	// that is lowest is measured once more with an image that the engine does not have.
	Spec container.Spec
	// Pull gets Spec's image from its registry if the engine does not have it; without it
	// nothing is ever pulled.
	Pull     bool
	Levels   []int    // each once, in ascending order
	Networks []string // each once
	// Rounds is the number of visits to each level; 0 is [ScaleRounds].
	Rounds int
	// Budget is the time for the setup and all visits; 0 is without end. A visit that would not fit into
	// what is left is not begun.
	Budget time.Duration
	Seed   uint64 // of the order
	Hooks  ScaleHooks
	// Now is the clock for the budget; nil means the system's.
	Now func() time.Time
	// Life runs one lifecycle; nil is that of perf/container on the Engine.
	Life func(context.Context, container.Spec) (container.Phases, error)
}

// ScaleRounds is how many visits bound the median throughput on both sides at 95 %. The
// number is fixed beforehand, so that nobody stops at a number that he likes.
const ScaleRounds = 6

// ScaleHooks are called while a Scale runs; each may be nil. Progress is called from one
// goroutine at a time, the others from that of Run.
type ScaleHooks struct {
	Announce func(text string)
	Progress func(ScaleProgress)
	Pulling  func(text string) // how far a pull is
	// Done is called after each round; the result holds all that is known so far.
	Done func(*perf.Result) error
}

// ScaleProgress is where a Scale stands.
type ScaleProgress struct {
	Workload      string
	Round, Rounds int // from 1
	Done, Of      int // lifecycles of this visit
	Left          time.Duration
}

// Run measures, and fills in the workloads and the scaling of r. If ctx ends, what was
// measured stays in r, Complete stays false, and the error is the context's: lifecycles
// under way are then given a moment to remove their containers, and what they have not
// done by then is the janitor's.
func (s Scale) Run(ctx context.Context, r *perf.Result) error {
	x := &scaling{Scale: s, result: r, random: rand.New(rand.NewPCG(s.Seed, 0))}
	if x.Now == nil {
		x.Now = time.Now
	}
	if x.Rounds <= 0 {
		x.Rounds = ScaleRounds
	}
	if x.Life == nil {
		x.Life = func(ctx context.Context, spec container.Spec) (container.Phases, error) {
			return container.Lifecycle(ctx, x.Engine, spec)
		}
	}
	x.plan()
	x.began = x.Now()
	err := x.setup(ctx)
	if err == nil {
		err = x.rounds(ctx)
	}
	err = errors.Join(err, Runner{Cleanup: x.cleanup}.Clean(ctx))
	if u, ok := errors.AsType[*Unavailable](err); ok {
		err = nil
		x.exclude(func(*scaleCell) string { return u.Reason })
	}
	if err != nil && ctx.Err() == nil {
		x.exclude(func(*scaleCell) string { return "the run ended before it: " + firstLine(err.Error()) })
	}
	r.Complete = err == nil && ctx.Err() == nil
	x.report()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, x.saved())
}

// scaling is one call of Run.
type scaling struct {
	Scale
	result  *perf.Result
	random  *rand.Rand
	cells   []*scaleCell
	image   scaleImage
	joins   *container.NetworkRecorder
	began   time.Time
	round   int // from 0
	skipped int // visits that the budget has no time for
	pulled  *perf.WorkloadResult
}

func (x *scaling) announce(format string, args ...any) {
	if x.Hooks.Announce != nil {
		x.Hooks.Announce(fmt.Sprintf(format, args...))
	}
}

func (x *scaling) saved() error {
	if x.Hooks.Done == nil {
		return nil
	}
	return x.Hooks.Done(x.result)
}

// exclude marks the cells that have no visit yet and for which there is a reason not to
// measure them.
func (x *scaling) exclude(reason func(*scaleCell) string) {
	for _, c := range x.cells {
		if c.visits == 0 && c.excluded == "" && c.failed == "" {
			c.excluded = reason(c)
		}
	}
}

// rounds visits all cells, round by round.
func (x *scaling) rounds(ctx context.Context) error {
	for x.round = 0; x.round < x.Rounds; x.round++ {
		order := x.order()
		visited := 0
		for i, c := range order {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !c.measurable() || !x.fits(c) {
				continue
			}
			if err := x.visit(ctx, c, order[i+1:]); err != nil {
				return err
			}
			visited++
		}
		if visited == 0 {
			break
		}
		x.report()
		if err := x.saved(); err != nil {
			return err
		}
	}
	if x.skipped > 0 {
		x.result.Warnings = append(x.result.Warnings, perf.Warning{Kind: perf.WarnNotMeasured, Text: fmt.Sprintf(
			"%d visits did not fit into the budget of %s, and levels with fewer than %d have no interval: a longer one (-budget), or fewer levels (-parallel) or networks", x.skipped, x.Budget, ScaleRounds)})
	}
	return nil
}

// order is that of the next round.
func (x *scaling) order() []*scaleCell {
	order := append([]*scaleCell(nil), x.cells...)
	if x.round > 0 {
		x.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		return order
	}
	// The cells lie level by level; within a level the networks are shuffled.
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && order[to].parallel == order[from].parallel {
			to++
		}
		level := order[from:to]
		x.random.Shuffle(len(level), func(i, j int) { level[i], level[j] = level[j], level[i] })
		from = to
	}
	return order
}

// fits reports whether a visit fits into what is left of the budget, and notes it where
// not.
func (x *scaling) fits(c *scaleCell) bool {
	if x.Budget <= 0 {
		return true
	}
	cost, left := x.expected(c), x.Budget-x.Now().Sub(x.began)
	if cost <= left {
		return true
	}
	x.skipped++
	if c.visits == 0 {
		c.excluded = fmt.Sprintf("it would take about %s, and %s are left of the budget of %s: a longer one (-budget), or fewer levels (-parallel)",
			cost.Round(time.Second/10), max(left, 0).Round(time.Second/10), x.Budget)
	}
	return false
}

// visit measures one cell once.
func (x *scaling) visit(ctx context.Context, c *scaleCell, rest []*scaleCell) error {
	later := x.later(rest)
	began, count := x.Now(), c.perVisit()
	progress := func(done int) {
		if x.Hooks.Progress == nil {
			return
		}
		left := max(x.expected(c)-x.Now().Sub(began), 0) + later
		if x.Budget > 0 {
			left = min(left, max(x.Budget-x.Now().Sub(x.began), 0))
		}
		x.Hooks.Progress(ScaleProgress{Workload: c.name(), Round: x.round + 1, Rounds: x.Rounds, Done: done, Of: count, Left: left})
	}
	progress(0)
	seen := x.look(ctx, c)
	v := x.block(ctx, c, count, progress)
	c.where = cmp.Or(seen.end(ctx, c, v), c.where)
	if c.cold {
		v.wall = 0 // what is between two of them is in it
	}
	c.add(v, x.Now().Sub(began), count)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.failed != "" {
		x.exclude(func(other *scaleCell) string {
			if other.network != c.network || c.visits > 0 {
				return ""
			}
			return fmt.Sprintf("because %s failed: %s", c.name(), firstLine(c.failed))
		})
	}
	return nil
}

// later is what the visits that are still to come take.
func (x *scaling) later(rest []*scaleCell) time.Duration {
	var sum time.Duration
	for _, c := range rest {
		if c.measurable() {
			sum += x.expected(c)
		}
	}
	for range x.Rounds - x.round - 1 {
		for _, c := range x.cells {
			if c.measurable() {
				sum += x.expected(c)
			}
		}
	}
	return sum
}

// expected is what a visit takes: as the cell's others did, or by the next lower level of
// the network that has been visited, as if its throughput were this one's too.
func (x *scaling) expected(c *scaleCell) time.Duration {
	if c.visits > 0 {
		return c.spent / time.Duration(c.visits)
	}
	each := guessedLife
	for _, other := range x.cells {
		if other.network == c.network && other.visits > 0 && other.parallel <= c.parallel && !other.cold {
			each = other.spent / time.Duration(other.visits*other.perVisit())
		}
	}
	return time.Duration(c.perVisit()) * each
}

// guessedLife is what a lifecycle is taken to take before the first one.
const guessedLife = 300 * time.Millisecond
