package perfdata

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory that the compressed part of a recording may ask for. perf
// compresses with windows of at most 8 MB.
const maxWindow = 32 << 20

// inflater undoes perf record -z. The payloads of all compressed records are one stream
// of zstd; each of them ends with a whole block, so what it holds comes out at once.
//
// The decoder pulls, and the records push. So it runs as a coroutine, which stops where
// it wants more than there is.
type inflater struct {
	in   []byte // of the current payload, what the decoder has not taken
	out  []byte // where it shall write to
	next func() (inflated, bool)
	stop func()
	over bool
}

// inflated is why the coroutine stopped: n bytes came out, or it starves, or it failed.
type inflated struct {
	n   int
	err error
}

func newInflater() *inflater {
	z := &inflater{}
	z.next, z.stop = iter.Pull(z.run)
	return z
}

func (z *inflater) run(yield func(inflated) bool) {
	dec, err := zstd.NewReader(&starving{z, yield}, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		yield(inflated{err: err})
		return
	}
	defer dec.Close()
	for {
		n, err := dec.Read(z.out)
		if n > 0 && !yield(inflated{n: n}) {
			return
		}
		if err != nil {
			yield(inflated{err: err})
			return
		}
	}
}

// starving is what the decoder reads from.
type starving struct {
	z     *inflater
	yield func(inflated) bool
}

func (s *starving) Read(p []byte) (int, error) {
	for len(s.z.in) == 0 {
		if s.z.over || !s.yield(inflated{}) {
			s.z.over = true
			return 0, io.EOF
		}
	}
	n := copy(p, s.z.in)
	s.z.in = s.z.in[n:]
	return n, nil
}

// read writes what comes out next into to, which must be the same until it has said so of
// some bytes. None means that the payload is used up.
func (z *inflater) read(to []byte) (int, error) {
	z.out = to
	got, ok := z.next()
	switch {
	case !ok || errors.Is(got.err, io.EOF):
		return 0, errors.New("the compressed stream has ended before")
	case got.err != nil:
		return 0, fmt.Errorf("the compressed stream: %w", got.err)
	}
	return got.n, nil
}

func (z *inflater) close() {
	z.over = true
	z.stop()
}
