package perfdata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
)

// Types of records: those that the kernel writes (linux/perf_event.h, perf_event_type), and
// from 64 on those of perf itself (tools/lib/perf/include/perf/event.h).
const (
	recMmap          = 1
	recLost          = 2
	recComm          = 3
	recExit          = 4
	recThrottle      = 5
	recUnthrottle    = 6
	recFork          = 7
	recRead          = 8
	recSample        = 9
	recMmap2         = 10
	recAux           = 11
	recItraceStart   = 12
	recLostSamples   = 13
	recSwitch        = 14
	recSwitchCPUWide = 15
	recNamespaces    = 16
	recKsymbol       = 17
	recBPFEvent      = 18
	recCgroup        = 19
	recTextPoke      = 20
	recAuxOutputHWID = 21

	recCallchainDeferred = 22

	recHeaderAttr    = 64
	recEventType     = 65
	recTracingData   = 66
	recHeaderBuildID = 67
	recFinishedRound = 68
	recIDIndex       = 69
	recAuxtraceInfo  = 70
	recAuxtrace      = 71
	recAuxtraceError = 72
	recThreadMap     = 73
	recCPUMap        = 74
	recStatConfig    = 75
	recStat          = 76
	recStatRound     = 77
	recEventUpdate   = 78
	recTimeConv      = 79
	recHeaderFeature = 80
	recCompressed    = 81
	recFinishedInit  = 82
	recCompressed2   = 83
)

// needless are records that say nothing about where time goes. They are known, and left out.
var needless = map[uint32]bool{
	recUnthrottle: true, recRead: true, recAux: true, recItraceStart: true, recNamespaces: true,
	recBPFEvent: true, recCgroup: true, recTextPoke: true, recAuxOutputHWID: true, recEventType: true,
	recIDIndex: true, recAuxtraceInfo: true, recAuxtraceError: true, recThreadMap: true, recCPUMap: true,
	recStatConfig: true, recStat: true, recStatRound: true, recTimeConv: true, recFinishedInit: true,
}

// session reads one recording.
type session struct {
	facts  facts
	events []*event
	byID   map[uint64]*event

	pool  chunks
	queue queue
	inner *splitter // of what was compressed; nil: nothing was
	z     *inflater

	records int64
	unknown map[uint32]int64 // records of types that are not known, by type
	faults  faults
	// lostRecords is the sum of what the kernel says when a buffer is full, lostSamples
	// that of perf's count at the end, which has those again.
	lostRecords, lostSamples, throttled int64

	take func(*session, record) // the records that have a time, in order of it
}

// A Fault is a place in a recording that makes no sense, or is missing.
type Fault struct {
	Offset int64
	Msg    string
}

func (f Fault) String() string { return fmt.Sprintf("at offset %#x: %s", f.Offset, f.Msg) }

// maxFaults bounds how many faults are kept one by one.
const maxFaults = 20

type faults struct {
	kept  []Fault
	count int
}

func (f *faults) add(offset int64, format string, args ...any) {
	f.count++
	if len(f.kept) < maxFaults {
		f.kept = append(f.kept, Fault{offset, fmt.Sprintf(format, args...)})
	}
}

func newSession(take func(*session, record)) *session {
	return &session{facts: facts{buildIDs: map[string]buildID{}}, byID: map[uint64]*event{}, unknown: map[uint32]int64{}, take: take}
}

// read reads all of a recording. Where r can be read at any place, what stands behind the
// records is known before them.
func (s *session) read(r io.Reader) error {
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return fmt.Errorf("it is a folder, as perf record --threads writes: %w; record without --threads, or read what perf script says of it", ErrUnsupported)
		}
	}
	at := seekable(r)
	if at != nil {
		r = io.NewSectionReader(at, 0, math.MaxInt64)
	}
	l, err := readFileHeader(r)
	switch {
	case err != nil:
		return err
	case l == nil:
		return s.readRecords(r, pipeHeaderSize, 0)
	case at != nil:
		return s.readFile(at, l)
	}
	return s.readStream(r, l)
}

// Seekable reports whether r can be read at any place, so that [Read] can begin with what
// stands at the end of a recording.
func Seekable(r io.Reader) bool { return seekable(r) != nil }

// seekable returns r as a file that can be read at any place; nil if it is none.
func seekable(r io.Reader) io.ReaderAt {
	at, ok := r.(io.ReaderAt)
	if !ok {
		return nil
	}
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return nil
		}
	}
	return at
}

// readFile reads a file that can be read at any place.
func (s *session) readFile(r io.ReaderAt, l *layout) error {
	if err := s.addEvents(readAttrs(r, l)); err != nil {
		return err
	}
	s.readFeatures(r, l)
	return s.readRecords(io.NewSectionReader(r, int64(l.data.offset), math.MaxInt64-int64(l.data.offset)), int64(l.data.offset), int64(l.data.size))
}

// readStream reads a file that comes through a pipe or was compressed, from its begin to
// its end. perf writes the events before the records.
func (s *session) readStream(r io.Reader, l *layout) error {
	if l.data.offset < fileHeaderSize || l.data.offset > maxFeature {
		return fmt.Errorf("at offset 0x28: the records shall begin at %#x", l.data.offset)
	}
	head := make([]byte, l.data.offset-fileHeaderSize)
	if n, err := io.ReadFull(r, head); err != nil {
		return fmt.Errorf("at offset %#x: the recording ends before its records: %w", fileHeaderSize+n, err)
	}
	if err := s.addEvents(readAttrs(part{head, fileHeaderSize}, l)); err != nil {
		return err
	}
	if l.data.size == 0 {
		return s.readRecords(r, int64(l.data.offset), 0)
	}
	limited := &io.LimitedReader{R: r, N: int64(l.data.size)}
	if err := s.readRecords(limited, int64(l.data.offset), int64(l.data.size)); err != nil {
		return err
	}
	tail, err := io.ReadAll(io.LimitReader(r, maxFeature))
	if err != nil {
		return fmt.Errorf("at offset %#x: %w", l.data.offset+l.data.size+uint64(len(tail)), err)
	}
	s.readFeatures(part{tail, int64(l.data.offset + l.data.size)}, l)
	return nil
}

// part is a piece of a file that has been read, with where it lies.
type part struct {
	b    []byte
	base int64
}

func (p part) ReadAt(b []byte, at int64) (int, error) {
	if at < p.base || at-p.base > int64(len(p.b)) {
		return 0, io.EOF
	}
	return bytes.NewReader(p.b).ReadAt(b, at-p.base)
}

// readFeatures reads what stands behind the records. Where it is cut off, as in a
// recording that was not ended, the records can be read nevertheless.
func (s *session) readFeatures(r io.ReaderAt, l *layout) {
	if len(l.features) == 0 {
		return
	}
	if l.data.size == 0 {
		s.faults.add(0x30, "the header has no size for the records: perf record was killed before it had written that; they are read up to the end of the file, and what stands behind them (names of events, build-ids) is missing")
		return
	}
	table, err := readExtent(r, extent{l.data.offset + l.data.size, uint64(16 * len(l.features))}, "the table of features")
	if err != nil {
		s.faults.add(int64(l.data.offset+l.data.size), "%v", err)
		return
	}
	for i, feature := range l.features {
		where := extent{order.Uint64(table[16*i:]), order.Uint64(table[16*i+8:])}
		switch feature {
		case featArch, featOSRelease, featBuildID, featEventDesc:
		default:
			continue
		}
		b, err := readExtent(r, where, "a feature")
		if err != nil {
			s.faults.add(int64(where.offset), "%v", err)
		}
		s.takeFeature(feature, b)
	}
}

func (s *session) addEvents(all []*event, err error) error {
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := s.addEvent(e); err != nil {
			return err
		}
	}
	return nil
}

// addEvent adds an event. Whose sample a record is must be known before it is read, so
// the id lies at one place in those of all events.
func (s *session) addEvent(e *event) error {
	if len(s.events) > 0 {
		first := s.events[0]
		if first.idAt != e.idAt || first.timeFromEnd != e.timeFromEnd && first.sampleIDAll && e.sampleIDAll {
			return fmt.Errorf("the samples of %s and of %s have their ids at different places, so nobody can tell whose a sample is: %w", first.name, e.name, ErrUnsupported)
		}
	}
	s.events = append(s.events, e)
	for _, id := range e.ids {
		s.byID[id] = e
	}
	return nil
}

// readRecords reads records from an offset on; size is how many bytes they shall have, 0
// if nobody knows.
func (s *session) readRecords(r io.Reader, offset, size int64) error {
	if size > 0 {
		r = io.LimitReader(r, size)
	}
	in := newAhead(r, &s.pool)
	defer in.close()
	defer s.closeInner()
	split := splitter{pool: &s.pool, offset: offset}
	var skip int64
	for c := range in.full {
		split.attach(c, c.n)
		for {
			skip -= split.skip(skip)
			rec, ok, err := split.next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if skip, err = s.one(rec); err != nil {
				return fmt.Errorf("at offset %#x: %w", rec.offset, err)
			}
		}
	}
	s.queue.flush(math.MaxUint64, s.hand)
	end := split.offset + int64(split.rest())
	if missing := offset + size - end; size > 0 && missing > 0 {
		s.faults.add(end, "the file ends here: %d of %d bytes of records are missing", missing, size)
	}
	if n := split.rest(); n > 0 {
		s.faults.add(split.offset, "a record is cut off: %d bytes of it are there", n)
	}
	if skip > 0 {
		s.faults.add(end, "the data of a record are cut off: %d bytes are missing", skip)
	}
	if in.err != nil && !errors.Is(in.err, io.EOF) {
		return fmt.Errorf("at offset %#x: %w", end, in.err)
	}
	return nil
}

// one takes a record as it comes, and says how many bytes behind it belong to it that its
// size does not count.
func (s *session) one(r record) (skip int64, err error) {
	s.records++
	b := r.body()
	switch r.kind {
	case recTracingData:
		if len(b) >= 4 {
			return (int64(order.Uint32(b)) + 7) &^ 7, nil
		}
	case recAuxtrace:
		if len(b) >= 8 {
			return int64(min(order.Uint64(b), math.MaxInt64)), nil
		}
	case recCompressed:
		return 0, s.inflate(r, b)
	case recCompressed2:
		if len(b) < 8 || order.Uint64(b) > uint64(len(b)-8) {
			return 0, errors.New("a compressed record is shorter than what it shall hold")
		}
		return 0, s.inflate(r, b[8:8+order.Uint64(b)])
	default:
		return 0, s.plain(r)
	}
	return 0, errors.New("a record is shorter than its type has it")
}

// plain takes a record that stands for itself.
func (s *session) plain(r record) error {
	b := r.body()
	switch r.kind {
	case recFinishedRound:
		s.queue.mark(s.hand)
	case recHeaderAttr:
		return s.takeAttr(b)
	case recHeaderBuildID:
		s.takeBuildID(r.misc, b)
	case recEventUpdate:
		s.takeUpdate(b)
	case recHeaderFeature:
		if len(b) >= 8 {
			s.takeFeature(int(min(order.Uint64(b), featCount)), b[8:])
		}
	case recLost:
		if len(b) >= 16 {
			s.lostRecords += int64(order.Uint64(b[8:]))
		}
	case recLostSamples:
		if len(b) >= 8 {
			s.lostSamples += int64(order.Uint64(b))
		}
	case recThrottle:
		s.throttled++
	case recMmap, recMmap2, recComm, recExit, recFork, recSample, recSwitch, recSwitchCPUWide, recKsymbol, recCallchainDeferred:
		s.ordered(r)
	default:
		if !needless[r.kind] {
			s.unknown[r.kind]++
		}
	}
	return nil
}

// ordered takes a record that must wait for those before it in time. One without a time,
// as perf makes them for what ran before the recording, does not wait.
func (s *session) ordered(r record) {
	time, ok := s.timeOf(r)
	if !ok || time == 0 || time == math.MaxUint64 {
		s.take(s, r)
		return
	}
	s.queue.push(r, time)
	if s.queue.full() {
		s.queue.relieve(s.hand)
	}
}

// hand gives a record that has waited on.
func (s *session) hand(r record) {
	s.take(s, r)
	s.pool.release(r.chunk)
}

// timeOf is the time of a record, in nanoseconds of some clock.
func (s *session) timeOf(r record) (uint64, bool) {
	if len(s.events) == 0 {
		return 0, false
	}
	e, b := s.events[0], r.body()
	if r.kind == recSample {
		if e = s.eventOf(b); e == nil || e.timeAt < 0 || e.timeAt+8 > len(b) {
			return 0, false
		}
		return order.Uint64(b[e.timeAt:]), true
	}
	if e.timeFromEnd < 0 || e.timeFromEnd > len(b) {
		return 0, false
	}
	return order.Uint64(b[len(b)-e.timeFromEnd:]), true
}

// tidOf is the thread of a record that is no sample. It stands before the time, in what
// each record ends with.
func (s *session) tidOf(r record) (uint32, bool) {
	if len(s.events) == 0 {
		return 0, false
	}
	e, b := s.events[0], r.body()
	if e.sampleType&sampleTID == 0 || e.timeFromEnd < 0 || e.timeFromEnd+8 > len(b) {
		return 0, false
	}
	return order.Uint32(b[len(b)-e.timeFromEnd-4:]), true
}

// eventOf is the event of a sample; nil if it is of none that is known.
func (s *session) eventOf(b []byte) *event {
	if len(s.events) == 1 {
		return s.events[0]
	}
	if len(s.events) == 0 {
		return nil
	}
	first := s.events[0]
	if first.idAt < 0 || first.idAt+8 > len(b) {
		return nil
	}
	id := order.Uint64(b[first.idAt:])
	if id == 0 {
		return first // perf makes such samples itself
	}
	return s.byID[id]
}

// takeAttr reads an event of the pipe form: its attributes, and its ids behind them.
func (s *session) takeAttr(b []byte) error {
	if len(b) < attrSizeLeast {
		return fmt.Errorf("the attributes of an event have %d bytes, less than the first version's %d", len(b), attrSizeLeast)
	}
	size := uint64(order.Uint32(b[4:]))
	if size == 0 {
		size = attrSizeLeast
	}
	if size < attrSizeLeast || size > uint64(len(b)) {
		return fmt.Errorf("the attributes of an event say that they have %d bytes, of %d in their record", size, len(b))
	}
	e, err := parseAttr(b[:size])
	if err != nil {
		return err
	}
	e.ids = words(b[size:])
	return s.addEvent(e)
}

// updateName says that the record has the name of an event.
const updateName = 2

func (s *session) takeUpdate(b []byte) {
	if len(b) < 16 || order.Uint64(b) != updateName {
		return
	}
	if e := s.byID[order.Uint64(b[8:])]; e != nil {
		if name := cString(b[16:]); name != "" {
			e.name = plainName(name)
		}
	}
}

// inflate takes the records that a compressed one holds.
func (s *session) inflate(r record, payload []byte) error {
	if s.z == nil {
		s.z = newInflater()
		s.inner = &splitter{pool: &s.pool}
		s.inner.attach(s.pool.get(), 0)
	}
	s.z.in = payload
	for {
		if s.inner.end == len(s.inner.cur.buf) {
			s.inner.attach(s.pool.get(), 0)
		}
		n, err := s.z.read(s.inner.cur.buf[s.inner.end:])
		if n == 0 || err != nil {
			return err
		}
		s.inner.end += n
		for {
			s.inner.offset = r.offset
			rec, ok, err := s.inner.next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			rec.offset = r.offset
			s.records++
			if err := s.plain(rec); err != nil {
				return err
			}
		}
	}
}

func (s *session) closeInner() {
	if s.z == nil {
		return
	}
	s.z.close()
	if n := s.inner.rest(); n > 0 {
		s.faults.add(s.inner.offset, "the last compressed record is cut off: %d bytes of it are there", n)
	}
}
