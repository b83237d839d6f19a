package profileio

import (
	"bytes"
	"fmt"
	"io"

	"github.com/google/pprof/profile"
)

// maxPprof bounds a pprof profile, which is read whole, after decompression. The
// largest that anybody has published are of some hundred megabytes.
const maxPprof = 1 << 30

// legacyPprof begin the texts that the first pprof read, and Go's debug=1 still writes.
var legacyPprof = []string{"heap profile: ", "goroutine profile: ", "threadcreate profile: ", "--- contention", "--- mutex", "heapz ", "--- heapz "}

// isPprof reports whether the head is of a profile.proto message, which has bytes in it
// that no text has, or of an older form.
func isPprof(head []byte) bool {
	for _, word := range legacyPprof {
		if bytes.HasPrefix(head, []byte(word)) {
			return true
		}
	}
	for _, c := range head[:min(len(head), 512)] {
		if c < '\t' || c > '\r' && c < ' ' && c != 0x1b {
			return true
		}
	}
	return false
}

// readPprof reads profile.proto of github.com/google/pprof.
func readPprof(in io.Reader, file string) (*profile.Profile, Report, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxPprof+1))
	if err != nil {
		return nil, Report{}, fmt.Errorf("reading %s after %d bytes: %w", file, len(data), err)
	}
	if len(data) > maxPprof {
		return nil, Report{}, fmt.Errorf("reading %s: it is larger than %d MiB", file, maxPprof>>20)
	}
	p, err := profile.ParseUncompressed(data)
	if err != nil {
		if p, err = profile.ParseData(data); err != nil {
			return nil, Report{}, fmt.Errorf("reading %s as a pprof profile of %d bytes: %w", file, len(data), err)
		}
	}
	if err := p.CheckValid(); err != nil {
		return nil, Report{}, fmt.Errorf("reading %s as a pprof profile of %d bytes: %w", file, len(data), err)
	}
	return p, Report{Samples: int64(len(p.Sample))}, nil
}

// readError says where a stream of lines could not be read on.
func readError(file string, line int, err error) error {
	return fmt.Errorf("reading %s after line %d: %w", file, line, err)
}
