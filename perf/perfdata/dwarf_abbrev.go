package perfdata

import (
	"fmt"
	"math"
	"slices"
)

// An abbreviation says what an entry consists of (DWARF 5, section 7.5.3).
type abbreviation struct {
	attrs    []attribute
	tag      uint32
	fixed    int32 // how many bytes the attributes take in all; -1: they have to be read
	children bool
	sibling  bool // it says where the next entry on the same level is
}

// An attribute is one that is of use here, or several in a row that are not.
type attribute struct {
	name     uint16 // 0: of no use
	form     uint16
	size     int16 // as dwarfFormat.size; of several in a row: of all
	implicit int64
}

// useful names the attributes that somebody asks for: of all entries (see dwarfEntry), and
// of the roots of units (see readRoot).
func useful(name uint64) bool {
	switch name {
	case attrSibling, attrName, attrLowPC, attrHighPC, attrRanges, attrAbstractOri, attrSpecification,
		attrLinkageName, attrMIPSLinkage, attrCallFile, attrCallLine, attrDeclLine,
		attrStmtList, attrCompDir, attrStrOffsets, attrAddrBase, attrGNUAddrBase, attrRnglistsBase,
		attrDwoName, attrGNUDwoName:
		return true
	}
	return false
}

// abbreviations of a unit by their codes. Compilers number them from 1 on.
type abbreviations struct {
	dense  []abbreviation // code 1 at 0
	sparse map[uint64]*abbreviation
}

func (a *abbreviations) find(code uint64) *abbreviation {
	if code-1 < uint64(len(a.dense)) {
		return &a.dense[code-1]
	}
	return a.sparse[code]
}

func (a *abbreviations) add(code uint64, x abbreviation) {
	if code == uint64(len(a.dense))+1 {
		a.dense = append(a.dense, x)
		return
	}
	if a.sparse == nil {
		a.sparse = map[uint64]*abbreviation{}
	}
	if a.find(code) == nil {
		a.sparse[code] = &x
	}
}

// abbreviationsKey names a table: what its sizes are depends on the format.
type abbreviationsKey struct {
	offset uint64
	format dwarfFormat
}

// abbreviations returns the table at an offset. Tables are kept: units may share them.
func (d *dwarfData) abbreviations(key abbreviationsKey) (*abbreviations, error) {
	d.mu.Lock()
	table := d.tables[key]
	d.mu.Unlock()
	if table != nil {
		return table, nil
	}
	// A table has no length. Most are of a few kilobytes.
	for n := uint64(windowSize); ; n *= 4 {
		data, err := d.abbrev.upTo(key.offset, n)
		if err != nil {
			return nil, err
		}
		if err := d.spend(uint64(len(data))); err != nil {
			return nil, err
		}
		b := &dwarfBuffer{data: data}
		table, err = readAbbreviations(b, key.format)
		if b.short && uint64(len(data)) == n {
			continue
		}
		if err == nil && b.short {
			err = errShort
		}
		if err != nil {
			return nil, d.abbrev.errorf(key.offset+uint64(b.pos), "abbreviations: %w", err)
		}
		break
	}
	d.mu.Lock()
	d.tables[key] = table
	d.mu.Unlock()
	return table, nil
}

func readAbbreviations(b *dwarfBuffer, format dwarfFormat) (*abbreviations, error) {
	table := &abbreviations{}
	var attrs []attribute
	for !b.short {
		code := b.uleb()
		if code == 0 {
			break
		}
		a := abbreviation{tag: uint32(min(b.uleb(), math.MaxUint32)), children: b.u8() != 0}
		attrs = attrs[:0]
		for !b.short {
			name, form := b.uleb(), b.uleb()
			if name == 0 && form == 0 {
				break
			}
			if form > 0xffff {
				return nil, fmt.Errorf("form %#x of attribute %#x is not known", form, name)
			}
			x := attribute{form: uint16(form)}
			if form == formImplicitConst {
				x.implicit = b.sleb()
			}
			x.size = int16(format.size(x.form))
			a.sibling = a.sibling || name == attrSibling
			a.takeSize(x.size)
			if useful(name) {
				x.name = uint16(name)
			}
			attrs = appendAttribute(attrs, x)
		}
		a.attrs = slices.Clone(attrs)
		table.add(code, a)
	}
	table.dense = slices.Clone(table.dense) // no longer than it is
	return table, nil
}

func (a *abbreviation) takeSize(size int16) {
	switch {
	case size < 0 || a.fixed > math.MaxInt32-math.MaxInt16:
		a.fixed = -1
	case a.fixed >= 0:
		a.fixed += int32(size)
	}
}

// appendAttribute makes one of what can be gone over at once.
func appendAttribute(attrs []attribute, x attribute) []attribute {
	if n := len(attrs); n > 0 && x.name == 0 && x.size >= 0 {
		if last := &attrs[n-1]; last.name == 0 && last.size >= 0 && last.size < math.MaxInt16-math.MaxInt8 {
			last.size += x.size
			return attrs
		}
	}
	return append(attrs, x)
}
