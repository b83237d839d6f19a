package container

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// tailLines is how many of its last lines the error about a container quotes, and
// tailWidth where a long one is cut.
const (
	tailLines = 10
	tailWidth = 300
)

// An output reads what a container writes: it notes when the line that means ready
// arrives, and keeps the last lines for an error.
type output struct {
	match func(line string) bool
	ready chan struct{} // closed when a line has arrived that matches

	mu    sync.Mutex
	at    time.Time // when it did; valid once ready is closed
	line  string
	lines []string
}

func newOutput(match func(line string) bool) *output {
	return &output{match: match, ready: make(chan struct{})}
}

// byPrefix matches a line by its beginning.
func byPrefix(marker string) func(string) bool {
	return func(line string) bool { return strings.HasPrefix(line, marker) }
}

// tail is the last lines so far.
func (o *output) tail() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.lines...)
}

func (o *output) add(line []byte, at time.Time) {
	text := strings.TrimRight(string(line), "\r")
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.at.IsZero() && o.match(text) {
		o.line, o.at = text, at
		close(o.ready)
	}
	if len(text) > tailWidth {
		text = strings.ToValidUTF8(text[:tailWidth], "") + "..."
	}
	if o.lines = append(o.lines, text); len(o.lines) > tailLines {
		o.lines = o.lines[1:]
	}
}

// A stream is one of the two that an output is made of.
type stream struct {
	out     *output
	partial []byte
}

// maxLine bounds what is kept of a line that does not end.
const maxLine = 64 << 10

// Write takes the time before anything else: it is when the bytes arrived.
func (s *stream) Write(b []byte) (int, error) {
	at := time.Now()
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		s.out.add(append(s.partial, b[:i]...), at)
		s.partial, b = s.partial[:0], b[i+1:]
	}
	if room := maxLine - len(s.partial); len(b) > room {
		b = b[:room]
	}
	s.partial = append(s.partial, b...)
	return n, nil
}

// flush adds the line that the end of the stream has cut off.
func (s *stream) flush() {
	if len(s.partial) > 0 {
		s.out.add(s.partial, time.Now())
		s.partial = nil
	}
}

// A tailBuffer keeps the last bytes that are written to it.
type tailBuffer struct{ kept []byte }

// maxKept is how many.
const maxKept = 4 << 10

func (b *tailBuffer) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[max(0, len(p)-maxKept):]...)
	b.kept = append(b.kept[:0], b.kept[max(0, len(b.kept)-maxKept):]...)
	return len(p), nil
}

func (b *tailBuffer) String() string { return strings.ToValidUTF8(string(b.kept), "") }
