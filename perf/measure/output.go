package measure

import "regexp"

// escapes matches the control sequences of terminals (ECMA-48: CSI, and OSC up to its
// end), by which compilers and test runners colour what they print.
var escapes = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)`)

// StripEscapes returns text without the control sequences of terminals. To drop the
// escape character alone would leave their letters and digits in the text.
func StripEscapes(text string) string { return escapes.ReplaceAllString(text, "") }

// A tail keeps the last bytes of a stream of any length in a ring that is
// allocated once: a command that floods its output costs no memory and, during
// the timed part of a run, no work for the garbage collector.
type tail struct {
	ring  []byte
	total int64 // bytes seen; total % len(ring) is where the next one goes
}

// reset empties the tail and makes it keep n bytes.
func (t *tail) reset(n int) {
	if cap(t.ring) < n {
		t.ring = make([]byte, n)
	}
	t.ring = t.ring[:n]
	t.total = 0
}

// add appends p. Bytes that would be overwritten by p itself are not copied.
func (t *tail) add(p []byte) {
	size := int64(len(t.ring))
	t.total += int64(len(p))
	if size == 0 {
		return
	}
	if int64(len(p)) > size {
		p = p[int64(len(p))-size:]
	}
	at := (t.total - int64(len(p))) % size
	n := copy(t.ring[at:], p)
	copy(t.ring, p[n:])
}

// bytes is a copy of what was kept, oldest first.
func (t *tail) bytes() []byte {
	size := int64(len(t.ring))
	if size == 0 {
		return nil
	}
	if t.total <= size {
		return append([]byte(nil), t.ring[:t.total]...)
	}
	at := t.total % size
	return append(append(make([]byte, 0, size), t.ring[at:]...), t.ring[:at]...)
}
