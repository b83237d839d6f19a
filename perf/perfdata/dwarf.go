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

	dwarfUnits
	alt *dwarfData // what several files share (dwz(1)); nil: nothing

	// budget is what may still be spent, see spend; room what may still be kept, see keep.
	budget, room atomic.Int64

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

// What is kept of a file, with every function and line of it read, is about as large as its
// debug information. A file that is made to take more, as by functions that all have the
// same long list of ranges, runs out of its room.
const (
	roomFactor = 8
	roomLeast  = 64 << 20
)

var errRoom = errors.New("takes far more memory than a file of its size should: the rest is not read")

// keep takes bytes that will be kept off the room.
func (d *dwarfData) keep(n int) error {
	if d.room.Add(-int64(n)) < 0 {
		return errRoom
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
	d.room.Store(int64(roomFactor*min(total, maxSection) + roomLeast))
	d.aranges = open("aranges")
	return d, d.openUnits()
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
