package perf

import (
	"math"
	"strings"
	"testing"
)

// between halves the range from low to high, until no float lies inside, around the
// place where at turns true.
func between(low, high float64, at func(float64) bool) (below, above float64) {
	for {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			return low, high
		}
		if at(middle) {
			high = middle
		} else {
			low = middle
		}
	}
}

// The last float before a switch of the unit prints as 999 of the smaller one, the next
// float as 1.00 of the larger one; neither is ever 1000 or 0.999.
func TestScaleAtEverySwitch(t *testing.T) {
	for _, u := range []Unit{Second, Byte, Count, PerSecond, "sec/op", "B/sec"} {
		steps, suffix := u.steps()
		for i, large := range steps[:len(steps)-1] {
			small := steps[i+1]
			below, above := between(0.9*large.factor, large.factor, func(v float64) bool { return NewScale(u, v).factor == large.factor })
			if math.Nextafter(below, above) != above {
				t.Fatalf("%v and %v are not neighbours", below, above)
			}
			for v, want := range map[float64]string{
				below: Scale{1, small.name + suffix, 0}.Format(999),
				above: Scale{1, large.name + suffix, 2}.Format(1),
			} {
				if got := NewScale(u, v).Format(v); got != want {
					t.Errorf("%s: %v prints as %q, want %q", u, v, got, want)
				}
			}
		}
	}
}

// Within a unit, the digits behind the point go away where rounding moves the value up.
func TestScaleAtEveryDigit(t *testing.T) {
	for _, u := range []Unit{Second, Byte, Count, PerSecond, Cores, Ratio} {
		steps, _ := u.steps()
		for _, step := range steps {
			for _, row := range []struct {
				at           float64
				decimals     int // before the switch
				below, above string
			}{{10, 2, "9.99", "10.0"}, {100, 1, "99.9", "100"}} {
				below, above := between(0.95*row.at*step.factor, row.at*step.factor,
					func(v float64) bool { return NewScale(u, v).decimals < row.decimals })
				if got := NewScale(u, below).Number(below); got != row.below {
					t.Errorf("%s: %v prints as %q, want %q", u, below, got, row.below)
				}
				if got := NewScale(u, above).Number(above); got != row.above {
					t.Errorf("%s: %v prints as %q, want %q", u, above, got, row.above)
				}
			}
		}
	}
}

func TestScaleOfAColumn(t *testing.T) {
	s := NewScale(Second, 1.5, 0.0025, 0, 0.025)
	var got []string
	for _, v := range []float64{1.5, 0.0025, 0, 0.025, -0.0025} {
		got = append(got, s.Format(v))
	}
	if want := "1500.00 ms|2.50 ms|0.00 ms|25.00 ms|-2.50 ms"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if s.Name() != "ms" {
		t.Errorf("the column is in %q", s.Name())
	}
}

func TestScaleWithoutValues(t *testing.T) {
	for _, row := range []struct {
		scale Scale
		value float64
		want  string
	}{
		{Scale{}, 1234.5678, "1235"},
		{NewScale(Second), 0, "0 s"},
		{NewScale(Byte, 0, 0), 0, "0 B"},
		{NewScale(Second, math.Inf(1)), math.Inf(1), "+Inf s"},
		{NewScale(Second, math.NaN()), math.NaN(), "NaN s"},
		{NewScale(Second, math.NaN(), 0.002), 0.002, "2.00 ms"},
	} {
		if got := row.scale.Format(row.value); got != row.want {
			t.Errorf("%v prints as %q, want %q", row.value, got, row.want)
		}
	}
}

func TestUnitFormat(t *testing.T) {
	for _, row := range []struct {
		unit  Unit
		value float64
		want  string
	}{
		{Second, 0, "0 s"}, {Second, 120, "120 s"}, {Second, 2, "2 s"}, {Second, 0.1, "100 ms"}, {Second, 2.1e-3, "2.10 ms"},
		{Second, 3e-6, "3 µs"}, {Second, 7e-9, "7 ns"}, {Second, 5e-12, "0.00500 ns"}, {Second, -0.0025, "-2.50 ms"},
		{Byte, 1, "1 B"}, {Byte, 100e6, "100 MB"}, {Byte, 1_234_567, "1.23 MB"}, {Byte, 2e15, "2000 TB"},
		{Count, 12, "12"}, {Count, 12_345, "12.3 k"}, {PerSecond, 250, "250/s"}, {PerSecond, 12_500, "12.5 k/s"},
		{Cores, 1.5, "1.50 cores"}, {Ratio, 0.0123, "0.0123"}, {Ratio, 1e-12, "0.000000000"},
		{"sec/op", 5.25e-9, "5.25 ns/op"}, {"B/sec", 5.25e6, "5.25 MB/s"}, {"B/op", 48, "48 B/op"},
		{"allocs/op", 3, "3 allocs/op"}, {"frobs", 1.25, "1.25 frobs"},
	} {
		if got := row.unit.Format(row.value); got != row.want {
			t.Errorf("%v %s prints as %q, want %q", row.value, row.unit, got, row.want)
		}
	}
}

func TestTidy(t *testing.T) {
	for _, row := range []struct {
		value float64
		unit  string
		want  float64
		base  Unit
	}{
		{5, "ns/op", 5e-9, "sec/op"}, {250, "ns", 250e-9, Second}, {3, "us", 3e-6, Second}, {3, "µs", 3e-6, Second},
		{3, "μs", 3e-6, Second}, {4, "ms", 4e-3, Second}, {2, "s", 2, Second}, {2, "sec", 2, Second}, {2, "min", 120, Second}, {1, "h", 3600, Second},
		{64, "B/op", 64, "B/op"}, {1, "kB", 1000, Byte}, {1, "KiB", 1024, Byte}, {3, "MB", 3e6, Byte}, {2, "MiB", 2 << 20, Byte},
		{1, "GiB", 1 << 30, Byte}, {12, "bytes", 12, Byte}, {10, "MB/s", 10e6, "B/sec"}, {10, "MB/sec", 10e6, "B/sec"},
		{7, "/s", 7, PerSecond}, {7, "", 7, Count}, {1.5, "ms/file", 1.5e-3, "sec/file"},
		{9, "allocs/op", 9, "allocs/op"}, {9, "frobs", 9, "frobs"}, {9, "/frob", 9, "/frob"}, {1, "mb", 1, "mb"},
	} {
		got, base := Tidy(row.value, row.unit)
		if math.Abs(got-row.want) > 1e-12*row.want || base != row.base {
			t.Errorf("Tidy(%v, %q) = %v, %q; want %v, %q", row.value, row.unit, got, base, row.want, row.base)
		}
	}
}

func TestParseQuantity(t *testing.T) {
	for _, row := range []struct {
		text  string
		value float64
		unit  Unit
	}{
		{"120s", 120, Second}, {"1us", 1e-6, Second}, {"1µs", 1e-6, Second}, {"1m30s", 90, Second}, {"1h1m1.5s", 3661.5, Second},
		{"-1m30s", -90, Second}, {"5m", 300, Second}, {"1.5h", 5400, Second}, {" 2 s ", 2, Second}, {"1e-3s", 1e-3, Second},
		{"1E3ms", 1, Second}, {"+2s", 2, Second}, {"1_000ms", 1, Second}, {"-5s", -5, Second}, {".5s", 0.5, Second}, {"100MB", 100e6, Byte},
		{"64 MiB", 64 << 20, Byte}, {"1KB", 1000, Byte}, {"12 bytes", 12, Byte}, {"250/s", 250, PerSecond}, {"250 /sec", 250, PerSecond},
		{"12", 12, Count}, {"0", 0, Count}, {"1e3", 1000, Count},
	} {
		value, unit, err := ParseQuantity(row.text)
		if err != nil || math.Abs(value-row.value) > 1e-12*math.Abs(row.value) || unit != row.unit {
			t.Errorf("ParseQuantity(%q) = %v, %q, %v; want %v, %q", row.text, value, unit, err, row.value, row.unit)
		}
	}
}

func TestParseQuantityBad(t *testing.T) {
	for text, reason := range map[string]string{
		"": "not a number", " ": "not a number", "s": "not a number", "fast": "not a number", "NaN": "not a number", "Infs": "not a number",
		"+": "not a number", "1..2s": "not a number", "1-2s": "not a number", "--1s": "not a number", "1__0ms": "not a number",
		"1e400s": "not a number", "12e": "not a number", "٣s": "not a number", "1,5s": `unknown unit ",5s"`,
		"1e308h": "too large", "-1e308h": "too large",
		"5parsec": `unknown unit "parsec"`, "5mb": `unknown unit "mb"`, "5S": `unknown unit "S"`, "1m30": `unknown unit "m30"`,
		"1 m 30 s": "unknown unit", "0x10s": "unknown unit", "5s/op": "unknown unit", "5%": "unknown unit", "1s 2s": "unknown unit",
	} {
		value, unit, err := ParseQuantity(text)
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("ParseQuantity(%q) = %v, %q, %v; want an error with %q", text, value, unit, err, reason)
		}
		if value != 0 || unit != "" {
			t.Errorf("ParseQuantity(%q) returns %v %q beside its error", text, value, unit)
		}
	}
}

// FuzzParseQuantity holds that nothing panics and that every value is finite.
func FuzzParseQuantity(f *testing.F) {
	for _, text := range []string{"120s", "1m30s", "64 MiB", "250/s", "1e308h", "-.5us", "1e"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, unit, err := ParseQuantity(text)
		if err == nil && (!finite(value) || unit == "") {
			t.Errorf("%q is %v %q", text, value, unit)
		}
	})
}

func TestUnitsWithANameBefore(t *testing.T) {
	for u, want := range map[Unit]string{"p99-sec": "2.10 µs", "peak-memory-B": "0.00000210 B", "-sec": "0.00000210 -sec"} {
		if got := NewScale(u, 2.1e-6).Format(2.1e-6); got != want {
			t.Errorf("%s prints as %q, want %q", u, got, want)
		}
	}
	for u, want := range map[Unit]bool{Second: true, "sec/op": true, "p99-sec": true, "tests/sec": false, Byte: false, "sector": false, "B/op": false} {
		if u.IsTime() != want {
			t.Errorf("%s is a time: %v, want %v", u, u.IsTime(), want)
		}
	}
}
