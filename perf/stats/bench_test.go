package stats

import (
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
