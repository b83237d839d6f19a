package stats

import (
	"math"
	"slices"
)

// A sortedMatrix is many values that are computed from few, in rows and columns that
// ascend, so that counting those up to a bound takes one finger on each side: all
// ratios of two samples, or all means of two values of one.
type sortedMatrix interface {
	extremes() (least, most float64)
	countUpTo(v float64) int
	// within appends the values above low and up to high.
	within(to []float64, low, high float64) []float64
}

// few is how many values are laid out and sorted rather than counted.
const few = 64

// kth returns the k-th smallest value, counted from 1, exactly.
func kth(m sortedMatrix, k int) float64 {
	v, _ := kthTo(m, k, k)
	return v
}

// kthAndNext returns the k-th smallest value and the one after it. They mostly come
// from one search, which takes little longer than that for one.
func kthAndNext(m sortedMatrix, k int) (v, next float64) {
	return kthTo(m, k, k+1)
}

// kthTo returns the values of the ranks first and last. It closes in on them by
// counting: mostly where a line between the counts at both ends would have a rank a
// little beside them, on the side that is still farther away. That is there in some five
// steps if the values spread smoothly; at each fifth step it halves the float64s in
// between, so that some three hundred are enough for any. Where a step falls between the
// two ranks, each is searched by itself.
func kthTo(m sortedMatrix, first, last int) (v, w float64) {
	const beside = few / 3
	least, high := m.extremes()
	low := math.Nextafter(least, math.Inf(-1))
	below, upTo := 0, m.countUpTo(high) // counts at low and at high
	for step := 1; upTo-below > few; step++ {
		aim := last + beside
		if first-below > upTo-last {
			aim = first - beside
		}
		middle := low + (high-low)*((float64(aim-below)-0.5)/float64(upTo-below))
		if step%5 == 0 || !(middle > low && middle < high) {
			middle = halfway(low, high)
		}
		if middle == low {
			return high, high // nothing lies between: the rest are ties
		}
		switch count := m.countUpTo(middle); {
		case count >= last:
			high, upTo = middle, count
		case count < first:
			low, below = middle, count
		default:
			return kth(m, first), kth(m, last)
		}
	}
	values := m.within(make([]float64, 0, few), low, high)
	slices.Sort(values)
	return values[first-below-1], values[last-below-1]
}

// halfway returns the float64 with as many others on the way to low as to high, and low
// where there is none between them. The bits of a float64 are ordered as the numbers
// are, once the sign is seen to.
func halfway(low, high float64) float64 {
	a, b := orderedBits(low), orderedBits(high)
	return fromOrderedBits(a + (b-a)/2)
}

// orderedBits maps a float64 to an integer that is ordered alike.
func orderedBits(v float64) uint64 {
	bits := math.Float64bits(v)
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

func fromOrderedBits(bits uint64) float64 {
	if bits>>63 == 1 {
		return math.Float64frombits(bits &^ (1 << 63))
	}
	return math.Float64frombits(^bits)
}
