package perfdata

import (
	"fmt"
	"slices"
)

// An abbreviation says what an entry consists of (DWARF 5, section 7.5.3).
type abbreviation struct {
	tag      uint64
	children bool
	attrs    []attribute
	fixed    int  // how many bytes the attributes take in all; -1: they have to be read
	sibling  bool // it says where the next entry on the same level is
}

type attribute struct {
	name     uint16 // 0: one that is of no use here
	form     uint16
	size     int8 // as dwarfFormat.size
	implicit int64
}

// abbreviations of a unit by their codes. Compilers number them from 1 on.
type abbreviations struct {
	dense  []*abbreviation // code 1 at 0
	sparse map[uint64]*abbreviation
}

func (a *abbreviations) find(code uint64) *abbreviation {
	if code-1 < uint64(len(a.dense)) {
		return a.dense[code-1]
	}
	return a.sparse[code]
}

func (a *abbreviations) add(code uint64, x *abbreviation) {
	if code == uint64(len(a.dense))+1 {
		a.dense = append(a.dense, x)
		return
	}
	if a.sparse == nil {
		a.sparse = map[uint64]*abbreviation{}
	}
	if a.find(code) == nil {
		a.sparse[code] = x
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
		a := &abbreviation{tag: b.uleb(), children: b.u8() != 0}
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
			if name <= 0xffff {
				x.name = uint16(name)
			}
			if form == formImplicitConst {
				x.implicit = b.sleb()
			}
			x.size = int8(format.size(x.form))
			a.sibling = a.sibling || name == attrSibling
			if x.size < 0 {
				a.fixed = -1
			} else if a.fixed >= 0 {
				a.fixed += int(x.size)
			}
			attrs = append(attrs, x)
		}
		a.attrs = slices.Clone(attrs)
		table.add(code, a)
	}
	return table, nil
}
