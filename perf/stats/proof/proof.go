package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
)

// Options say how large a proof is. The zero value is the full size.
type Options struct {
	Trials int    // sessions of each rule in each scenario with each effect; 0 is [FullTrials]
	Seed   uint64 // the same seed and size give the same table
}

// FullTrials is the number of sessions at which the floors are meant: a share of 1 %
// then has a standard error of 0.1 points. It takes about two minutes of two CPUs.
const FullTrials = 10_000

// customTrials are at most played for the customs, which are slow and so far off that
// nobody needs to know how far exactly.
const customTrials = 1000

// effects are what the new program takes more, as a share.
var effects = [...]float64{0, 0.02, 0.05, 0.20}

// A Tally is what one rule said in sessions of one scenario with one effect.
type Tally struct {
	Sessions             int
	Slower, Faster, Same int
	Runs                 float64 // of both programs together, on average
}

func (t *Tally) add(a answer, runs int) {
	t.Sessions++
	t.Runs += (float64(runs) - t.Runs) / float64(t.Sessions)
	switch a {
	case slower:
		t.Slower++
	case faster:
		t.Faster++
	case same:
		t.Same++
	}
}

// alarms is the share of sessions that claimed a difference.
func (t Tally) alarms() float64 { return t.share(t.Slower + t.Faster) }

func (t Tally) share(n int) float64 { return float64(n) / float64(max(t.Sessions, 1)) }

// A Row is a scenario: what the engine and its rival said with effects of 0, 2, 5 and
// 20 %, what the engine ever claimed without an effect if nobody stopped it, and what
// each custom said without an effect and with 2 %.
type Row struct {
	Scenario string
	// Weak says that nobody has to find 2 % here: wall time without a CPU of its own.
	Weak          bool
	Engine, Rival [len(effects)]Tally
	Ever          Tally
	Customs       [][2]Tally // in the order of the table's columns
}

// job fills one tally of the table.
type job struct {
	scenario scenario
	index    int // of the scenario
	effect   float64
	rule     rule
	trials   int
	to       *Tally
}

// Run plays all sessions, on two CPUs at most, and returns the table. The rules of a
// row see the same machines, as the trial alone decides its noise.
func Run(ctx context.Context, o Options) (*Table, error) {
	if o.Trials == 0 {
		o.Trials = FullTrials
	}
	if o.Trials < 0 {
		return nil, fmt.Errorf("a proof of %d trials: give a number above zero", o.Trials)
	}
	scenarios, err := recorded()
	if err != nil {
		return nil, err
	}
	scenarios = append(append([]scenario{}, simulated...), scenarios...)
	t := &Table{Trials: o.Trials, Rows: make([]Row, len(scenarios))}
	jobs := make(chan job)
	var workers sync.WaitGroup
	for range min(2, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for j := range jobs {
				j.run(ctx, o)
			}
		})
	}
	for i, s := range scenarios {
		t.Rows[i].plan(s, i, o.Trials, jobs)
	}
	close(jobs)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("the proof was interrupted: %w", err)
	}
	return t, nil
}

// plan sends the jobs that fill a row.
func (r *Row) plan(s scenario, index, trials int, jobs chan<- job) {
	r.Scenario, r.Weak = s.name, s.weak
	r.Customs = make([][2]Tally, len(customs))
	for k, effect := range effects {
		jobs <- job{s, index, effect, shipped, trials, &r.Engine[k]}
		jobs <- job{s, index, effect, rival, trials, &r.Rival[k]}
	}
	jobs <- job{s, index, 0, endless, trials, &r.Ever}
	for c, rule := range customs {
		jobs <- job{s, index, effects[0], rule, min(trials, customTrials), &r.Customs[c][0]}
		jobs <- job{s, index, effects[1], rule, min(trials, customTrials), &r.Customs[c][1]}
	}
}

func (j job) run(ctx context.Context, o Options) {
	var t Tally // of its own, so that the workers do not write to one cache line
	for trial := range j.trials {
		if ctx.Err() != nil {
			return
		}
		r := rand.New(rand.NewPCG(o.Seed, uint64(j.index)<<32|uint64(trial)))
		s := j.scenario.session(r, j.effect)
		t.add(j.rule.decide(s), s.runs)
	}
	*j.to = t
}
