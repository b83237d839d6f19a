package profileio

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// Sizes of what is read at once and of the longest line. Symbols of C++ get long.
const (
	chunk   = 256 << 10
	maxLine = 1 << 20
)

// eachLine cuts a stream into lines and calls take with each, without its end. A line
// is valid during the call only.
func eachLine(r io.Reader, take func(line []byte)) error {
	buf, used := make([]byte, chunk), 0
	for {
		n, err := r.Read(buf[used:])
		used += n
		rest := buf[:used]
		for {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				break
			}
			take(withoutReturn(rest[:i]))
			rest = rest[i+1:]
		}
		if err == io.EOF {
			if len(rest) > 0 {
				take(withoutReturn(rest))
			}
			return nil
		}
		if err != nil {
			return err
		}
		if len(rest) >= maxLine {
			return fmt.Errorf("a line is longer than %d bytes: this is no profile", maxLine)
		}
		if len(rest) > len(buf)/2 {
			buf = slices.Grow(buf, len(buf))[:2*len(buf)]
		}
		used = copy(buf, rest)
	}
}

// withoutReturn takes the carriage return of Windows off.
func withoutReturn(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}
