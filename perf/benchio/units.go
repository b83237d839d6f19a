package benchio

import (
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchunit"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// tidy turns a value in the unit of a file into base units. What precedes a unit, as in
// p99-ns, is golang.org/x/perf/benchunit's rule; the other units are those of perf.
func tidy(value float64, unit string) (float64, perf.Unit) {
	factor, tidied := perf.Tidy(1, unit)
	if string(tidied) == unit {
		var name string
		factor, name = benchunit.Tidy(1, unit)
		tidied = perf.Unit(name)
	}
	if base, rate := strings.CutSuffix(string(tidied), "/s"); rate {
		tidied = perf.Unit(base) + perf.PerSecond
	}
	// 1423 ns are 1423 divided by 1e9, which is the float nearest to 1.423e-06. A
	// product with 1e-9, which no float is, misses it half of the time.
	if factor < 1 {
		return value / math.Round(1/factor), tidied
	}
	return value * factor, tidied
}

// rates are units of speed that have no "/s" in them.
var rates = []string{"fps", "qps", "rps", "tps", "iops", "mips"}

// costs are units of which less is better, as the last word of a unit.
var costs = []string{"B", "bytes", "allocs", "allocations", "instructions", "cycles", "misses", "faults", "errors", "estimated_cycles", "estimated-cycles"}

// direction says which way a unit is better, and whether that is known. A speed is
// better when it is higher; times, sizes and whatever is spent for one operation when
// they are lower. Of the rest nobody can tell.
func direction(u perf.Unit) (better perf.Better, known bool) {
	unit := string(u)
	switch {
	case u.IsRate(), slices.Contains(rates, strings.ToLower(unit)):
		return perf.Higher, true
	case u.IsTime(), strings.Contains(unit, "/"):
		return perf.Lower, true
	}
	last := unit[strings.LastIndexAny(unit, "- ")+1:]
	return perf.Lower, slices.Contains(costs, last)
}

// A quantity is a value with what the file says of its metric.
type quantity struct {
	value float64
	unit  perf.Unit
	orig  string // the unit in the file, where that is another
}

func newQuantity(value float64, unit string) quantity {
	q := quantity{value: value}
	q.value, q.unit = tidy(value, unit)
	if string(q.unit) != unit {
		q.orig = unit
	}
	return q
}

// fault says why the value cannot be one; it is empty if it can. Faults of the number
// itself are found where it is read.
func (q quantity) fault() string {
	if q.value < 0 && (q.unit.IsTime() || q.unit == perf.Byte) {
		return "is negative, which no " + string(q.unit) + " can be"
	}
	return ""
}
