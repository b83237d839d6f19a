package perfdata

import (
	"cmp"
	"slices"
)

// A span is a range of addresses, the end left out, that belongs to value: an index into
// whatever the spans are of.
type span struct {
	low, high uint64
	value     int32
	up        int32 // the span around it that a search goes on with; -1: none
}

// spans find what an address belongs to. They may lie in one another and overlap: the one
// that begins last wins, and of those that begin together the shortest, and of equal ones
// the one that was added last.
type spans []span

// maxClimb bounds how many spans around an address are tried, so that a file in which all
// lie in all takes no longer than others.
const maxClimb = 4096

// newSpans sorts all in place.
func newSpans(all []span) spans {
	order := func(a, b span) int {
		if a.low != b.low {
			return cmp.Compare(a.low, b.low)
		}
		return cmp.Compare(b.high, a.high)
	}
	if !slices.IsSortedFunc(all, order) {
		slices.SortStableFunc(all, order)
	}
	// What has begun and not ended lies on a stack, which the links make. A span that ends
	// before another begins cannot hold an address from there on.
	top := int32(-1)
	for i := range all {
		for top >= 0 && all[top].high <= all[i].low {
			top = all[top].up
		}
		all[i].up = top
		top = int32(i)
	}
	return all
}

// find returns the value of the innermost span around an address.
func (s spans) find(addr uint64) (value int32, ok bool) {
	i, _ := slices.BinarySearchFunc(s, addr, func(x span, addr uint64) int {
		if x.low <= addr {
			return -1
		}
		return 1
	})
	at := int32(i) - 1
	for n := 0; at >= 0 && n < maxClimb; n++ {
		if addr < s[at].high {
			return s[at].value, true
		}
		at = s[at].up
	}
	return 0, false
}
