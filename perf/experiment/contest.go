package experiment

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// saveEvery is how often what is known is saved while a comparison goes on, so that a
// run that is killed leaves its pairs.
const saveEvery = 10 * time.Second

// saveShare is the most of the time that saving may take: what is shown of thousands of
// pairs takes a while to compute.
const saveShare = 0.005

// contest is one call of [Comparer.Run].
type contest struct {
	Comparer
	result   *perf.Result
	family   int               // comparisons that gate, for the suite's error
	pool     *stats.Control    // of the control pairs of all workloads
	given    []perf.Comparison // that the result had before
	ended    []*match          // in the order of the result
	nextSave time.Time
}

func newContest(c Comparer, groups [][]Pairing, r *perf.Result) *contest {
	s := &contest{Comparer: c, result: r, family: 1, given: r.Comparisons}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Alpha == 0 {
		s.Alpha = stats.PairedAlpha
	}
	if s.MinEffect == 0 {
		s.MinEffect = stats.PairedMinEffect
	}
	switch {
	case s.Controls == 0:
		s.Controls = controlEvery
	case s.Controls < 0:
		s.Controls = 0
	}
	if s.Suite {
		s.family = 0
		for _, g := range groups {
			s.family += len(g)
		}
	}
	s.pool, _ = stats.NewControl(0) // the custom makes sense
	s.nextSave = s.Now().Add(saveEvery)
	return s
}

// paired returns an empty comparison of a metric, with a share of the error.
func (s *contest) paired(m perf.Metric, share float64) *stats.Paired {
	p, err := stats.NewPaired(stats.PairedOptions{Alpha: s.Alpha * share, MinEffect: s.MinEffect, Better: m.Better})
	if err != nil {
		// Options that make no sense; [Comparer.CheckValid] has refused them before.
		p, _ = stats.NewPaired(stats.PairedOptions{Better: m.Better})
	}
	return p
}

// CheckValid refuses rules that make no sense.
func (c Comparer) CheckValid() error {
	_, err := stats.NewPaired(stats.PairedOptions{Alpha: c.Alpha, MinEffect: c.MinEffect})
	return err
}

func (s *contest) announce(format string, args ...any) {
	if s.Hooks.Announce != nil {
		s.Hooks.Announce(fmt.Sprintf(format, args...))
	}
}

func (s *contest) phase(workload, phase string) {
	if s.Hooks.Phase != nil {
		s.Hooks.Phase(workload, phase)
	}
}

// group sets a group up, warms it up, and makes its pairs; all in vain, and so left out,
// where the harness is known to be biased.
func (s *contest) group(ctx context.Context, pairings []Pairing) (err error) {
	var list []*match
	defer func() {
		for _, m := range list {
			err = errors.Join(err, m.close(ctx))
		}
	}()
	for _, p := range pairings {
		m := s.newMatch(p)
		s.ended = append(s.ended, m)
		if s.invalid() {
			m.over, m.why = true, "it was not begun, because the harness favours one side"
			continue
		}
		list = append(list, m)
		if err := m.open(ctx); err != nil {
			return err
		}
	}
	unseat, err := s.takeSeat(ctx, list)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unseat()) }()
	return s.rounds(ctx, list)
}

// takeSeat pins the single-threaded workloads of a group to a quiet CPU.
func (s *contest) takeSeat(ctx context.Context, list []*match) (release func() error, err error) {
	none := func() error { return nil }
	single := func(m *match) bool { return !m.over && m.character.single() }
	if s.Seat == nil || !slices.ContainsFunc(list, single) {
		return none, nil
	}
	seat, err := s.Seat(ctx)
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	if err != nil {
		s.result.Warnings = append(s.result.Warnings, perf.Warning{Kind: perf.WarnEnvironment, Text: err.Error() + ": times spread more, and it takes more pairs"})
		return none, nil //nolint:nilerr // it is a condition of the measurement, and no failure
	}
	for _, m := range list {
		m.cpus = seat.All
		if single(m) {
			m.cpus, m.pinned = []int{seat.CPU}, true
		}
	}
	return seat.Release, nil
}

// rounds makes one pair of each workload that is not over, in random order, until all
// are.
func (s *contest) rounds(ctx context.Context, list []*match) error {
	turn := rand.New(rand.NewPCG(s.Seed, uint64(len(list))))
	for {
		open := slices.DeleteFunc(slices.Clone(list), func(m *match) bool { return m.over })
		if len(open) == 0 {
			return nil
		}
		turn.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
		for _, m := range open {
			if err := m.pair(ctx); err != nil {
				return err
			}
			if err := s.maybeSave(); err != nil {
				return err
			}
		}
		if s.invalid() {
			return nil // whatever else is measured would be, too
		}
	}
}

// invalid reports whether the control pairs of the session prove that a command differs
// from itself by which side it runs for.
func (s *contest) invalid() bool {
	_, biased := s.pool.Biased()
	return biased
}

func (s *contest) maybeSave() error {
	if s.Hooks.Done == nil || s.Now().Before(s.nextSave) {
		return nil
	}
	began := s.Now()
	err := s.save()
	now := s.Now()
	s.nextSave = now.Add(max(saveEvery, time.Duration(float64(now.Sub(began))/saveShare)))
	return err
}

// save hands out the result with what is known.
func (s *contest) save() error {
	s.conclude()
	if s.Hooks.Done == nil {
		return nil
	}
	return s.Hooks.Done(s.result)
}

// finish concludes and saves for the last time.
func (s *contest) finish(ctx context.Context) error {
	for _, m := range s.ended {
		if ctx.Err() != nil && !m.over {
			m.why = "it was interrupted"
		}
	}
	return s.save()
}

// conclude writes what is known of all workloads into the result.
func (s *contest) conclude() {
	s.result.Workloads, s.result.Comparisons = nil, slices.Clone(s.given)
	for _, m := range s.ended {
		s.result.Workloads = append(s.result.Workloads, m.workload())
		s.result.Comparisons = append(s.result.Comparisons, m.comparisons()...)
	}
	if s.Suite {
		discoveries(s.result.Comparisons, s.Alpha)
	}
	for i := range s.result.Comparisons {
		if c := &s.result.Comparisons[i]; !c.Exact {
			s.pool.Overrule(c)
		}
	}
}
