package benchio

import (
	"bytes"
	"testing"

	"golang.org/x/perf/benchfmt"
)

// The floor is what benchfmt takes for the same text, without keeping anything.
func BenchmarkRead(b *testing.B) {
	text := bytes.Repeat([]byte("BenchmarkEncode/format=json-8 714387 1423 ns/op 120.50 MB/s 64 B/op 2 allocs/op\n"), 10_000)
	b.Run("benchio", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if im, err := Read(bytes.NewReader(text), "x", Options{}); err != nil || len(im.Runs) != 1 {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			r := benchfmt.NewReader(bytes.NewReader(text), "x")
			for r.Scan() {
				_ = r.Result()
			}
		}
	})
}
