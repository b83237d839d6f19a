package profileio

import (
	"bytes"
	"fmt"
	"io"
	"path"

	"github.com/google/pprof/profile"
)

// isHeaptrack reports whether the head is of a recording of heaptrack: its version.
func isHeaptrack(head []byte) bool {
	first, _, _ := bytes.Cut(head, []byte{'\n'})
	words := bytes.Fields(first)
	if len(words) < 2 || len(words) > 3 || string(words[0]) != "v" {
		return false
	}
	for _, w := range words[1:] {
		if _, ok := hexNumber(w); !ok {
			return false
		}
	}
	return true
}

// heaptrackTypes are the sample types of a recording of heaptrack, which are all kept.
// alloc_objects and alloc_space are named as those of Go's heap profiles are.
var heaptrackTypes = []profile.ValueType{
	{Type: "alloc_space", Unit: "bytes"},
	{Type: "alloc_objects", Unit: "count"},
	{Type: "peak_space", Unit: "bytes"},
	{Type: "leaked_space", Unit: "bytes"},
	{Type: "temporary_objects", Unit: "count"},
}

// htFrame is a function at an address; those of inlined ones are of the same address.
type htFrame struct{ function, file, line uint64 }

// htAddress is a line "i ADDRESS MODULE [FUNCTION FILE LINE]...".
type htAddress struct {
	address  uint64
	module   uint64 // the number of a string, 0: none
	frames   []htFrame
	location *profile.Location
}

// htTrace is a line "t ADDRESS PARENT": a stack.
type htTrace struct{ address, parent uint32 }

// htAllocation is a line "a SIZE TRACE": allocations of one size at one stack.
type htAllocation struct {
	size      uint64
	trace     uint32
	count     int64
	live      int64
	temporary int64
	// atPeak is live as it was at the peak number epoch, see heaptrackReader.touch.
	atPeak int64
	epoch  int64
}

// heaptrackReader reads what heaptrack writes (the text that its interpreter makes, of
// file version 2 or 3; its format has no description but heaptrack's source,
// accumulatedtracedata.cpp). All numbers are hexadecimal, and things are referred to by
// their number, strings, addresses and traces from 1, allocations from 0.
type heaptrackReader struct {
	report Report
	file   string
	line   int
	failed error

	version     uint64
	strings     []string
	addresses   []htAddress
	traces      []htTrace
	allocations []htAllocation

	last  int64 // the allocation of the line before, if that was a +; else -1
	live  int64 // bytes that are allocated now
	peak  int64 // the most that live has been
	epoch int64 // how often there was a new peak
}

func readHeaptrack(in io.Reader, file string) (*profile.Profile, Report, error) {
	r := heaptrackReader{file: file, last: -1}
	if err := eachLine(in, r.oneLine); err != nil {
		return nil, r.report, readError(file, r.line, err)
	}
	if r.failed != nil {
		return nil, r.report, r.failed
	}
	p, err := r.profile()
	return p, r.report, err
}

// oneLine takes a line. Allocations and what frees them are most lines, so they are
// first.
func (r *heaptrackReader) oneLine(line []byte) {
	r.line++
	if len(line) == 0 || r.failed != nil {
		return
	}
	ok := true
	switch text := line[1:]; line[0] {
	case '+':
		ok = r.allocate(text)
	case '-':
		ok = r.free(text)
	case 'a':
		ok = r.allocation(text)
	case 't':
		ok = r.trace(text)
	case 'i':
		ok = r.address(text)
	case 's':
		ok = r.text(text)
	case 'v':
		r.versioned(text)
	case 'A': // heaptrack attached to a running program: what was before is unknown
		r.live, r.peak, r.epoch = 0, 0, r.epoch+1
	case '#', 'X', 'I', 'c', 'R', 'S', 'x', 'm': // comments, the command, sizes, times, suppressions
	default:
		ok = false
	}
	if !ok {
		r.report.fault(r.file, r.line, "no line of heaptrack, or it refers to what is not there: %.60q", line)
	}
}

func (r *heaptrackReader) versioned(text []byte) {
	_, rest, _ := nextHex(text)
	version, _, ok := nextHex(rest)
	if !ok || version < 2 || version > 3 {
		r.failed = fmt.Errorf("reading %s: version %q of heaptrack's format is not known, only 2 and 3 are: heaptrack --analyze may convert it", r.file, bytes.TrimSpace(text))
	}
	r.version = version
}

// touch keeps what was live at the last peak, before that changes. So a peak costs the
// same as any other allocation, and not a walk through all of them: who has not changed
// since the peak has what it had then.
func (r *heaptrackReader) touch(a *htAllocation) {
	if a.epoch != r.epoch {
		a.atPeak, a.epoch = a.live, r.epoch
	}
}

func (r *heaptrackReader) allocate(text []byte) bool {
	n, _, ok := nextHex(text)
	if !ok || n >= uint64(len(r.allocations)) {
		return false
	}
	a := &r.allocations[n]
	r.touch(a)
	a.count++
	a.live++
	r.report.Samples++
	r.live += int64(a.size)
	if r.live > r.peak {
		r.peak = r.live
		r.epoch++
	}
	r.last = int64(n)
	return true
}

// free ends an allocation. One that is freed before anything else happens was temporary.
func (r *heaptrackReader) free(text []byte) bool {
	n, _, ok := nextHex(text)
	if !ok || n >= uint64(len(r.allocations)) {
		return false
	}
	a := &r.allocations[n]
	r.touch(a)
	a.live--
	r.live -= int64(a.size)
	if r.last == int64(n) {
		a.temporary++
	}
	r.last = -1
	return true
}

// maxSize bounds the size of an allocation, so that sums of them fit.
const maxSize = 1 << 48

func (r *heaptrackReader) allocation(text []byte) bool {
	size, rest, ok := nextHex(text)
	trace, _, ok2 := nextHex(rest)
	if !ok || !ok2 || size > maxSize || trace > uint64(len(r.traces)) {
		return false
	}
	r.allocations = append(r.allocations, htAllocation{size: size, trace: uint32(trace)})
	return true
}

func (r *heaptrackReader) trace(text []byte) bool {
	address, rest, ok := nextHex(text)
	parent, _, ok2 := nextHex(rest)
	if !ok || !ok2 || address > uint64(len(r.addresses)) || parent > uint64(len(r.traces)) {
		return false
	}
	r.traces = append(r.traces, htTrace{uint32(address), uint32(parent)})
	return true
}

func (r *heaptrackReader) address(text []byte) bool {
	address, rest, ok := nextHex(text)
	module, rest, ok2 := nextHex(rest)
	a := htAddress{address: address, module: module}
	for len(rest) > 0 {
		var f htFrame
		var ok bool
		f.function, rest, ok = nextHex(rest)
		if !ok {
			break
		}
		f.file, rest, _ = nextHex(rest)
		f.line, rest, _ = nextHex(rest)
		a.frames = append(a.frames, f)
	}
	if !ok || !ok2 {
		return false
	}
	r.addresses = append(r.addresses, a)
	return true
}

// text takes a string, before which version 3 writes its length.
func (r *heaptrackReader) text(text []byte) bool {
	text = bytes.TrimPrefix(text, []byte{' '})
	if r.version >= 3 {
		length, rest, ok := nextHex(text)
		if !ok {
			return false
		}
		text = bytes.TrimPrefix(rest, []byte{' '})
		if length < uint64(len(text)) {
			text = text[:length]
		}
	}
	r.strings = append(r.strings, string(bytes.ToValidUTF8(text, []byte("\ufffd"))))
	return true
}

// nextHex reads a hexadecimal number of at most 64 bits, and returns what follows it.
func nextHex(text []byte) (value uint64, rest []byte, ok bool) {
	for len(text) > 0 && text[0] == ' ' {
		text = text[1:]
	}
	i := 0
	for ; i < len(text) && i < 16; i++ {
		digit := hexDigit[text[i]]
		if digit == notHex {
			break
		}
		value = value<<4 | uint64(digit)
	}
	return value, text[i:], i > 0 && (i == len(text) || text[i] == ' ')
}

// hexNumber reads a word that is nothing but a hexadecimal number.
func hexNumber(word []byte) (uint64, bool) {
	v, rest, ok := nextHex(word)
	return v, ok && len(rest) == 0
}

// name returns the string of a number.
func (r *heaptrackReader) name(id uint64) string {
	if id == 0 || id > uint64(len(r.strings)) {
		return ""
	}
	return r.strings[id-1]
}

// profile makes a sample of each stack, whatever the sizes of its allocations.
func (r *heaptrackReader) profile() (*profile.Profile, error) {
	types := make([]*profile.ValueType, len(heaptrackTypes))
	for i := range heaptrackTypes {
		types[i] = &profile.ValueType{Type: heaptrackTypes[i].Type, Unit: heaptrackTypes[i].Unit}
	}
	b := newBuilder(types...)
	samples := map[uint32]*profile.Sample{}
	for i := range r.allocations {
		a := &r.allocations[i]
		r.touch(a)
		if a.count == 0 {
			continue
		}
		s := samples[a.trace]
		if s == nil {
			s = &profile.Sample{Value: make([]int64, len(types)), Location: r.stack(b, a.trace)}
			samples[a.trace] = s
			b.profile.Sample = append(b.profile.Sample, s)
		}
		size := int64(a.size)
		for j, v := range []int64{saturated(a.count, size), a.count, saturated(a.atPeak, size), saturated(max(a.live, 0), size), a.temporary} {
			s.Value[j] += v
		}
	}
	return b.finish(r.file)
}

// saturated multiplies without running over.
func saturated(n, size int64) int64 {
	if size > 0 && n > (1<<62)/size {
		return 1 << 62
	}
	return n * size
}

// maxDepth bounds how many frames of a stack are kept, counted from the leaf, in the
// formats whose stacks share their frames: there a short text can mean more than a memory
// holds. heaptrack itself records 64, and Instruments 512.
const maxDepth = 4096

// stack returns the locations of a trace, from the leaf to the root. A trace refers to
// one before it, so the way ends.
func (r *heaptrackReader) stack(b *profileBuilder, trace uint32) []*profile.Location {
	var out []*profile.Location
	for trace != 0 && len(out) < maxDepth {
		t := r.traces[trace-1]
		if t.address != 0 {
			out = append(out, r.location(b, &r.addresses[t.address-1]))
		}
		trace = t.parent
	}
	return out
}

func (r *heaptrackReader) location(b *profileBuilder, a *htAddress) *profile.Location {
	if a.location != nil {
		return a.location
	}
	module := r.name(a.module)
	var lines []profile.Line
	for _, f := range a.frames { // what is inlined most deeply comes first, as in pprof
		if name := r.name(f.function); name != "" {
			lines = append(lines, profile.Line{Function: b.function(functionKey{fixRust(name, true), r.name(f.file)}), Line: int64(f.line & (1<<31 - 1))})
		}
	}
	if len(lines) == 0 {
		lines = []profile.Line{{Function: b.function(functionKey{name: unknownIn(module)})}}
	}
	a.location = b.addLocation(a.address, module, lines)
	return a.location
}

// unknownIn names a function that is known by its module alone.
func unknownIn(module string) string {
	if module == "" {
		return unknown
	}
	return "[" + path.Base(module) + "]"
}
