package stats

import "sort"

// windowSize is how many of the last values a window holds: enough for
// tenths that are good to a quarter or so, and few enough to follow a neighbour who
// comes and goes, and to be kept in order at a constant price.
const windowSize = 64

// A window holds the last values, in order, at a constant price for each.
type window struct {
	recent [windowSize]float64 // a ring
	sorted []float64
	next   int
}

// spread is half the distance between the first and the last tenth of the values. It
// does not change when all of them move together: a test for a shift needs a scale that
// does not know the shift. It is 0 for fewer than two values.
//
// The interquartile range, of which 2.5 halves are usual, was no better anywhere, and
// took a tenth more runs where a burst hits each third pair.
func (w *window) spread() float64 {
	if len(w.sorted) < 2 {
		return 0
	}
	return quantileOf(w.sorted, 0.9)/2 - quantileOf(w.sorted, 0.1)/2
}

// middle is the median of the values, and 0 without any.
func (w *window) middle() float64 {
	if len(w.sorted) == 0 {
		return 0
	}
	return quantileOf(w.sorted, 0.5)
}

func (w *window) add(v float64) {
	if len(w.sorted) == windowSize {
		gone := sort.SearchFloat64s(w.sorted, w.recent[w.next])
		w.sorted = append(w.sorted[:gone], w.sorted[gone+1:]...)
	}
	w.recent[w.next] = v
	w.next = (w.next + 1) % windowSize
	at := sort.SearchFloat64s(w.sorted, v)
	w.sorted = append(w.sorted, 0)
	copy(w.sorted[at+1:], w.sorted[at:])
	w.sorted[at] = v
}
