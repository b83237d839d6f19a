package perfdata

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zlib"
)

// A zlibStream becomes the bytes that were compressed (RFC 1950), as far as they are asked
// for: who wants a begin only, as the first units of a file, needs not wait for the rest.
// The checksum at its end is not held against them: the end is often not read.
type zlibStream struct {
	from io.Reader
	size uint64 // how many bytes it shall have
	out  []byte // those that are there, and room for more
}

// newZlibStream reads the header of a stream of so many bytes that shall become size. At
// first there is room for as many as sections usually have: a size that is a lie takes no
// memory.
func newZlibStream(from io.Reader, compressed, size uint64) (*zlibStream, error) {
	z, err := zlib.NewReader(io.LimitReader(from, int64(compressed)))
	if err != nil {
		return nil, flateError(err)
	}
	return &zlibStream{from: z, size: size, out: make([]byte, 0, min(size, 8*compressed))}, nil
}

// got is what has been made so far.
func (z *zlibStream) got() []byte { return z.out[:len(z.out):len(z.out)] }

// upTo returns the first n bytes, n up to the size. What it has returned before stays as
// it was.
func (z *zlibStream) upTo(n uint64) ([]byte, error) {
	for uint64(len(z.out)) < n {
		have := len(z.out)
		if have == cap(z.out) {
			z.out = slices.Grow(z.out, int(min(uint64(have)+1, z.size-uint64(have))))
		}
		more, err := z.from.Read(z.out[have:min(n, uint64(cap(z.out)))])
		z.out = z.out[:have+more]
		switch {
		case uint64(len(z.out)) >= n: // what comes after them matters to who asks for it
		case err == io.EOF:
			return nil, fmt.Errorf("has %d bytes uncompressed, not the %d that it says", len(z.out), z.size)
		case err != nil:
			return nil, flateError(err)
		}
	}
	return z.got(), nil
}

func flateError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the compressed data are cut off: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("the compressed data are damaged: %w", err)
}
