package perf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Unit is the base unit of a metric. Values are kept in base units everywhere;
// a larger or smaller unit exists only in what a person reads.
type Unit string

// The base units.
const (
	Second    Unit = "sec"
	Byte      Unit = "B"
	Count     Unit = "count"
	Cores     Unit = "cores"
	PerSecond Unit = "/sec"
	Ratio     Unit = "ratio"
)

// scaleStep is one unit that a person reads: factor base units.
type scaleStep struct {
	factor float64
	name   string
}

// Steps from large to small. Bytes are decimal, as the objectives are.
var (
	secondSteps = []scaleStep{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}}
	byteSteps   = []scaleStep{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1, "B"}}
	countSteps  = []scaleStep{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}}
)

func (u Unit) steps() ([]scaleStep, string) {
	switch u {
	case Second:
		return secondSteps, ""
	case Byte:
		return byteSteps, ""
	case Count:
		return countSteps, ""
	case PerSecond:
		return countSteps, "/s"
	case Cores:
		return []scaleStep{{1, ""}}, "cores"
	case Ratio:
		return []scaleStep{{1, ""}}, ""
	}
	// What Tidy makes of ns/op and MB/s is scaled as its base unit is.
	if base, per, has := strings.Cut(string(u), "/"); has && (Unit(base) == Second || Unit(base) == Byte) {
		steps, _ := Unit(base).steps()
		if per == "sec" {
			per = "s"
		}
		return steps, "/" + per
	}
	// In units such as p99-sec, of which the Go benchmark format makes metrics, the
	// name stands before the unit.
	if at := strings.LastIndexByte(string(u), '-'); at > 0 {
		if base := u[at+1:]; base == Second || base == Byte {
			return base.steps()
		}
	}
	if base, rate := strings.CutSuffix(string(u), "/sec"); rate {
		return []scaleStep{{1, ""}}, base + "/s"
	}
	return []scaleStep{{1, ""}}, string(u)
}

// IsRate reports whether the unit is a number of things a second, as "tests/sec".
func (u Unit) IsRate() bool { return strings.HasSuffix(string(u), "/sec") }

// IsTime reports whether the unit is one of time, as "sec", "sec/op" and "p99-sec" are.
func (u Unit) IsTime() bool {
	return u == Second || strings.HasPrefix(string(u), string(Second)+"/") || strings.HasSuffix(string(u), "-"+string(Second))
}

// A Scale prints values of one unit in one larger or smaller unit, so that a
// column can be compared by eye. The zero Scale prints plain numbers.
type Scale struct {
	factor   float64
	name     string
	decimals int
}

// NewScale chooses the scale for values of unit u that stand in one column: the
// largest in which the smallest non-zero of them is at least 1, with three of its
// digits.
// A column of nothing but zeroes is printed in the base unit.
func NewScale(u Unit, values ...float64) Scale {
	steps, suffix := u.steps()
	least := math.Inf(1)
	for _, v := range values {
		if a := math.Abs(v); a > 0 && a < least {
			least = a
		}
	}
	base := Scale{factor: 1, name: strings.TrimSpace(baseName(steps) + suffix)}
	if math.IsInf(least, 1) {
		return base
	}
	last := len(steps) - 1
	for i, step := range steps[:last] {
		// What the next smaller unit would print as 1000 belongs to this one. The test
		// is made there, where it prints, because dividing by 1e-3 and by 1e-6 rounds
		// differently: 0.0009995 s is 999.5 µs and a little less than 0.9995 ms.
		if least/steps[i+1].factor >= 999.5 {
			return Scale{step.factor, step.name + suffix, min(2, decimalsFor(least/step.factor))}
		}
	}
	step := steps[last]
	return Scale{step.factor, step.name + suffix, decimalsFor(least / step.factor)}
}

func baseName(steps []scaleStep) string {
	for _, s := range steps {
		if s.factor == 1 {
			return s.name
		}
	}
	return ""
}

// maxDecimals ends how small a value still shows: a billionth of the smallest unit.
const maxDecimals = 9

// decimalsFor returns how many digits behind the point show v with three
// significant ones. It asks the printer itself for the exponent, which knows that
// 9.995 is printed as 10.0.
func decimalsFor(v float64) int {
	_, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', 2, 64), "e")
	e, err := strconv.Atoi(exponent)
	if err != nil {
		return 0 // an infinity has no exponent
	}
	return min(max(2-e, 0), maxDecimals)
}

// Format prints v in the scale's unit, the unit's name behind it.
func (s Scale) Format(v float64) string {
	n := s.Number(v)
	if s.name == "" {
		return n
	}
	if strings.HasPrefix(s.name, "/") {
		return n + s.name
	}
	return n + " " + s.name
}

// Number prints v in the scale's unit, without the unit's name.
func (s Scale) Number(v float64) string {
	if s.factor == 0 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v/s.factor, 'f', s.decimals, 64)
}

// Name is the unit in which the scale prints.
func (s Scale) Name() string { return s.name }

// Format prints one value by itself, scaled and with three significant digits.
// Whole numbers of a scale are printed without a fraction: a limit of 120 s reads
// "120 s" and one of 2 s reads "2 s".
func (u Unit) Format(v float64) string {
	s := NewScale(u, v)
	// 7e-9 / 1e-9 is a little more than 7: whole means whole but for such rounding.
	if x := v / s.factor; math.Abs(x-math.Round(x)) <= 1e-12*math.Abs(x) {
		s.decimals = 0
	}
	return s.Format(v)
}

// factors maps what people and other tools write behind a number to base units.
var factors = map[string]struct {
	unit   Unit
	factor float64
}{
	"ns": {Second, 1e-9}, "us": {Second, 1e-6}, "µs": {Second, 1e-6}, "μs": {Second, 1e-6},
	"ms": {Second, 1e-3}, "s": {Second, 1}, "sec": {Second, 1}, "m": {Second, 60}, "min": {Second, 60}, "h": {Second, 3600},
	"B": {Byte, 1}, "bytes": {Byte, 1}, "kB": {Byte, 1e3}, "KB": {Byte, 1e3}, "MB": {Byte, 1e6}, "GB": {Byte, 1e9}, "TB": {Byte, 1e12},
	"KiB": {Byte, 1 << 10}, "MiB": {Byte, 1 << 20}, "GiB": {Byte, 1 << 30}, "TiB": {Byte, 1 << 40},
	"/s": {PerSecond, 1}, "/sec": {PerSecond, 1}, "": {Count, 1},
}

// Tidy turns a value in a unit that somebody else wrote (ns/op, MB, KiB, ms) into
// base units. A suffix such as "/op" stays: 5 ns/op is 5e-9 sec/op. A unit that it
// does not know is returned as it is. golang.org/x/perf/benchunit does the same.
func Tidy(value float64, unit string) (float64, Unit) {
	name, per, has := strings.Cut(unit, "/")
	if f, ok := factors[unit]; ok {
		return value * f.factor, f.unit
	}
	f, ok := factors[name]
	if !ok || !has || name == "" {
		return value, Unit(unit)
	}
	if per == "s" || per == "sec" {
		return value * f.factor, Unit(string(f.unit) + "/sec")
	}
	return value * f.factor, Unit(string(f.unit) + "/" + per)
}

// ParseQuantity reads a number with a unit behind it, as in "120s", "1us",
// "1m30s", "100MB", "64 MiB", "250/s", "1_000" or "12", and returns it in base units.
func ParseQuantity(s string) (float64, Unit, error) {
	s = strings.TrimSpace(s)
	number := strings.TrimLeft(s, "+-0123456789.eE_")
	// An "e" may be an exponent or the start of a unit; no unit here starts with one.
	v, err := strconv.ParseFloat(s[:len(s)-len(number)], 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, "", fmt.Errorf("%q is not a number with a unit: write it as 120s, 1us, 100MB or 250/s", s)
	}
	f, ok := factors[strings.TrimSpace(number)]
	if v *= f.factor; math.IsInf(v, 0) {
		return 0, "", fmt.Errorf("%q is too large a quantity to calculate with", s)
	}
	if ok {
		return v, f.unit, nil
	}
	if sec, err := parseCompound(s); err == nil {
		return sec, Second, nil
	}
	return 0, "", fmt.Errorf("%q has the unknown unit %q: use ns, us, ms, s, m, h, B, kB, MB, GB, KiB, MiB, GiB or /s", s, strings.TrimSpace(number))
}

// parseCompound reads durations of several parts, such as 1m30s.
func parseCompound(s string) (float64, error) {
	d, err := time.ParseDuration(s)
	return d.Seconds(), err
}
