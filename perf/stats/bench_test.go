package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Summaries and bounds are made after every run of a benchmark, so at a thousand
// runs they are to take less than a tenth of a millisecond.

func BenchmarkSummarize(b *testing.B) {
	s := draw(seeded(1), 1000, sources[0].draw)
	for b.Loop() {
		Summarize(s, 0.95)
	}
}

func BenchmarkFixedBounds(b *testing.B) {
	s := draw(seeded(1), 1000, sources[0].draw)
	for b.Loop() {
		FixedBounds(s, 0.5, 0.95)
	}
}

func BenchmarkSequentialBounds(b *testing.B) {
	s := draw(seeded(1), 1000, sources[0].draw)
	for b.Loop() {
		SequentialBounds(s, 0.5, 0.95)
	}
}

func BenchmarkSequentialBoundsP99(b *testing.B) {
	s := draw(seeded(1), 1000, sources[0].draw)
	for b.Loop() {
		SequentialBounds(s, 0.99, 0.95)
	}
}

func BenchmarkDrift(b *testing.B) {
	s := draw(seeded(1), 1000, sources[0].draw)
	for b.Loop() {
		Drift(s)
	}
}

func BenchmarkCompareUnpaired(b *testing.B) {
	older, newer := draw(seeded(1), 60, sources[0].draw), draw(seeded(2), 60, sources[0].draw)
	for b.Loop() {
		CompareUnpaired(older, newer, perf.Wall, UnpairedAlpha, UnpairedMinEffect)
	}
}

func BenchmarkCompareUnpairedThousand(b *testing.B) {
	older, newer := draw(seeded(1), 1000, sources[0].draw), draw(seeded(2), 1000, sources[0].draw)
	for b.Loop() {
		CompareUnpaired(older, newer, perf.Wall, UnpairedAlpha, UnpairedMinEffect)
	}
}

// One pair costs the same however many there have been, and next to nothing beside
// the runs that it is made of.
func BenchmarkPairedAdd(b *testing.B) {
	for _, earlier := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("after=%d", earlier), func(b *testing.B) {
			r := seeded(3)
			values := draw(r, 1024, func(r *rand.Rand) float64 { return math.Exp(0.05 * r.NormFloat64()) })
			p, err := NewPaired(PairedOptions{})
			if err != nil {
				b.Fatal(err)
			}
			add := func(i int) {
				if err := p.Add(values[i%1024], values[(i*7+3)%1024]); err != nil {
					b.Fatal(err)
				}
			}
			for i := range earlier {
				add(i)
			}
			p.diffs, p.scales = slices.Grow(p.diffs, 1<<20), slices.Grow(p.scales, 1<<20)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				add(i)
				p.Verdict()
				if len(p.diffs) == cap(p.diffs) { // as many as there were: memory is not measured
					p.diffs, p.scales = p.diffs[:earlier], p.scales[:earlier]
				}
			}
		})
	}
}

// What a live line shows, each time that it does.
func BenchmarkPairedShow(b *testing.B) {
	for _, pairs := range []int{20, 200, 2000} {
		b.Run(fmt.Sprintf("pairs=%d", pairs), func(b *testing.B) {
			r := seeded(4)
			p, err := NewPaired(PairedOptions{})
			if err != nil {
				b.Fatal(err)
			}
			for range pairs {
				if err := p.Add(math.Exp(0.05*r.NormFloat64()), math.Exp(0.05*r.NormFloat64())); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				p.Interval()
				p.Estimate()
				p.Needed()
			}
		})
	}
}

func BenchmarkChangePoints(b *testing.B) {
	for _, points := range []int{100, 1000} {
		b.Run(fmt.Sprintf("points=%d", points), func(b *testing.B) {
			s := noiseSeries(seeded(5), points, 0.5)
			for b.Loop() {
				if _, err := ChangePoints(s, ChangeOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The size of a large stored result.
const storedBenchmarks, storedSamples = 1000, 100

func stored(seed uint64) []perf.Sample {
	r := seeded(seed)
	all := make([]perf.Sample, storedBenchmarks)
	for i := range all {
		all[i] = draw(r, storedSamples, func(r *rand.Rand) float64 { return 1e-3 * math.Exp(0.05*r.NormFloat64()) })
	}
	return all
}

// BenchmarkStored compares two stored results of 1000 benchmarks with 100 samples
// each, on one CPU. The whole of it, with reading and printing and beside benchstat, is
// BenchmarkStored of perf/report.
func BenchmarkStored(b *testing.B) {
	older, newer := stored(6), stored(7)
	encode := func(all []perf.Sample) []byte {
		data, err := json.Marshal(all)
		if err != nil {
			b.Fatal(err)
		}
		return data
	}
	oldJSON, newJSON := encode(older), encode(newer)
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			for _, data := range [][]byte{oldJSON, newJSON} {
				var all []perf.Sample
				if err := json.Unmarshal(data, &all); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("unpaired", func(b *testing.B) {
		for b.Loop() {
			for i := range older {
				CompareUnpaired(older[i], newer[i], perf.Wall, UnpairedAlpha, UnpairedMinEffect)
			}
		}
	})
	b.Run("paired", func(b *testing.B) {
		for b.Loop() {
			for i := range older {
				ComparePaired(older[i], newer[i], perf.Wall, PairedOptions{})
			}
		}
	})
}
