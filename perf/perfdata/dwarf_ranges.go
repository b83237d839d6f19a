package perfdata

// rangesOf appends the addresses that an entry covers. Without any it is no code, or code
// that the linker has thrown away.
func (u *dwarfUnit) rangesOf(e *dwarfEntry, value int32, into []span) ([]span, error) {
	before := len(into)
	into, err := u.appendRanges(e, value, into)
	if err == nil {
		err = u.data.keep((len(into) - before) * spanSize)
	}
	return into, err
}

// spanSize is what a range takes in memory.
const spanSize = 24

func (u *dwarfUnit) appendRanges(e *dwarfEntry, value int32, into []span) ([]span, error) {
	if e.ranges.form != 0 {
		if u.format.version >= 5 {
			return u.rnglist(e.ranges, value, into)
		}
		return u.rangeList(e.ranges.n, value, into)
	}
	if e.low.form == 0 || e.high.form == 0 {
		return into, nil
	}
	low, err := u.address(e.low)
	if err != nil {
		return into, err
	}
	high := low + e.high.n
	if isAddress(e.high.form) {
		if high, err = u.address(e.high); err != nil {
			return into, err
		}
	}
	return addRange(into, low, high, value), nil
}

func addRange(into []span, low, high uint64, value int32) []span {
	if !realRange(low, high) {
		return into
	}
	return append(into, span{low: low, high: high, value: value})
}

// rangeStep is what an entry of a list costs of the budget.
const rangeStep = 16

// rangeList reads a list of .debug_ranges (DWARF 4, section 2.17.3).
func (u *dwarfUnit) rangeList(offset uint64, value int32, into []span) ([]span, error) {
	s, size := u.data.ranges, int(u.format.addressSize)
	base, top := u.bases.low, ^uint64(0)>>(64-8*size)
	for {
		data, err := s.read(offset, uint64(2*size))
		if err != nil {
			return into, err
		}
		if err := u.data.spend(rangeStep); err != nil {
			return into, err
		}
		b := &dwarfBuffer{data: data}
		low, high := b.uint(size), b.uint(size)
		switch {
		case low == 0 && high == 0:
			return into, nil
		case low == top:
			base = high
		default:
			into = addRange(into, base+low, base+high, value)
		}
		offset += uint64(2 * size)
	}
}

// The kinds of entries of .debug_rnglists (DWARF 5, section 7.25).
const (
	rleEnd          = 0
	rleBasex        = 1
	rleStartxEndx   = 2
	rleStartxLength = 3
	rleOffsetPair   = 4
	rleBase         = 5
	rleStartEnd     = 6
	rleStartLength  = 7
)

// rnglist reads a list of .debug_rnglists (DWARF 5, section 2.17.3).
func (u *dwarfUnit) rnglist(v dwarfValue, value int32, into []span) ([]span, error) {
	s := u.data.rnglists
	offset := v.n
	if v.form == formRnglistx {
		n, err := u.data.entryOf(s, u.bases.rnglists.n, v.n, int(u.format.offsetSize))
		if err != nil {
			return into, err
		}
		offset = u.bases.rnglists.n + n
	}
	base := u.bases.low
	for {
		const longest = 1 + 2*10
		data, err := s.upTo(offset, longest)
		if err != nil {
			return into, err
		}
		if err := u.data.spend(rangeStep); err != nil {
			return into, err
		}
		b := &dwarfBuffer{data: data}
		low, high, kind, err := u.rnglistEntry(b, &base)
		switch {
		case err != nil:
			return into, err
		case b.short:
			return into, s.errorf(offset, "a list of ranges %w", errShort)
		case kind == rleEnd:
			return into, nil
		}
		into = addRange(into, low, high, value)
		offset += uint64(b.pos)
	}
}

// rnglistEntry reads an entry of a list. One that sets the base is an empty range.
func (u *dwarfUnit) rnglistEntry(b *dwarfBuffer, base *uint64) (low, high uint64, kind uint8, err error) {
	size := int(u.format.addressSize)
	indexed := func() (a uint64) {
		if err == nil {
			a, err = u.address(dwarfValue{form: formAddrx, n: b.uleb()})
		}
		return a
	}
	switch kind = b.u8(); kind {
	case rleEnd:
	case rleBasex:
		*base = indexed()
	case rleStartxEndx:
		low = indexed()
		high = indexed()
	case rleStartxLength:
		low = indexed()
		high = low + b.uleb()
	case rleOffsetPair:
		low = *base + b.uleb()
		high = *base + b.uleb()
	case rleBase:
		*base = b.uint(size)
	case rleStartEnd:
		low = b.uint(size)
		high = b.uint(size)
	case rleStartLength:
		low = b.uint(size)
		high = low + b.uleb()
	default:
		err = u.errorf(u.offset, "a list of ranges of this unit has an entry of kind %d, which is not known", kind)
	}
	return low, high, kind, err
}
