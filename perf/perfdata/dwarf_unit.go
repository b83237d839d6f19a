package perfdata

import (
	"fmt"
	"sync"
)

// A dwarfUnit is what the compiler made of one source file, or what several such share.
type dwarfUnit struct {
	data               *dwarfData
	offset, first, end uint64 // of the header, of the root, and behind the unit
	abbrevOffset       uint64
	format             dwarfFormat
	code               bool // it may hold functions
	bad                bool // of a version that is not read

	rootOnce sync.Once
	rootErr  error
	root     dwarfEntry
	bases    dwarfBases
	abbrevs  *abbreviations

	mu   sync.Mutex
	read *unitContent // nil: nothing yet, or it was forgotten
}

// A unitContent is what was read of the functions and the lines of a unit: about as much as
// its part of the file. It is safe for concurrent use.
type unitContent struct {
	unit *dwarfUnit

	functionsOnce, deepOnce sync.Once
	functions, deep         *dwarfFunctions

	lineOnce sync.Once
	lines    *lineTable
}

// content is what the unit holds, of which a part is read when it is asked for.
func (u *dwarfUnit) content() *unitContent {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.read == nil {
		u.read = &unitContent{unit: u}
	}
	return u.read
}

// forget gives up what was read of the unit's functions and lines. Who asks again reads it
// again.
func (u *dwarfUnit) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.read = nil
}

// dwarfBases are what only the root of a unit says, and much else is relative to.
type dwarfBases struct {
	low                                       uint64
	strOffsets, addr, rnglists, lines, dirRef dwarfValue
}

// readRoot reads the root of the unit.
func (u *dwarfUnit) readRoot() error {
	u.rootOnce.Do(func() { u.rootErr = u.readRootOnce() })
	return u.rootErr
}

func (u *dwarfUnit) readRootOnce() error {
	if u.bad {
		return u.errorf(u.offset, "units of version %d are not read", u.format.version)
	}
	var err error
	if u.abbrevs, err = u.data.abbreviations(abbreviationsKey{u.abbrevOffset, u.format}); err != nil {
		return err
	}
	var dwo dwarfValue
	a, err := u.readEntryAt(u.first, &u.root, func(name uint16) *dwarfValue {
		switch name {
		case attrStmtList:
			return &u.bases.lines
		case attrCompDir:
			return &u.bases.dirRef
		case attrStrOffsets:
			return &u.bases.strOffsets
		case attrAddrBase, attrGNUAddrBase:
			return &u.bases.addr
		case attrRnglistsBase:
			return &u.bases.rnglists
		case attrDwoName, attrGNUDwoName:
			return &dwo
		}
		return nil
	})
	if err != nil {
		return err
	}
	if u.code && a.tag != tagCompileUnit && a.tag != tagSkeletonUnit {
		u.code = false // a partial unit before DWARF 5
	}
	if u.root.low.form != 0 {
		u.bases.low, _ = u.address(u.root.low)
	}
	if dwo.form != 0 {
		name, _ := u.string(dwo)
		u.data.fault(u.errorf(u.offset, "the functions of this unit stand in a file of their own, %s: such are not read", name))
	}
	return nil
}

func (u *dwarfUnit) errorf(offset uint64, format string, args ...any) error {
	return u.data.info.errorf(offset, format, args...)
}

// readEntryAt reads one entry, wherever it stands in the unit. more may take attributes that
// a dwarfEntry does not.
func (u *dwarfUnit) readEntryAt(offset uint64, e *dwarfEntry, more func(name uint16) *dwarfValue) (*abbreviation, error) {
	for n := uint64(256); ; n *= 8 {
		if offset < u.first || offset >= u.end {
			return nil, u.errorf(offset, "there is no entry in the unit from %#x to %#x", u.first, u.end)
		}
		data, err := u.data.info.upTo(offset, min(n, u.end-offset))
		if err != nil {
			return nil, err
		}
		if err := u.data.spend(uint64(len(data)) / 8); err != nil {
			return nil, err
		}
		b := &dwarfBuffer{data: data}
		code := b.uleb()
		a := u.abbrevs.find(code)
		if a == nil {
			return nil, u.errorf(offset, "no abbreviation has the code %d", code)
		}
		known := u.format.readEntry(b, a, offset, e, more)
		switch {
		case b.short && uint64(len(data)) == n:
			continue
		case b.short:
			return nil, u.errorf(offset, "an entry %w", errShort)
		case !known:
			return nil, u.errorf(offset, "an entry has a form that is not known")
		}
		return a, nil
	}
}

// string resolves an attribute that is a string.
func (u *dwarfUnit) string(v dwarfValue) (string, error) {
	d := u.data
	switch v.form {
	case 0:
		return "", nil
	case formString:
		return d.info.string(v.n)
	case formStrp:
		return d.str.string(v.n)
	case formLineStrp:
		return d.lineStr.string(v.n)
	case formStrx, formStrx1, formStrx2, formStrx3, formStrx4, formGNUStrIndex:
		n, err := d.entryOf(d.strOffsets, u.bases.strOffsets.n, v.n, int(u.format.offsetSize))
		if err != nil {
			return "", err
		}
		return d.str.string(n)
	case formGNUStrpAlt, formStrpSup:
		if d.alt == nil {
			return "", nil // that it is missing was said when it was looked for
		}
		return d.alt.str.string(v.n)
	}
	return "", fmt.Errorf("%s: form %#x is not one of strings", d.info.path, v.form)
}

// entryOf reads entry i of a table of numbers.
func (d *dwarfData) entryOf(s *dwarfSection, base, i uint64, size int) (uint64, error) {
	if i > s.size || base > s.size {
		return 0, s.errorf(base, "entry %d does not lie in a section of %d bytes", i, s.size)
	}
	data, err := s.read(base+i*uint64(size), uint64(size))
	if err != nil {
		return 0, err
	}
	return (&dwarfBuffer{data: data}).uint(size), nil
}

// isAddress tells forms of addresses from those of numbers.
func isAddress(form uint16) bool {
	switch form {
	case formAddr, formAddrx, formAddrx1, formAddrx2, formAddrx3, formAddrx4, formGNUAddrIndex:
		return true
	}
	return false
}

// address resolves an attribute that is an address.
func (u *dwarfUnit) address(v dwarfValue) (uint64, error) {
	if v.form == formAddr {
		return v.n, nil
	}
	if !isAddress(v.form) {
		return 0, fmt.Errorf("%s: form %#x is not one of addresses", u.data.info.path, v.form)
	}
	return u.data.entryOf(u.data.addr, u.bases.addr.n, v.n, int(u.format.addressSize))
}

// reference resolves an attribute that names another entry: the file, and the offset there.
func (u *dwarfUnit) reference(v dwarfValue) (*dwarfData, uint64, bool) {
	switch v.form {
	case formRef1, formRef2, formRef4, formRef8, formRefUdata:
		if v.n >= u.end-u.offset {
			return nil, 0, false
		}
		return u.data, u.offset + v.n, true
	case formRefAddr:
		return u.data, v.n, true
	case formGNURefAlt, formRefSup4, formRefSup8:
		return u.data.alt, v.n, u.data.alt != nil
	}
	return nil, 0, false
}
