package stats

import "sort"

// spreadWindow is how many of the last values the running spread looks at: enough for
// tenths that are good to a quarter or so, and few enough to follow a neighbour who
// comes and goes, and to be kept in order at a constant price.
const spreadWindow = 64

// spread is half the distance between the first and the last tenth of the last values,
// kept up to date in constant time. It does not change when all values move together:
// a test for a shift needs a scale that does not know the shift.
//
// The interquartile range, of which 2.5 halves are usual, was no better anywhere, and
// took a tenth more runs where a burst hits each third pair.
type spread struct {
	recent [spreadWindow]float64 // a ring
	sorted []float64
	next   int
}

// value is 0 for fewer than two values.
func (s *spread) value() float64 {
	if len(s.sorted) < 2 {
		return 0
	}
	return quantileOf(s.sorted, 0.9)/2 - quantileOf(s.sorted, 0.1)/2
}

func (s *spread) add(v float64) {
	if len(s.sorted) == spreadWindow {
		gone := sort.SearchFloat64s(s.sorted, s.recent[s.next])
		s.sorted = append(s.sorted[:gone], s.sorted[gone+1:]...)
	}
	s.recent[s.next] = v
	s.next = (s.next + 1) % spreadWindow
	at := sort.SearchFloat64s(s.sorted, v)
	s.sorted = append(s.sorted, 0)
	copy(s.sorted[at+1:], s.sorted[at:])
	s.sorted[at] = v
}
