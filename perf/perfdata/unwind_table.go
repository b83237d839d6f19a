package perfdata

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
)

// An unwindTable says where the functions of an object stand in its call frame
// information. It is never changed once loaded, and may be shared. The steps of a
// function are run by an [unwinder] when a stack leads there first: a profile meets few
// of the functions of a program.
type unwindTable struct {
	base     uint64 // the lowest executable address of the object
	fdes     []fde  // by start; none overlaps the next
	sections []*frameSection
	// injected are the few functions that return to where a signal has interrupted their
	// caller, though the file says nothing of it.
	injected []uint64
}

// noUnwindTable stands for text without unwind information, such as that of a JIT.
var noUnwindTable = &unwindTable{}

// maxFrameSection bounds the call frame information of an object, in bytes. A browser
// with all its parts in one file has about 30 MB.
const maxFrameSection = 1 << 28

// maxFunctions bounds the functions of an object. A browser with all its parts in one file
// has less than a million.
const maxFunctions = 1 << 21

var errTooManyFunctions = fmt.Errorf("is of one more function than the %d of an object that are indexed", maxFunctions)

// loadUnwindTable indexes the call frame information of an object: .eh_frame, by its
// section or, where the file has no sections, by the segment of .eh_frame_hdr; then
// .debug_frame of it and of the separate files with its debug information, for functions
// that the former leaves out; last its call stubs, which some linkers do not describe.
//
// The table holds all that could be read, and is never nil. The error says what could
// not, the first of each section.
func loadUnwindTable(o *object, debug ...*object) (*unwindTable, error) {
	t := &unwindTable{}
	if err := unwindable(o.elf); err != nil {
		return t, fmt.Errorf("%s: %w", o.path, err)
	}
	text, err := executable(o.elf)
	if err != nil {
		return t, fmt.Errorf("%s: %w", o.path, err)
	}
	t.base = text.start
	var faults []error
	add := func(from *object, read func(*object) (*frameSection, error)) {
		s, err := read(from)
		if err == nil && s != nil {
			err = t.add(s, text)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", from.path, err))
		}
	}
	add(o, readEHFrame)
	add(o, readDebugFrame)
	for _, d := range debug {
		add(d, readDebugFrame)
	}
	add(o, stubFrames)
	ends, injected, err := goFrames(o)
	t.injected = injected
	if err == nil && ends != nil {
		err = t.override(ends, text)
	}
	if err != nil {
		faults = append(faults, fmt.Errorf("%s: %w", o.path, err))
	}
	return t, errors.Join(faults...)
}

// An addressRange is [start, end).
type addressRange struct{ start, end uint64 }

// executable is the range of the object's addresses that can hold code.
func executable(e *elf.File) (addressRange, error) {
	text := addressRange{start: math.MaxUint64}
	for _, p := range e.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && p.Memsz > 0 && p.Memsz <= math.MaxUint64-p.Vaddr {
			text.start = min(text.start, p.Vaddr)
			text.end = max(text.end, p.Vaddr+p.Memsz)
		}
	}
	if text.end == 0 {
		return addressRange{}, errors.New("has no executable segment")
	}
	if text.end-text.start > math.MaxUint32 {
		return addressRange{}, fmt.Errorf("has code from %#x to %#x, more than the 4 GB that are indexed", text.start, text.end)
	}
	return text, nil
}

// readEHFrame is the .eh_frame of an object, or nil.
func readEHFrame(o *object) (*frameSection, error) {
	s := &frameSection{name: ".eh_frame"}
	if err := checkFrameSize(o, s.name); err != nil {
		return nil, err
	}
	data, address, err := o.section(s.name)
	if err != nil {
		return nil, err
	}
	if data == nil {
		if data, address, err = ehFrameByHeader(o); err != nil || data == nil {
			return nil, err
		}
		s.terminated = true
	}
	s.data, s.bases.section = data, address
	// Only old tools write pointers relative to the global offset table, so that a file
	// which has none, or one that is broken, is no fault.
	if got, err := o.elf.DynValue(elf.DT_PLTGOT); err == nil && len(got) == 1 {
		s.bases.data, s.bases.hasData = got[0], true
	}
	return s, nil
}

// ehFrameByHeader finds .eh_frame where the file has no sections: PT_GNU_EH_FRAME shows
// where .eh_frame_hdr lies, which begins with a pointer to it (Linux Standard Base Core
// 5.0, section 10.6.2). Nothing says where it ends, so what comes back goes up to the end
// of the segment.
func ehFrameByHeader(o *object) (data []byte, address uint64, err error) {
	i := slices.IndexFunc(o.elf.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_GNU_EH_FRAME && p.Filesz > 0 })
	if i < 0 {
		return nil, 0, nil
	}
	p := o.elf.Progs[i]
	header := make([]byte, min(p.Filesz, 16))
	if _, err := p.ReadAt(header, 0); err != nil {
		return nil, 0, fmt.Errorf(".eh_frame_hdr at offset %#x: %w", p.Off, err)
	}
	r := cfiReader{data: header}
	version, encoding := r.u8(), r.u8()
	r.fixed(2) // how the search table is encoded
	if version != 1 {
		return nil, 0, fmt.Errorf(".eh_frame_hdr at offset %#x: has version %d, which is not known", p.Off, version)
	}
	address, err = r.pointer(encoding, pointerBases{section: p.Vaddr, data: p.Vaddr, hasData: true})
	if err != nil {
		return nil, 0, fmt.Errorf(".eh_frame_hdr at offset %#x: %w", p.Off, err)
	}
	for _, s := range o.elf.Progs {
		if s.Type != elf.PT_LOAD || address < s.Vaddr || address-s.Vaddr >= s.Filesz {
			continue
		}
		from := address - s.Vaddr
		size := min(s.Filesz-from, maxFrameSection)
		if size > uint64(o.file.Size()) {
			break
		}
		data = make([]byte, size)
		n, err := s.ReadAt(data, int64(from))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, fmt.Errorf(".eh_frame at %#x: %w", address, err)
		}
		return data[:n], address, nil
	}
	return nil, 0, fmt.Errorf(".eh_frame_hdr at offset %#x: points to %#x, where the file has nothing", p.Off, address)
}

// readDebugFrame is the .debug_frame of an object, or nil.
func readDebugFrame(o *object) (*frameSection, error) {
	s := &frameSection{name: ".debug_frame", debug: true}
	if o.elf.Section(s.name) == nil {
		s.name = ".zdebug_frame"
	}
	if err := checkFrameSize(o, s.name); err != nil {
		return nil, err
	}
	data, address, err := o.section(s.name)
	if err != nil || data == nil {
		return nil, err
	}
	if s.name == ".zdebug_frame" {
		if data, err = inflateOld(data); err != nil {
			return nil, fmt.Errorf("section %s: %w", s.name, err)
		}
	}
	s.data, s.bases.section = data, address
	return s, nil
}

// checkFrameSize refuses a section that is larger, uncompressed, than any that is known.
func checkFrameSize(o *object, name string) error {
	s := o.elf.Section(name)
	if s != nil && s.Type != elf.SHT_NOBITS && s.Size > maxFrameSection {
		return fmt.Errorf("section %s at offset %#x: has %d bytes, more than the %d that are read", name, s.Offset, s.Size, maxFrameSection)
	}
	return nil
}

// inflateOld undoes the compression that was in use before SHF_COMPRESSED: "ZLIB", the
// size as eight bytes with the highest first, and the data.
func inflateOld(raw []byte) ([]byte, error) {
	if len(raw) < 12 || string(raw[:4]) != "ZLIB" {
		return nil, errors.New("does not begin with the mark of its compression")
	}
	size := binary.BigEndian.Uint64(raw[4:])
	if most := min(maxFrameSection, maxInflation*uint64(len(raw))); size > most {
		return nil, fmt.Errorf("says that %d bytes become %d uncompressed, more than the %d that are read", len(raw), size, most)
	}
	z, err := newZlibStream(bytes.NewReader(raw[12:]), uint64(len(raw)-12), size)
	if err != nil {
		return nil, err
	}
	return z.upTo(size)
}

// add indexes the functions of a section, except those that an earlier one has. An entry
// that is broken is left out; the error is the first one's.
func (t *unwindTable) add(s *frameSection, text addressRange) error {
	s.cies = map[uint32]*cie{}
	index := uint32(len(t.sections))
	t.sections = append(t.sections, s)
	var fault error
	refuse := func(offset int, err error) {
		if fault == nil {
			fault = &frameError{s.name, offset, err}
		}
	}
	known := len(t.fdes)
	for offset := 0; offset < len(s.data); {
		e, next, err := s.entryAt(offset)
		if err != nil {
			refuse(offset, err)
		}
		switch {
		case err == nil && e.ends && s.terminated:
			next = len(s.data)
		case err != nil || e.ends || s.isCIE(e):
		default:
			f, err := s.readFDE(e)
			if err != nil {
				refuse(offset, err)
				break
			}
			// What the linker has thrown away lies at address zero or one.
			if f.size > 0 && f.start >= text.start && f.start+f.size <= text.end {
				if len(t.fdes) == maxFunctions {
					refuse(offset, errTooManyFunctions)
					next = len(s.data)
					break
				}
				t.fdes = append(t.fdes, fde{uint32(f.start - t.base), uint32(f.size), uint32(offset), index})
			}
		}
		offset = next
	}
	t.merge(known)
	return fault
}

// merge sorts the functions in. The first known ones are sorted and stay; of the others
// those that overlap them, or an earlier one, go.
func (t *unwindTable) merge(known int) {
	old, added := t.fdes[:known:known], t.fdes[known:]
	slices.SortFunc(added, func(a, b fde) int {
		// Of two with the same start the first in the section.
		return cmp.Compare(uint64(a.start)<<32|uint64(a.offset), uint64(b.start)<<32|uint64(b.offset))
	})
	kept := added[:0]
	var end uint64
	for _, f := range added {
		if uint64(f.start) < end || overlaps(old, f) {
			continue
		}
		end = uint64(f.start) + uint64(f.size)
		kept = append(kept, f)
	}
	if known == 0 {
		t.fdes = kept
		return
	}
	all := slices.Concat(old, kept)
	slices.SortFunc(all, func(a, b fde) int { return cmp.Compare(a.start, b.start) })
	t.fdes = all
}

// override indexes the functions of a section in place of what others say of these
// addresses. What an entry covers of a larger one leaves its two ends.
func (t *unwindTable) override(s *frameSection, text addressRange) error {
	before := t.fdes
	t.fdes = nil
	err := t.add(s, text)
	over := t.fdes
	var all []fde
	for _, f := range before {
		end := f.start + f.size
		for _, o := range over {
			if o.start < end && o.start+o.size > f.start {
				if o.start > f.start {
					all = append(all, fde{f.start, o.start - f.start, f.offset, f.section})
				}
				f.start = min(o.start+o.size, end)
			}
		}
		if f.start < end {
			all = append(all, fde{f.start, end - f.start, f.offset, f.section})
		}
	}
	all = append(all, over...)
	slices.SortFunc(all, func(a, b fde) int { return cmp.Compare(a.start, b.start) })
	t.fdes = all
	return err
}

// overlaps reports whether f shares an address with one of sorted.
func overlaps(sorted []fde, f fde) bool {
	end := uint64(f.start) + uint64(f.size)
	i := sort.Search(len(sorted), func(i int) bool { return uint64(sorted[i].start)+uint64(sorted[i].size) > uint64(f.start) })
	return i < len(sorted) && uint64(sorted[i].start) < end
}

// find is the index of the function that has the object's address pc, or -1.
func (t *unwindTable) find(pc uint64) int {
	pc -= t.base
	low, high := 0, len(t.fdes)
	for low < high {
		middle := int(uint(low+high) / 2)
		if uint64(t.fdes[middle].start) <= pc {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == 0 || pc-uint64(t.fdes[low-1].start) >= uint64(t.fdes[low-1].size) {
		return -1
	}
	return low - 1
}

// function reads the entry of a function again, to run its steps.
func (t *unwindTable) function(i int) (*frameSection, functionEntry, error) {
	s := t.sections[t.fdes[i].section]
	e, _, err := s.entryAt(int(t.fdes[i].offset))
	if err != nil {
		return s, functionEntry{}, err
	}
	f, err := s.readFDE(e)
	return s, f, err
}
