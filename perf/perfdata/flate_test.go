package perfdata

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// deflated compresses by the standard library.
func deflated(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// flateInputs are of many kinds: those that do not compress, those that do well, at short
// and at long distances, and sections of debug information.
func flateInputs(t testing.TB) map[string][]byte {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	noise, few, text := make([]byte, 200_000), make([]byte, 100_000), []byte(nil)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for i := range few {
		few[i] = byte(random.ExpFloat64() * 8)
	}
	for len(text) < 300_000 {
		at := random.IntN(max(1, len(text)-40_000) + 1)
		n := random.IntN(400)
		text = append(append(text, text[min(at, len(text)):min(at+n, len(text))]...), noise[:random.IntN(20)]...)
	}
	all := map[string][]byte{
		"nothing": {}, "one": {7}, "noise": noise, "few": few, "text": text,
		"zeros": make([]byte, 100_000), "threes": bytes.Repeat([]byte{1, 2, 3}, 30_000), "nines": bytes.Repeat([]byte("123456789"), 10_000),
	}
	for name, data := range seeds(t) {
		all[name] = bytes.Repeat(data, 5)
	}
	return all
}

// TestZlibStream holds what becomes of a stream against what it was made of, at once and
// piece by piece.
func TestZlibStream(t *testing.T) {
	for name, data := range flateInputs(t) {
		for level := zlib.HuffmanOnly; level <= zlib.BestCompression; level++ {
			in := deflated(t, data, level)
			for _, step := range []int{len(data), 1 + len(data)/7, 100} {
				z, err := newZlibStream(bytes.NewReader(in), uint64(len(in)), uint64(len(data)))
				if err != nil {
					t.Fatal(err)
				}
				var first []byte
				for n := 0; ; n = min(n+step, len(data)) {
					got, err := z.upTo(uint64(n))
					if err != nil || len(got) < n || !bytes.Equal(got, data[:len(got)]) {
						t.Fatalf("%s, level %d: %d bytes of %d are others than before, or %v", name, level, len(got), len(data), err)
					}
					if !bytes.Equal(first, data[:len(first)]) {
						t.Fatalf("%s, level %d: the first bytes have changed", name, level)
					}
					if first = got; n == len(data) {
						break
					}
				}
			}
		}
	}
}

// TestZlibStreamDamaged wants errors, but for what does not reach so far.
func TestZlibStreamDamaged(t *testing.T) {
	data := flateInputs(t)["text"]
	whole := deflated(t, data, zlib.DefaultCompression)
	for _, n := range []int{0, 1, 2, 3, 100, len(whole) / 2, len(whole) - 50} {
		z, err := newZlibStream(bytes.NewReader(whole[:n]), uint64(n), uint64(len(data)))
		if err == nil {
			_, err = z.upTo(uint64(len(data)))
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes of %d: %v", n, len(whole), err)
		}
		if n == len(whole)/2 {
			if got, err := z.upTo(uint64(len(data) / 4)); err != nil || !bytes.Equal(got, data[:len(got)]) {
				t.Errorf("the begin of half of it: %v", err)
			}
		}
	}
	for _, tc := range []struct{ in, want string }{
		{"\x78\x9d\x03\x00", "zlib"},                                     // its check
		{"\x77\x01\x03\x00", "zlib"},                                     // another method
		{"\x78\x20\x03\x00\x00\x00\x00\x00", "zlib"},                     // a dictionary
		{"\x78\x9c\x07\x00\x00\x00\x00\x00", "damaged"},                  // a kind of block that is none
		{"\x78\x9c\x01\x04\x00\x04\x00abcd", "damaged"},                  // a length that its complement is not of
		{"\x78\x9c\x03\x00\x00\x00\x00\x01", "has 0 bytes uncompressed"}, // an end
		{"\x78\x9c\x4b\x04\x13\x00\x00\x00\x00\x00\x00\x00", "damaged"},  // what is repeated begins before the begin
	} {
		z, err := newZlibStream(strings.NewReader(tc.in), uint64(len(tc.in)), 9)
		if err == nil {
			_, err = z.upTo(9)
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v, want %q", tc.in, err, tc.want)
		}
	}
}

// FuzzZlibStream holds it against the standard library.
func FuzzZlibStream(f *testing.F) {
	for _, data := range flateInputs(f) {
		data = data[:min(len(data), 20_000)]
		for _, level := range []int{zlib.NoCompression, zlib.BestSpeed, zlib.BestCompression, zlib.HuffmanOnly} {
			f.Add(deflated(f, data, level), uint16(len(data)))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, size uint16) {
		want := make([]byte, size)
		r, wantErr := zlib.NewReader(bytes.NewReader(in))
		n := 0
		if wantErr == nil {
			if n, wantErr = io.ReadFull(r, want); n == len(want) {
				wantErr = nil
			}
		}
		z, err := newZlibStream(bytes.NewReader(in), uint64(len(in)), uint64(size))
		var got []byte
		if err == nil {
			got, err = z.upTo(uint64(size))
		}
		switch {
		case wantErr == nil && err != nil:
			t.Errorf("it fails with %v, and that of the standard library does not", err)
		case wantErr != nil && err == nil && size > 0:
			t.Errorf("that of the standard library fails with %v, and it does not", wantErr)
		case err == nil && !bytes.Equal(got, want):
			t.Error("they differ")
		}
	})
}

// BenchmarkZlibStream undoes the compression of an ELF file.
func BenchmarkZlibStream(b *testing.B) {
	data := flateInputs(b)["dwarf5.elf"]
	in := deflated(b, data, zlib.DefaultCompression)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		z, err := newZlibStream(bytes.NewReader(in), uint64(len(in)), uint64(len(data)))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := z.upTo(uint64(len(data))); err != nil {
			b.Fatal(err)
		}
	}
}
