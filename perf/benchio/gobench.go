package benchio

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Measurement is one value of a benchmark.
type Measurement struct {
	perf.Metric
	Value float64
}

// A GoBenchmark is one result line.
type GoBenchmark struct {
	Package    string // import path, from the line "pkg:" above; empty without one
	Name       string // with "Benchmark" in front, and with the "-8" of eight processors at its end
	Iterations int
	// Measurements are all units of the line, in its order: those of the testing package
	// (sec/op, B/op, allocs/op, B/sec) and those that the benchmark reports itself.
	Measurements []Measurement
}

// ReadGo reads the results in r, whose name is for errors. What is no result is passed
// over, as the format wants it. A result line with a mistake in it is an error, which
// comes after the benchmarks that could be read, with its line.
//
// A unit is better when lower, unless it is a rate or a line "Unit NAME better=higher"
// says otherwise, wherever that stands.
func ReadGo(r io.Reader, name string) ([]GoBenchmark, error) {
	reader := benchfmt.NewReader(r, name)
	var out []GoBenchmark
	var errs []error
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.Result:
			out = append(out, goBenchmark(rec))
		case *benchfmt.SyntaxError:
			errs = append(errs, &perf.SyntaxError{File: rec.FileName, Line: rec.Line, Msg: rec.Msg})
		}
	}
	if err := reader.Err(); err != nil {
		errs = append(errs, fmt.Errorf("reading benchmarks: %w", err))
	}
	for i := range out {
		for j := range out[i].Measurements {
			m := &out[i].Measurements[j]
			m.Better = better(reader.Units(), m.Unit)
		}
	}
	return out, errors.Join(errs...)
}

func goBenchmark(res *benchfmt.Result) GoBenchmark {
	b := GoBenchmark{Package: res.GetConfig("pkg"), Name: "Benchmark" + string(res.Name), Iterations: res.Iters}
	for _, v := range res.Values {
		value, unit := v.OrigValue, v.OrigUnit
		if unit == "" { // it is as it was written
			value, unit = v.Value, v.Unit
		}
		tidy, base := perf.Tidy(value, unit)
		if strings.HasSuffix(string(base), "/s") {
			base += "ec" // as perf writes rates
		}
		b.Measurements = append(b.Measurements, Measurement{perf.Metric{Name: string(base), Unit: base}, tidy})
	}
	return b
}

// better is the direction of a unit. The metadata knows the units as benchfmt tidies
// them, in which a rate is a "/s".
func better(units benchfmt.UnitMetadataMap, u perf.Unit) perf.Better {
	names := []string{string(u)}
	if u.IsRate() {
		names = append(names, string(u[:len(u)-len("ec")]))
	}
	for _, name := range names {
		switch d := units.GetBetter(name); {
		case d > 0:
			return perf.Higher
		case d < 0:
			return perf.Lower
		}
	}
	if u.IsRate() {
		return perf.Higher
	}
	return perf.Lower
}
