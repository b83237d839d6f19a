package perfdata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The form of the file is that of tools/perf/Documentation/perf.data-file-format.txt in
// the kernel's sources, and of tools/perf/util/header.c where that says nothing.

// Magic numbers: the first eight bytes of a recording.
const (
	fileMagic  = "PERFILE2"
	otherMagic = "2ELIFREP" // of a machine with the other byte order
	oldMagic   = "PERFFILE" // before 2012
)

// Sizes of the headers of a file and of the pipe form.
const (
	fileHeaderSize = 104
	pipeHeaderSize = 16
)

// Features: parts behind the records, or records of the pipe form, that say how it was
// recorded. Those that name the machine or the user are not read.
const (
	featBuildID   = 2
	featOSRelease = 4
	featArch      = 6
	featEventDesc = 12
	featCount     = 256
)

// limit of what is read of one feature. The build-ids of a machine with a thousand
// programs take 100 KB.
const maxFeature = 64 << 20

// Recognise reports whether the first bytes of a file are those of a recording of perf.
func Recognise(head []byte) bool {
	return bytes.HasPrefix(head, []byte(fileMagic)) || bytes.HasPrefix(head, []byte(otherMagic)) || bytes.HasPrefix(head, []byte(oldMagic))
}

// extent is a part of the file.
type extent struct{ offset, size uint64 }

// facts are what a recording says of itself.
type facts struct {
	arch      string // as uname -m; "" where it does not tell
	osRelease string
	buildIDs  map[string]buildID // by path
}

// buildID is the note that a linker puts into a program, in lower case hexadecimals.
type buildID string

// layout is where the parts of a file lie.
type layout struct {
	data     extent
	attrs    extent
	attrSize uint64
	features []int // in the order of their extents, which follow the data
}

// ErrUnsupported is the cause of errors about recordings that are whole, and of a form
// which is not read here. perf script may read them.
var ErrUnsupported = errors.New("this form of recording is not read here")

// readFileHeader reads the header of the file form. Of the pipe form, only the first two
// words are there: then the layout is nil.
func readFileHeader(r io.Reader) (*layout, error) {
	head := make([]byte, pipeHeaderSize)
	if n, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("at offset %#x: the header is cut off: %w", n, err)
	}
	switch string(head[:8]) {
	case fileMagic:
	case otherMagic:
		return nil, fmt.Errorf("it was recorded on a big-endian machine: %w", ErrUnsupported)
	case oldMagic:
		return nil, fmt.Errorf("it is of perf before Linux 3.2: %w", ErrUnsupported)
	default:
		return nil, fmt.Errorf("at offset 0: no recording of perf begins with %q", head[:8])
	}
	size := order.Uint64(head[8:])
	if size == pipeHeaderSize {
		return nil, nil
	}
	if size < fileHeaderSize {
		return nil, fmt.Errorf("at offset 8: the header says that it has %d bytes, and has %d, or %d in the pipe form", size, fileHeaderSize, pipeHeaderSize)
	}
	rest := make([]byte, fileHeaderSize-pipeHeaderSize)
	if n, err := io.ReadFull(r, rest); err != nil {
		return nil, fmt.Errorf("at offset %#x: the header is cut off: %w", pipeHeaderSize+n, err)
	}
	part := func(at int) extent { return extent{order.Uint64(rest[at:]), order.Uint64(rest[at+8:])} }
	l := &layout{attrSize: order.Uint64(rest), attrs: part(8), data: part(24)}
	for bit := range featCount {
		if rest[56+bit/8]&(1<<(bit%8)) != 0 {
			l.features = append(l.features, bit)
		}
	}
	return l, l.check()
}

func (l *layout) check() error {
	if l.attrSize < attrSizeLeast+16 || l.attrSize > attrSizeMost {
		return fmt.Errorf("at offset 0x10: an event's attributes shall have %d bytes; they have %d to %d", l.attrSize, attrSizeLeast+16, attrSizeMost)
	}
	for _, s := range []extent{l.attrs, l.data} {
		if s.offset > 1<<62 || s.size > 1<<62 {
			return fmt.Errorf("a part of the file shall lie at %#x and have %#x bytes", s.offset, s.size)
		}
	}
	if l.attrs.size > maxFeature {
		return fmt.Errorf("the attributes of events shall have %d bytes, more than the %d that are read", l.attrs.size, maxFeature)
	}
	return nil
}

// readExtent reads a part of the file whole.
func readExtent(r io.ReaderAt, s extent, what string) ([]byte, error) {
	if s.size > maxFeature {
		return nil, fmt.Errorf("%s at offset %#x: %d bytes are more than the %d that are read", what, s.offset, s.size, maxFeature)
	}
	// Grown as it comes: a size that is a lie takes no memory.
	b, err := io.ReadAll(io.NewSectionReader(r, int64(s.offset), int64(s.size)))
	if err == nil && uint64(len(b)) < s.size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return b, fmt.Errorf("%s at offset %#x: %d of %d bytes are there: %w", what, s.offset, len(b), s.size, err)
	}
	return b, nil
}

// readAttrs reads the events of a file, each with where its ids lie.
func readAttrs(r io.ReaderAt, l *layout) ([]*event, error) {
	b, err := readExtent(r, l.attrs, "the attributes of events")
	if err != nil {
		return nil, err
	}
	var events []*event
	for ; uint64(len(b)) >= l.attrSize; b = b[l.attrSize:] {
		e, err := parseAttr(b[:l.attrSize-16])
		if err != nil {
			return nil, err
		}
		at := b[l.attrSize-16:]
		ids, err := readExtent(r, extent{order.Uint64(at), order.Uint64(at[8:])}, "the ids of an event")
		if err != nil {
			return nil, err
		}
		e.ids = words(ids)
		events = append(events, e)
	}
	return events, nil
}

func words(b []byte) []uint64 {
	out := make([]uint64, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		out = append(out, order.Uint64(b))
	}
	return out
}

// cString is the string that ends at the first zero byte.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// longString reads a string of a feature: its length and that many bytes, some of them
// zeros; and returns what follows.
func longString(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	n := uint64(order.Uint32(b))
	if n > uint64(len(b)-4) {
		return "", nil, false
	}
	return cString(b[4 : 4+n]), b[4+n:], true
}

// takeFeature takes what is needed of a feature.
func (s *session) takeFeature(feature int, b []byte) {
	switch feature {
	case featArch:
		s.facts.arch, _, _ = longString(b)
	case featOSRelease:
		s.facts.osRelease, _, _ = longString(b)
	case featBuildID:
		s.takeBuildIDs(b)
	case featEventDesc:
		s.takeEventDescriptions(b)
	}
}

// takeBuildIDs reads the table of build-ids: records of their own form, one a file.
func (s *session) takeBuildIDs(b []byte) {
	for len(b) >= recordHeader {
		size := int(order.Uint16(b[6:]))
		if size < recordHeader || size > len(b) {
			return
		}
		s.takeBuildID(order.Uint16(b[4:]), b[recordHeader:size])
		b = b[size:]
	}
}

// miscBuildIDSize says that the record has the length of its build-id.
const miscBuildIDSize = 1 << 15

// takeBuildID reads one: the process, 24 bytes for the build-id, and the path.
func (s *session) takeBuildID(misc uint16, b []byte) {
	const pathAt = 4 + 24
	if len(b) < pathAt {
		return
	}
	n := 20
	if misc&miscBuildIDSize != 0 {
		n = min(n, int(b[4+20]))
	}
	if id := toBuildID(b[4 : 4+n]); id != "" {
		s.facts.buildIDs[cString(b[pathAt:])] = id
	}
}

// toBuildID makes the usual form; empty of zeros, which stand for none. Some linkers make
// shorter ones than 20 bytes; zeros fill them up.
func toBuildID(b []byte) buildID {
	if len(bytes.Trim(b, "\x00")) == 0 {
		return ""
	}
	return buildID(fmt.Sprintf("%x", b))
}

// equal compares build-ids, of which one may be filled up with zeros.
func (id buildID) equal(other buildID) bool {
	return strings.TrimRight(string(id), "0") == strings.TrimRight(string(other), "0")
}

// takeEventDescriptions reads the names of the events.
func (s *session) takeEventDescriptions(b []byte) {
	if len(b) < 8 {
		return
	}
	n, size := order.Uint32(b), uint64(order.Uint32(b[4:]))
	b = b[8:]
	for at := range n {
		if size+4 > uint64(len(b)) {
			return
		}
		ids := uint64(order.Uint32(b[size:]))
		name, rest, ok := longString(b[size+4:])
		if !ok || ids > uint64(len(rest))/8 {
			return
		}
		s.nameEvent(int(at), words(rest[:8*ids]), name)
		b = rest[8*ids:]
	}
}

// nameEvent gives the event its name: the one with these ids, or the one at that place.
func (s *session) nameEvent(at int, ids []uint64, name string) {
	if name == "" {
		return
	}
	name = plainName(name)
	for _, id := range ids {
		if e := s.byID[id]; e != nil {
			e.name = name
			return
		}
	}
	if at < len(s.events) {
		s.events[at].name = name
	}
}

// plainName takes the modifiers (perf-list(1)) off an event's name: the u of cycles:u, but
// nothing of a tracepoint's.
func plainName(name string) string {
	i := strings.LastIndexByte(name, ':')
	if i <= 0 || strings.Trim(name[i+1:], "ukhHGpPSDWebI") != "" {
		return name
	}
	return name[:i]
}
