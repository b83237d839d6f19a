package perfdata

// A dwarfName is what a function is called.
type dwarfName struct {
	name, linkage string // of the source, without what it stands in; and of the linker
	line          int    // where it is declared; 0: not known
}

// nameSize is what a name takes in memory, beside its text.
const nameSize = 64

// maxHops bounds how far a name is looked for: a copy points to the function, that to its
// declaration. A file can make a circle of it.
const maxHops = 16

// nameAt finds the name of a function whose entry stands at an offset.
func (d *dwarfData) nameAt(offset uint64) (dwarfName, error) {
	d.mu.Lock()
	name, ok := d.names[offset]
	d.mu.Unlock()
	if ok {
		return name, nil
	}
	name, err := d.readName(offset)
	if err == nil {
		err = d.keep(nameSize + len(name.name) + len(name.linkage))
	}
	if err != nil {
		return name, err
	}
	d.mu.Lock()
	d.names[offset] = name
	d.mu.Unlock()
	return name, nil
}

func (d *dwarfData) readName(offset uint64) (dwarfName, error) {
	var out dwarfName
	var e dwarfEntry
	at, next := d, offset
	for range maxHops {
		u, _, ok := at.unitAt(next)
		if !ok {
			return out, at.info.errorf(next, "there is no unit, but the function at %#x refers to it", offset)
		}
		if err := u.readRoot(); err != nil {
			return out, err
		}
		if _, err := u.readEntryAt(next, &e, nil); err != nil {
			return out, err
		}
		var err error
		if out.name == "" {
			if out.name, err = u.string(e.name); err != nil {
				return out, err
			}
		}
		if out.linkage == "" {
			if out.linkage, err = u.string(e.linkage); err != nil {
				return out, err
			}
		}
		if out.line == 0 {
			out.line = lineNumber(e.declLine.n)
		}
		if out.linkage != "" && out.line != 0 {
			return out, nil
		}
		ref := e.origin
		if ref.form == 0 {
			ref = e.specification
		}
		if at, next, ok = u.reference(ref); !ok {
			return out, nil // it has none, or one that lies in a file that is missing
		}
	}
	return out, d.info.errorf(offset, "the name of a function is not found in %d steps", maxHops)
}

// lineNumber makes an int of a number of a file, which may be nonsense.
func lineNumber(n uint64) int {
	if n > maxLine {
		return 0
	}
	return int(n)
}

const maxLine = 1 << 30

// frames appends what stands at an address, the innermost first; nothing where the debug
// information does not cover it. The last one may have no name.
func (d *dwarfData) frames(addr uint64, into []Frame) []Frame {
	u := d.unitOf(addr)
	if u == nil {
		return into
	}
	if err := u.readRoot(); err != nil {
		d.fault(err)
		return into
	}
	content := u.content()
	lines := content.lineTable()
	here := Frame{}
	here.File, here.Line = lines.find(addr)
	f := content.function(addr)
	if f == nil {
		if here.File == "" {
			return into
		}
		return append(into, here)
	}
	u.readInlined(f)
	at, ok := f.spans.find(addr)
	for n := 0; ok && at >= 0 && n < maxInlined; n++ {
		x := &f.inlined[at]
		here.Inlined = true
		switch {
		case x.origin == noOrigin:
		case x.origin&inShared != 0:
			d.named(&here, d.alt, x.origin&^inShared)
		default:
			d.named(&here, d, x.origin)
		}
		into = append(into, here)
		here = Frame{File: lines.file(uint64(x.callFile)), Line: lineNumber(uint64(x.callLine))}
		at = x.parent
	}
	d.named(&here, d, f.offset)
	return append(into, here)
}

// maxInlined bounds how deep functions are copied into one another.
const maxInlined = 1000

// named gives a frame the name of the function at an offset of a file.
func (d *dwarfData) named(f *Frame, from *dwarfData, offset uint64) {
	name, err := from.nameAt(offset)
	d.fault(err)
	f.Start = name.line
	f.Symbol, f.Name = name.linkage, name.name
}
