package experiment

import (
	"strings"
	"testing"
)

func orderOf(seed uint64, name string, every, n int) string {
	d := newDealer(seed, name, every)
	var b strings.Builder
	for range n {
		b.WriteString(d.next().letters())
	}
	return b.String()
}

func TestDealerReplays(t *testing.T) {
	const n = 4000
	order := orderOf(7, "a", controlEvery, n)
	if again := orderOf(7, "a", controlEvery, n); again != order {
		t.Error("one seed gives two orders")
	}
	if prefix := orderOf(7, "a", controlEvery, 10); !strings.HasPrefix(order, prefix) {
		t.Error("a shorter comparison is not the beginning of a longer one")
	}
	for _, other := range []string{orderOf(8, "a", controlEvery, n), orderOf(7, "b", controlEvery, n)} {
		if other == order {
			t.Error("another seed, or another workload, has the same order")
		}
	}
}

// TestDealerIsFair counts what a fair coin makes of the order, with room for four
// standard deviations, and the controls, which are exact.
func TestDealerIsFair(t *testing.T) {
	const n = 8000
	d := newDealer(1, "a", controlEvery)
	controls, first, pads := 0, 0, map[int]bool{}
	inBlock := map[int]int{} // controls by their place in the block
	for i := range n {
		deal := d.next()
		if deal.control {
			controls++
			inBlock[i%controlEvery]++
		}
		if deal.newFirst {
			first++
		}
		pads[deal.vary.Pad] = true
	}
	if controls != n/controlEvery {
		t.Errorf("%d controls in %d pairs, want one in %d", controls, n, controlEvery)
	}
	if first < n/2-179 || first > n/2+179 {
		t.Errorf("the new side came first in %d of %d pairs", first, n)
	}
	if len(inBlock) != controlEvery {
		t.Errorf("controls stand at %d places of a block, want all %d", len(inBlock), controlEvery)
	}
	if len(pads) < 2000 {
		t.Errorf("%d sizes of the environment in %d pairs", len(pads), n)
	}
	if letters := orderOf(1, "a", 0, n); strings.ContainsAny(letters, "ab") {
		t.Error("there are controls, and none were asked for")
	}
}
