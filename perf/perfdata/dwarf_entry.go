package perfdata

// A dwarfEntry holds the attributes of an entry that are used here, as they stand.
type dwarfEntry struct {
	low, high, ranges            dwarfValue
	origin, specification        dwarfValue
	name, linkage                dwarfValue
	callFile, callLine, declLine dwarfValue
	sibling                      dwarfValue
}

// readEntry reads the attributes of an entry. begin is the offset of the buffer in the
// section; more, where given, takes attributes that a dwarfEntry does not. It reports false
// where a form is not known: then nothing that follows can be read.
func (f dwarfFormat) readEntry(b *dwarfBuffer, a *abbreviation, begin uint64, e *dwarfEntry, more func(name uint16) *dwarfValue) bool {
	*e = dwarfEntry{}
	for i := range a.attrs {
		x := &a.attrs[i]
		v := e.slot(x.name)
		if v == nil && more != nil {
			v = more(x.name)
		}
		if v == nil {
			if x.size >= 0 {
				b.skip(uint64(x.size))
			} else if !f.skip(b, x.form) {
				return false
			}
			continue
		}
		var ok bool
		if *v, ok = f.value(b, x.form, x.implicit, begin); !ok {
			return false
		}
	}
	return true
}

// slot is where an attribute is kept; nil: nowhere.
func (e *dwarfEntry) slot(name uint16) *dwarfValue {
	switch name {
	case attrSibling:
		return &e.sibling
	case attrName:
		return &e.name
	case attrLowPC:
		return &e.low
	case attrHighPC:
		return &e.high
	case attrRanges:
		return &e.ranges
	case attrAbstractOri:
		return &e.origin
	case attrSpecification:
		return &e.specification
	case attrLinkageName, attrMIPSLinkage:
		return &e.linkage
	case attrCallFile:
		return &e.callFile
	case attrCallLine:
		return &e.callLine
	case attrDeclLine:
		return &e.declLine
	}
	return nil
}

// skipEntry goes over the attributes of an entry.
func (f dwarfFormat) skipEntry(b *dwarfBuffer, a *abbreviation) bool {
	if a.fixed >= 0 {
		b.skip(uint64(a.fixed))
		return true
	}
	for i := range a.attrs {
		x := &a.attrs[i]
		if x.size >= 0 {
			b.skip(uint64(x.size))
		} else if !f.skip(b, x.form) {
			return false
		}
	}
	return true
}

// readSibling goes over the attributes of an entry, and then over its children if it says
// where they end. It reports whether it did.
func (f dwarfFormat) readSibling(b *dwarfBuffer, a *abbreviation, u *dwarfUnit, begin uint64) (skipped, ok bool) {
	var sibling dwarfValue
	for i := range a.attrs {
		x := &a.attrs[i]
		switch {
		case x.name == attrSibling:
			if sibling, ok = f.value(b, x.form, x.implicit, begin); !ok {
				return false, false
			}
		case x.size >= 0:
			b.skip(uint64(x.size))
		case !f.skip(b, x.form):
			return false, false
		}
	}
	return u.jump(b, sibling, begin), true
}

// jump goes to where a sibling stands, if that lies ahead.
func (u *dwarfUnit) jump(b *dwarfBuffer, sibling dwarfValue, begin uint64) bool {
	d, to, ok := u.reference(sibling)
	if !ok || d != u.data || to < begin+uint64(b.pos) || to > begin+uint64(len(b.data)) {
		return false
	}
	b.pos = int(to - begin)
	return true
}
