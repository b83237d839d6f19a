package perfdata

import (
	"math"
	"slices"
	"sync"
)

// dwarfFunctions are the functions of a unit that have code.
type dwarfFunctions struct {
	all   []dwarfFunction
	spans spans
}

// A dwarfFunction knows where its entry and those in it stand. What is copied into it is
// read when an address of it occurs.
type dwarfFunction struct {
	offset, end uint64
	once        sync.Once
	inlined     []dwarfInlined
	spans       spans
}

// functionSize and inlinedSize are what the two take in memory, without their ranges.
const (
	functionSize = 80
	inlinedSize  = 24
)

// A dwarfInlined is a function that the compiler has copied into another.
type dwarfInlined struct {
	origin             uint64 // the entry of the function; the highest bit: in the file that several share
	callFile, callLine uint32 // from where it is called
	parent             int32  // the one that it is copied into; -1: the function itself
}

// inShared marks an offset in the file that several share, noOrigin that there is none.
const (
	inShared = 1 << 63
	noOrigin = 1<<63 - 1
)

// unitBytes are lent to whoever reads a unit, or a part of it.
var unitBytes = sync.Pool{New: func() any { return new([]byte) }}

// withBytes calls f with a part of .debug_info, which is only lent.
func (u *dwarfUnit) withBytes(begin, end uint64, f func(b *dwarfBuffer) error) error {
	s := u.data.info
	if begin > end || end > s.size {
		return u.errorf(begin, "no entries end at %#x", end)
	}
	if err := u.data.spend(end - begin); err != nil {
		return err
	}
	if s.inMemory() {
		data, err := s.memory(end)
		if err != nil {
			return err
		}
		return f(&dwarfBuffer{data: data[begin:end]})
	}
	p := unitBytes.Get().(*[]byte)
	defer unitBytes.Put(p)
	n := int(end - begin)
	if cap(*p) < n {
		*p = make([]byte, n)
	}
	data := (*p)[:n]
	if err := s.readInto(data, begin); err != nil {
		return err
	}
	return f(&dwarfBuffer{data: data})
}

// function finds the function around an address. First those are searched that lie in no
// other function, which are most; what is nested is read only when an address is in none.
func (c *unitContent) function(addr uint64) *dwarfFunction {
	c.functionsOnce.Do(func() { c.functions = c.unit.readFunctions(false) })
	if f := c.functions.find(addr); f != nil {
		return f
	}
	c.deepOnce.Do(func() { c.deep = c.unit.readFunctions(true) })
	return c.deep.find(addr)
}

func (l *dwarfFunctions) find(addr uint64) *dwarfFunction {
	i, ok := l.spans.find(addr)
	if !ok {
		return nil
	}
	return &l.all[i]
}

// readFunctions lists the functions of the unit. An error ends the list, and is kept.
func (u *dwarfUnit) readFunctions(deep bool) *dwarfFunctions {
	w := functionWalk{u: u, deep: deep}
	err := u.readRoot()
	if err == nil {
		err = u.withBytes(u.first, u.end, w.walk)
	}
	u.data.fault(err)
	l := &dwarfFunctions{all: make([]dwarfFunction, len(w.found)), spans: newSpans(w.list)}
	for i, f := range w.found {
		l.all[i].offset, l.all[i].end = f[0], f[1]
	}
	return l
}

// functionWalk goes through the entries of a unit.
type functionWalk struct {
	u     *dwarfUnit
	deep  bool
	found [][2]uint64 // offset and end of each
	list  []span
	open  []openFunction // those whose end is not known yet
	depth int
	entry dwarfEntry
}

type openFunction struct{ index, depth int }

func (w *functionWalk) walk(b *dwarfBuffer) error {
	u := w.u
	for b.pos < len(b.data) {
		at := u.first + uint64(b.pos)
		code := b.uleb()
		if code == 0 {
			w.depth--
			w.closed(u.first + uint64(b.pos))
			if w.depth <= 0 {
				return nil
			}
			continue
		}
		a := u.abbrevs.find(code)
		if a == nil {
			return u.errorf(at, "no abbreviation has the code %d", code)
		}
		ok, skipped := true, false
		switch {
		case a.tag == tagSubprogram:
			var err error
			if skipped, err = w.function(b, a, at); err != nil {
				return err
			}
		case a.children && a.sibling && !w.deep && !holdsFunctions(a.tag):
			skipped, ok = u.format.readSibling(b, a, u, u.first)
		default:
			ok = u.format.skipEntry(b, a)
		}
		if b.short || !ok {
			return u.errorf(at, "an entry is cut off, or has a form that is not known")
		}
		if a.children && !skipped {
			w.depth++
		}
		if w.depth == 0 {
			return nil // a root without children
		}
	}
	w.closed(u.end)
	return nil
}

// holdsFunctions names what functions with code may stand in, but functions.
func holdsFunctions(tag uint32) bool {
	switch tag {
	case tagCompileUnit, tagPartialUnit, tagSkeletonUnit, tagNamespace, tagModule:
		return true
	}
	return false
}

// function takes a function, if it has code, and goes over what is in it, if that is told.
func (w *functionWalk) function(b *dwarfBuffer, a *abbreviation, at uint64) (skipped bool, err error) {
	u := w.u
	if !u.format.readEntry(b, a, u.first, &w.entry, nil) || b.short {
		return false, u.errorf(at, "a function is cut off, or has a form that is not known")
	}
	before := len(w.list)
	if w.list, err = u.rangesOf(&w.entry, int32(len(w.found)), w.list); err != nil {
		w.list = w.list[:before] // of a function that is not kept
		return false, err
	}
	code := len(w.list) > before
	if code {
		if err := u.data.keep(functionSize); err != nil {
			w.list = w.list[:before]
			return false, err
		}
		w.found = append(w.found, [2]uint64{at, u.first + uint64(b.pos)})
	}
	if !a.children {
		return false, nil
	}
	if !w.deep {
		skipped = u.jump(b, w.entry.sibling, u.first)
	}
	switch {
	case code && skipped:
		w.found[len(w.found)-1][1] = u.first + uint64(b.pos)
	case code:
		w.open = append(w.open, openFunction{len(w.found) - 1, w.depth})
	}
	return skipped, nil
}

// closed sets the end of the functions whose children have just ended.
func (w *functionWalk) closed(end uint64) {
	for n := len(w.open); n > 0 && w.open[n-1].depth >= w.depth; n = len(w.open) {
		w.found[w.open[n-1].index][1] = end
		w.open = w.open[:n-1]
	}
}

// readInlined lists what is copied into a function.
func (u *dwarfUnit) readInlined(f *dwarfFunction) {
	f.once.Do(func() {
		w := inlineWalks.Get().(*inlineWalk)
		defer inlineWalks.Put(w)
		w.u, w.begin = u, f.offset
		w.found, w.list, w.parents = w.found[:0], w.list[:0], w.parents[:0]
		u.data.fault(u.withBytes(f.offset, f.end, w.walk))
		// Copies take what they need and no more: there are many.
		f.inlined, f.spans = slices.Clone(w.found), slices.Clone(newSpans(w.list))
		w.u = nil
	})
}

// inlineWalks are used again, as what they collect differs much in size.
var inlineWalks = sync.Pool{New: func() any { return new(inlineWalk) }}

// inlineWalk goes through the entries of a function.
type inlineWalk struct {
	u       *dwarfUnit
	begin   uint64
	found   []dwarfInlined
	list    []span
	parents []int32 // by depth
	entry   dwarfEntry
}

// nowhere is the parent of what stands in a function within the function: it is not copied.
const nowhere = -2

func (w *inlineWalk) walk(b *dwarfBuffer) error {
	u := w.u
	parent := int32(-1)
	for b.pos < len(b.data) {
		at := w.begin + uint64(b.pos)
		code := b.uleb()
		if code == 0 {
			if len(w.parents) > 0 {
				w.parents = w.parents[:len(w.parents)-1]
			}
			if len(w.parents) == 0 {
				return nil
			}
			parent = w.parents[len(w.parents)-1]
			continue
		}
		a := u.abbrevs.find(code)
		if a == nil {
			return u.errorf(at, "no abbreviation has the code %d", code)
		}
		next, ok, skipped := parent, true, false
		var err error
		switch {
		case a.tag == tagInlined && parent != nowhere:
			next, err = w.inlined(b, a, parent)
		case a.tag == tagSubprogram && at != w.begin:
			next = nowhere
			ok = u.format.skipEntry(b, a)
		case a.children && a.sibling && at != w.begin && !holdsCopies(a.tag):
			skipped, ok = u.format.readSibling(b, a, u, w.begin)
		default:
			ok = u.format.skipEntry(b, a)
		}
		if err != nil {
			return err
		}
		if b.short || !ok {
			return u.errorf(at, "an entry is cut off, or has a form that is not known")
		}
		if a.children && !skipped {
			parent = next
			w.parents = append(w.parents, parent)
		}
		if len(w.parents) == 0 {
			return nil
		}
	}
	return nil
}

// holdsCopies names what functions are copied into, but functions.
func holdsCopies(tag uint32) bool {
	switch tag {
	case tagLexicalBlock, tagTryBlock, tagCatchBlock, tagWithStatement:
		return true
	}
	return false
}

// inlined takes a function that is copied, and returns its index.
func (w *inlineWalk) inlined(b *dwarfBuffer, a *abbreviation, parent int32) (int32, error) {
	u, e := w.u, &w.entry
	at := w.begin + uint64(b.pos)
	if !u.format.readEntry(b, a, w.begin, e, nil) {
		return 0, u.errorf(at, "a form is not known")
	}
	index := int32(len(w.found))
	before := len(w.list)
	var err error
	if w.list, err = u.rangesOf(e, index, w.list); err != nil {
		w.list = w.list[:before] // of one that is not kept
		return 0, err
	}
	if err := u.data.keep(inlinedSize); err != nil {
		w.list = w.list[:before]
		return 0, err
	}
	x := dwarfInlined{origin: noOrigin, callFile: smallNumber(e.callFile.n), callLine: smallNumber(e.callLine.n), parent: parent}
	if d, offset, ok := u.reference(e.origin); ok && offset < noOrigin {
		x.origin = offset
		if d != u.data {
			x.origin |= inShared
		}
	}
	w.found = append(w.found, x)
	return index, nil
}

// smallNumber is 0 for what makes no sense as a line, or as the number of a file.
func smallNumber(n uint64) uint32 {
	if n > math.MaxInt32 {
		return 0
	}
	return uint32(n)
}
