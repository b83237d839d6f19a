package perfdata

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// Records are read in large pieces, and looked at where they lie: a record's bytes are
// copied only where it crosses from one piece into the next. A piece is used again when
// nobody holds a record of it any more.

// Sizes of what is read at once, and of the longest record, whose size has 16 bits.
const (
	chunkSize = 1 << 18
	maxRecord = 1 << 16
)

// A chunk is a piece of a recording, with room before it for a record's begin.
type chunk struct {
	buf  []byte
	refs int // records that somebody holds, and one for who fills it
	n    int // bytes that were read behind the room
}

// chunks hands pieces out. One goroutine may take them while another one gives them back.
type chunks struct {
	mu   sync.Mutex
	free []*chunk
}

func (p *chunks) get() *chunk {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		c := p.free[n-1]
		p.free = p.free[:n-1]
		c.refs, c.n = 1, 0
		return c
	}
	return &chunk{buf: make([]byte, maxRecord+chunkSize), refs: 1}
}

// release gives one hold up.
func (p *chunks) release(c *chunk) {
	if c.refs--; c.refs > 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, c)
}

// A record is one entry of a recording, with its header. It is valid until its chunk is
// released.
type record struct {
	kind   uint32
	misc   uint16
	data   []byte // with the header
	offset int64  // in the recording; of what was compressed: that of the record it came in
	chunk  *chunk
}

// body is what follows the header.
func (r *record) body() []byte { return r.data[recordHeader:] }

// recordHeader is that of perf_event_header.
const recordHeader = 8

// splitter finds the records in pieces.
type splitter struct {
	pool     *chunks
	cur      *chunk
	pos, end int
	offset   int64 // of pos in the recording
}

// attach goes on to the next piece, of which n bytes are filled.
func (s *splitter) attach(c *chunk, n int) {
	at := maxRecord - (s.end - s.pos)
	if s.cur != nil {
		copy(c.buf[at:], s.cur.buf[s.pos:s.end])
		s.pool.release(s.cur)
	}
	s.cur, s.pos, s.end = c, at, maxRecord+n
}

// rest is how many bytes are there of a record that is not whole.
func (s *splitter) rest() int { return s.end - s.pos }

// skip leaves up to n bytes out, and says how many.
func (s *splitter) skip(n int64) int64 {
	n = min(n, int64(s.end-s.pos))
	s.pos += int(n)
	s.offset += n
	return n
}

// next is the next record that is whole; false where there is none.
func (s *splitter) next() (r record, ok bool, err error) {
	if s.end-s.pos < recordHeader {
		return r, false, nil
	}
	b := s.cur.buf[s.pos:s.end]
	size := int(order.Uint16(b[6:]))
	if size < recordHeader {
		return r, false, fmt.Errorf("at offset %#x: a record of type %d says that it has %d bytes, less than its header's %d", s.offset, order.Uint32(b), size, recordHeader)
	}
	if size > len(b) {
		return r, false, nil
	}
	r = record{kind: order.Uint32(b), misc: order.Uint16(b[4:]), data: b[:size:size], offset: s.offset, chunk: s.cur}
	s.pos += size
	s.offset += int64(size)
	return r, true, nil
}

// ahead reads pieces in a goroutine, so that the kernel copies the next one while this one
// is looked at.
type ahead struct {
	full chan *chunk
	stop chan struct{}
	done chan struct{}
	err  error // why there are no more, once full is closed
}

// readAhead bounds how many pieces wait.
const readAhead = 2

func newAhead(r io.Reader, pool *chunks) *ahead {
	a := &ahead{full: make(chan *chunk, readAhead), stop: make(chan struct{}), done: make(chan struct{})}
	go a.run(r, pool)
	return a
}

func (a *ahead) run(r io.Reader, pool *chunks) {
	defer close(a.done)
	defer close(a.full)
	for a.err == nil {
		c := pool.get()
		n, err := io.ReadFull(r, c.buf[maxRecord:])
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		a.err = err
		if c.n = n; n == 0 {
			return
		}
		select {
		case a.full <- c:
		case <-a.stop:
			return
		}
	}
}

// close ends the goroutine. A reader that blocks is waited for.
func (a *ahead) close() {
	close(a.stop)
	<-a.done
}
