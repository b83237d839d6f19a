package benchio

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

const output = `goos: linux
goarch: amd64
pkg: example.com/parser
Unit hits/op better=higher
BenchmarkParse/small-8   	    1000	      1500 ns/op	  12.50 MB/s	      64 B/op	       2 allocs/op
BenchmarkCache-8         	       1	       2.5 ns/op	       7.000 hits/op	       3.000 misses/op
PASS
ok  	example.com/parser	1.2s
pkg: example.com/other
BenchmarkOdd 10 5 frames/s
`

func metric(name string, b perf.Better) perf.Metric {
	return perf.Metric{Name: name, Unit: perf.Unit(name), Better: b}
}

func TestReadGo(t *testing.T) {
	got, err := ReadGo(strings.NewReader(output), "out.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := []GoBenchmark{
		{"example.com/parser", "BenchmarkParse/small-8", 1000, []Measurement{
			{metric("sec/op", perf.Lower), 1500e-9}, {metric("B/sec", perf.Higher), 12.5e6}, {metric("B/op", perf.Lower), 64}, {metric("allocs/op", perf.Lower), 2}}},
		{"example.com/parser", "BenchmarkCache-8", 1, []Measurement{
			{metric("sec/op", perf.Lower), 2.5e-9}, {metric("hits/op", perf.Higher), 7}, {metric("misses/op", perf.Lower), 3}}},
		{"example.com/other", "BenchmarkOdd", 10, []Measurement{{metric("frames/sec", perf.Higher), 5}}},
	}
	// Decimal fractions of a second are rounded.
	for i := range want {
		for j := range want[i].Measurements {
			w, g := &want[i].Measurements[j], got[i].Measurements[j]
			if d := w.Value - g.Value; d < 1e-15 && d > -1e-15 || d < 1e-6 && w.Value > 1 && d > -1e-6 {
				w.Value = g.Value
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReadGoNamesTheLine(t *testing.T) {
	got, err := ReadGo(strings.NewReader("BenchmarkA 1 5 ns/op\nBenchmarkB 1 x ns/op\nBenchmarkC 1 6 ns/op\n"), "out.txt")
	if len(got) != 2 || got[1].Name != "BenchmarkC" {
		t.Errorf("read %+v, want A and C", got)
	}
	if se, ok := errors.AsType[*perf.SyntaxError](err); !ok || se.Line != 2 || se.File != "out.txt" {
		t.Errorf("error %v, want one on out.txt:2", err)
	}
}
