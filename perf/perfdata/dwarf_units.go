package perfdata

import (
	"errors"
	"slices"
	"sync"
)

// dwarfUnits are the units of a file: where they stand, and the addresses that they cover.
//
// Whose addresses a unit has is told by .debug_aranges, or by the root of the unit. Where
// .debug_info is compressed, units are found from its begin on only as far as an address of
// .debug_aranges asks for it, since all before it has to be inflated; the rest is found when
// an address is in none of those.
type dwarfUnits struct {
	aranges *dwarfSection
	early   spans    // of .debug_aranges, where .debug_info is compressed
	starts  []uint64 // what their values stand for: where the unit begins

	foundMu  sync.Mutex
	units    []*dwarfUnit // by offset
	next     uint64       // where the next one begins
	foundErr error        // why there is no next one

	completed sync.Once
	spans     spans // which unit an address belongs to
}

// openUnits finds the units, or only which ones there are for most addresses.
func (d *dwarfData) openUnits() error {
	if d.info.packed == nil {
		var err error
		d.completed.Do(func() { err = d.findAddresses() })
		return err
	}
	var list []span
	err := d.readAranges(func(unit, low, high uint64) {
		if n := len(d.starts); n == 0 || d.starts[n-1] != unit {
			d.starts = append(d.starts, unit)
		}
		list = addRange(list, low, high, int32(len(d.starts)-1))
	})
	if err == nil { // else it is read again, and the error told, when the rest is found
		d.early = newSpans(list)
	}
	return nil
}

// findUnits reads the headers of units up to the one that an offset lies in.
func (d *dwarfData) findUnits(offset uint64) {
	for d.next <= offset && d.next < d.info.size && d.foundErr == nil {
		u, err := d.readHeader(d.next)
		if err != nil {
			d.foundErr = err // where the next one begins is not known
			return
		}
		d.units = append(d.units, u)
		d.next = u.end
	}
}

// unitAt finds the unit that an offset in .debug_info lies in, and its index.
func (d *dwarfData) unitAt(offset uint64) (*dwarfUnit, int, bool) {
	d.foundMu.Lock()
	defer d.foundMu.Unlock()
	d.findUnits(offset)
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
		return nil, 0, false
	}
	return d.units[i], i, true
}

// all are the units, each of which is found now, and why there are no more.
func (d *dwarfData) all() ([]*dwarfUnit, error) {
	d.foundMu.Lock()
	defer d.foundMu.Unlock()
	d.findUnits(d.info.size)
	return d.units, d.foundErr
}

// unitOf finds the unit that an address belongs to; nil: none.
func (d *dwarfData) unitOf(addr uint64) *dwarfUnit {
	if i, ok := d.early.find(addr); ok {
		if u, _, ok := d.unitAt(d.starts[i]); ok && u.offset == d.starts[i] {
			return u
		}
	}
	d.completed.Do(func() { d.fault(d.findAddresses()) })
	i, ok := d.spans.find(addr)
	if !ok {
		return nil
	}
	units, _ := d.all()
	return units[i]
}

// findAddresses finds out which addresses the units cover: from .debug_aranges, or, for
// those that it leaves out, from their roots.
func (d *dwarfData) findAddresses() error {
	units, unitsErr := d.all()
	list, listed, err := d.listed()
	err = errors.Join(unitsErr, err)
	var rest []int
	for i, u := range units {
		if u.code && !u.bad && !listed[i] {
			rest = append(rest, i)
		}
	}
	parts := make([][]span, len(rest))
	errs := make([]error, len(rest))
	inParallel(len(rest), func(i int) {
		u := units[rest[i]]
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

// listed are the addresses that .debug_aranges has, and of which units it tells.
func (d *dwarfData) listed() (list []span, listed map[int]bool, err error) {
	listed = map[int]bool{}
	err = d.readAranges(func(unit, low, high uint64) {
		// The set is perhaps of a version to come, if there is no such unit.
		if u, i, ok := d.unitAt(unit); ok && u.offset == unit {
			listed[i] = true
			list = addRange(list, low, high, int32(i))
		}
	})
	return list, listed, err
}

// readAranges reads .debug_aranges (DWARF 5, section 6.1.2): it calls take for each range
// of addresses, with the offset of the unit that has it.
func (d *dwarfData) readAranges(take func(unit, low, high uint64)) error {
	s := d.aranges
	if s.size == 0 {
		return nil
	}
	data, err := s.read(0, s.size)
	if err != nil {
		return err
	}
	for begin := 0; begin < len(data); {
		b := &dwarfBuffer{data: data, pos: begin}
		n, offsetSize := b.length()
		if b.short || n > uint64(len(data)-b.pos) {
			return s.errorf(uint64(begin), "a set of %#x bytes does not lie in a section of %#x", n, s.size)
		}
		end := b.pos + int(n)
		b.data = data[:end]
		version, unit := b.uint(2), b.uint(offsetSize)
		address, segment := int(b.u8()), b.u8()
		if version != 2 || (address != 4 && address != 8) || segment != 0 {
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
			take(unit, low, low+size)
		}
		begin = end
	}
	return nil
}

// realRange tells code from what the linker has thrown away: that is left at address zero,
// or one, or the highest ones.
func realRange(low, high uint64) bool { return low > 1 && high > low }
