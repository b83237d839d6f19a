package perf

import "fmt"

// A Scaling is how throughput grew with parallelism: the levels that were measured, and
// the Universal Scalability Law that was fitted to them,
//
//	X(n) = λn / (1 + σ(n-1) + κn(n-1))
//
// with σ the contention and κ the coherency. Where there are too few levels for a law,
// Reason says so, and its numbers are null.
type Scaling struct {
	Name   string         `json:"name"` // what the levels have in common, as "network none"
	Levels []ScalingLevel `json:"levels"`
	Seed   uint64         `json:"seed"` // of the order of the visits
	// Lambda is the throughput of one alone, by the law.
	Lambda     *float64 `json:"lambda"`
	Contention Bounded  `json:"contention"`
	Coherency  Bounded  `json:"coherency"`
	// Best is the level of the highest throughput by the law. No estimate beside a
	// contention that has one means that throughput never falls.
	Best Bounded `json:"best"`
	// Misfit is how far the law misses the level that it misses most, as a share.
	Misfit     *float64 `json:"misfit"`
	Confidence float64  `json:"confidence"` // of each interval; 0 where there are none
	Reason     string   `json:"reason"`
	// Where says where the time goes, at each level of which that was seen.
	Where []ScalingWhere `json:"where"`
	// Answer says in words what limits the throughput, and Advice what would help, each
	// with its evidence.
	Answer string   `json:"answer"`
	Advice []string `json:"advice"`
}

// A Bounded is a number with the two ends of its interval. Ends are null where there is
// no interval; High alone is null where nothing bounds the number from above.
type Bounded struct {
	Estimate *float64 `json:"estimate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
}

// A ScalingLevel is one level of parallelism. Its figures are those of a workload.
type ScalingLevel struct {
	Parallel int    `json:"parallel"`
	Workload string `json:"workload"`
	// Cold says that the image was not on the engine. Such a level is no part of the law.
	Cold bool `json:"cold,omitempty"`
}

func (s *Scaling) check() *problem {
	if s.Name == "" {
		return &problem{[]any{"name"}, "is empty"}
	}
	for i, l := range s.Levels {
		if l.Parallel < 1 {
			return &problem{[]any{"levels", i, "parallel"}, fmt.Sprintf("%d is no number of things at once", l.Parallel)}
		}
		if l.Workload == "" {
			return &problem{[]any{"levels", i, "workload"}, "is empty"}
		}
	}
	for i := range s.Where {
		if found := s.Where[i].check(); found != nil {
			return found.under("where", i)
		}
	}
	if !(s.Confidence >= 0 && s.Confidence < 1) {
		return &problem{[]any{"confidence"}, fmt.Sprintf("%v is not a probability below 1", s.Confidence)}
	}
	return first(
		checkNumbers(number{"lambda", s.Lambda}, number{"misfit", s.Misfit}),
		s.Contention.check().under("contention"), s.Coherency.check().under("coherency"), s.Best.check().under("best"))
}

func (b Bounded) check() *problem {
	return first(
		checkNumbers(number{"estimate", b.Estimate}, number{"low", b.Low}, number{"high", b.High}),
		ordered(b.Low, b.Estimate), ordered(b.Low, b.High))
}
