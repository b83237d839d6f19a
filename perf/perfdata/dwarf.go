package perfdata

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// dwarfData is the debug information of one file: which functions the compiler has copied
// where, and the lines (DWARF 2 to 5). Of a unit only the root is read until an address of
// it occurs; then a list of its functions, and of a function what is copied into it when an
// address of that occurs. It is safe for concurrent use.
type dwarfData struct {
	info, abbrev, str, lineStr, line, ranges, rnglists, addr, strOffsets *dwarfSection

	units []*dwarfUnit // by offset
	spans spans        // which unit an address belongs to
	alt   *dwarfData   // what several files share (dwz(1)); nil: nothing

	// budget is what may still be spent, see spend.
	budget atomic.Int64

	mu     sync.Mutex
	tables map[abbreviationsKey]*abbreviations
	names  map[uint64]dwarfName
	faults map[string]bool // by text: many addresses meet the same one
}

// A unit costs about its size once; lists and tables that are shared are read again. A file
// that is made to cost more, as by functions that lie in one another a million deep, runs
// out of its budget.
const (
	budgetFactor = 64
	budgetLeast  = 16 << 20
)

var errBudget = errors.New("takes far more steps than a file of its size should: the rest is not read")

// spend takes steps, of about a byte each, off the budget.
func (d *dwarfData) spend(n uint64) error {
	if d.budget.Add(-int64(min(n, 1<<40))) < 0 {
		return errBudget
	}
	return nil
}

// openDWARF finds the units of an object and the addresses that they cover. nil without an
// error: it has no debug information. Errors of parts come with what could be read.
func openDWARF(o *object) (*dwarfData, error) {
	if !hasDWARF(o) {
		return nil, nil
	}
	if o.elf.ByteOrder != binary.LittleEndian {
		return nil, fmt.Errorf("%s: debug information of big-endian machines is not read", o.path)
	}
	var mu sync.Mutex
	var errs []error
	d, err := newDWARF(func(name string) *dwarfSection {
		s, err := openDWARFSection(o, name)
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		}
		return s
	})
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return d, errors.Join(append(errs, err)...)
}

// newDWARF finds the units in the sections that open returns by their names, of which each
// may be empty. open is called from several goroutines.
func newDWARF(open func(name string) *dwarfSection) (*dwarfData, error) {
	d := &dwarfData{tables: map[abbreviationsKey]*abbreviations{}, names: map[uint64]dwarfName{}, faults: map[string]bool{}}
	parts := []struct {
		name string
		to   **dwarfSection
	}{
		{"info", &d.info}, {"line", &d.line}, {"str", &d.str}, {"abbrev", &d.abbrev}, {"line_str", &d.lineStr},
		{"ranges", &d.ranges}, {"rnglists", &d.rnglists}, {"addr", &d.addr}, {"str_offsets", &d.strOffsets},
	}
	inParallel(len(parts), func(i int) { *parts[i].to = open(parts[i].name) }) // compressed ones take long
	total := uint64(0)
	for _, p := range parts {
		total += (*p.to).size
	}
	d.budget.Store(int64(budgetFactor*min(total, maxSection) + budgetLeast))
	err := d.findUnits()
	return d, errors.Join(err, d.findAddresses(open("aranges")))
}

// findUnits reads the headers of all units.
func (d *dwarfData) findUnits() error {
	for offset := uint64(0); offset < d.info.size; {
		u, err := d.readHeader(offset)
		if err != nil {
			return err // where the next one begins is not known
		}
		d.units = append(d.units, u)
		offset = u.end
	}
	return nil
}

// The kinds of units (DWARF 5, section 7.5.1).
const (
	unitCompile      = 1
	unitType         = 2
	unitPartial      = 3
	unitSkeleton     = 4
	unitSplitCompile = 5
	unitSplitType    = 6
)

// readHeader reads the header of a unit (DWARF 5, section 7.5.1).
func (d *dwarfData) readHeader(offset uint64) (*dwarfUnit, error) {
	const longest = 12 + 2 + 1 + 1 + 8 + 8 + 8
	data, err := d.info.upTo(offset, longest)
	if err != nil {
		return nil, err
	}
	b := &dwarfBuffer{data: data}
	u := &dwarfUnit{data: d, offset: offset}
	n, offsetSize := b.length()
	begin := offset + uint64(b.pos)
	if n > d.info.size-min(begin, d.info.size) {
		return nil, d.info.errorf(offset, "a unit of %#x bytes does not lie in a section of %#x", n, d.info.size)
	}
	u.end = begin + n
	u.format = dwarfFormat{version: uint8(min(b.uint(2), 0xff)), offsetSize: uint8(offsetSize)}
	kind := uint8(unitCompile)
	switch v := u.format.version; {
	case v >= 2 && v <= 4:
		u.abbrevOffset = b.uint(offsetSize)
		u.format.addressSize = b.u8()
	case v == 5:
		kind = b.u8()
		u.format.addressSize = b.u8()
		u.abbrevOffset = b.uint(offsetSize)
	default:
		u.bad = true // but the next one can be found
	}
	switch kind {
	case unitSkeleton, unitSplitCompile:
		b.skip(8)
	case unitType, unitSplitType:
		b.skip(8 + uint64(offsetSize))
	}
	u.first = offset + uint64(b.pos)
	u.code = kind == unitCompile || kind == unitSkeleton
	if a := u.format.addressSize; !u.bad && (a != 4 && a != 8 || b.short || u.first > u.end) {
		return nil, d.info.errorf(offset, "the header of a unit makes no sense: addresses of %d bytes", a)
	}
	return u, nil
}

// findAddresses finds out which addresses the units cover: from .debug_aranges, or, for
// those that it leaves out, from their roots.
func (d *dwarfData) findAddresses(aranges *dwarfSection) error {
	list, listed, err := d.readAranges(aranges)
	var rest []int
	for i, u := range d.units {
		if u.code && !u.bad && !listed[i] {
			rest = append(rest, i)
		}
	}
	parts := make([][]span, len(rest))
	errs := make([]error, len(rest))
	inParallel(len(rest), func(i int) {
		u := d.units[rest[i]]
		if errs[i] = u.readRoot(); errs[i] == nil {
			parts[i], errs[i] = u.rangesOf(&u.root, int32(rest[i]), nil)
		}
	})
	for _, p := range parts {
		list = append(list, p...)
	}
	d.spans = newSpans(list)
	for _, e := range errs {
		if e != nil {
			return errors.Join(err, e) // one of perhaps thousands
		}
	}
	return err
}

// readAranges reads .debug_aranges (DWARF 5, section 6.1.2).
func (d *dwarfData) readAranges(s *dwarfSection) (list []span, listed map[int]bool, err error) {
	listed = map[int]bool{}
	if s.size == 0 {
		return nil, listed, nil
	}
	data, err := s.read(0, s.size)
	if err != nil {
		return nil, listed, err
	}
	for begin := 0; begin < len(data); {
		b := &dwarfBuffer{data: data, pos: begin}
		n, offsetSize := b.length()
		if b.short || n > uint64(len(data)-b.pos) {
			return list, listed, s.errorf(uint64(begin), "a set of %#x bytes does not lie in a section of %#x", n, s.size)
		}
		end := b.pos + int(n)
		b.data = data[:end]
		version, unit := b.uint(2), b.uint(offsetSize)
		address, segment := int(b.u8()), b.u8()
		i, ok := d.unitAt(unit)
		if version != 2 || (address != 4 && address != 8) || segment != 0 || !ok || d.units[i].offset != unit {
			begin = end // perhaps of a version to come: the root says it too
			continue
		}
		// Pairs are aligned to their size from the begin of the set.
		pair := 2 * address
		b.skip(uint64((pair - (b.pos-begin)%pair) % pair))
		for len(b.data)-b.pos >= pair {
			low, size := b.uint(address), b.uint(address)
			if low == 0 && size == 0 {
				break
			}
			listed[i] = true
			if realRange(low, low+size) {
				list = append(list, span{low: low, high: low + size, value: int32(i)})
			}
		}
		begin = end
	}
	return list, listed, nil
}

// realRange tells code from what the linker has thrown away: that is left at address zero,
// or one, or the highest ones.
func realRange(low, high uint64) bool { return low > 1 && high > low }

// unitAt finds the unit that an offset in .debug_info lies in.
func (d *dwarfData) unitAt(offset uint64) (int, bool) {
	i, exact := slices.BinarySearchFunc(d.units, offset, func(u *dwarfUnit, offset uint64) int {
		switch {
		case u.offset < offset:
			return -1
		case u.offset > offset:
			return 1
		}
		return 0
	})
	if !exact {
		i--
	}
	if i < 0 || offset >= d.units[i].end {
		return 0, false
	}
	return i, true
}

// unitOf finds the unit that an address belongs to; nil: none.
func (d *dwarfData) unitOf(addr uint64) *dwarfUnit {
	i, _, ok := d.spans.find(addr)
	if !ok {
		return nil
	}
	return d.units[i]
}

// fault keeps an error that an address has met.
func (d *dwarfData) fault(err error) {
	if err == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.faults) < maxRefused {
		d.faults[err.Error()] = true
	}
}

// takeFaults returns what addresses have met, in the order of the alphabet.
func (d *dwarfData) takeFaults() []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for text := range d.faults {
		all = append(all, text)
	}
	slices.Sort(all)
	out := make([]error, len(all))
	for i, text := range all {
		out[i] = errors.New(text)
	}
	return out
}

// inParallel calls f for 0 to n-1, from as many goroutines as there are processors.
func inParallel(n int, f func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	all.Wait()
}
