package perfdata

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Call frame information says, for each address of a program, where the caller's frame
// and registers are. It stands in .eh_frame (Linux Standard Base Core 5.0, section 10.6)
// or in .debug_frame (DWARF 5, section 6.4). Both are a list of entries: a common one
// (CIE) holds what many functions share, one for each function (FDE) its own steps.

// A frameSection is the content of one of the two sections.
type frameSection struct {
	name  string
	data  []byte
	bases pointerBases
	// debug is set for .debug_frame. It differs in how an entry names its CIE, and in
	// having no terminator.
	debug bool
	// terminated is set where the size is not known: an entry of length zero ends it.
	terminated bool

	cies map[uint32]*cie
}

// A frameError says what of the call frame information could not be used, and where.
type frameError struct {
	section string
	offset  int
	err     error
}

func (e *frameError) Error() string {
	return fmt.Sprintf("%s: entry at offset %#x: %v", e.section, e.offset, e.err)
}

func (e *frameError) Unwrap() error { return e.err }

// A cie is what a common information entry says.
type cie struct {
	codeAlign uint64
	dataAlign int64
	encoding  byte // of the addresses in its FDEs
	augmented bool // its FDEs have augmentation data, which is skipped
	signal    bool // of a signal handler's caller: its address is no return address
	// initial are the rules at the start of each of its functions.
	initial state
	err     error // why its functions cannot be unwound
}

// An fde is where the steps of a function stand. start is relative to the table's base.
type fde struct {
	start, size uint32
	offset      uint32 // of the entry, in its section
	section     uint32 // its index in the table
}

// maxCIEs bounds the common entries of a section, since each takes more in memory than in
// the file. Linkers merge equal ones in .eh_frame; .debug_frame has a few for each
// compilation unit.
const maxCIEs = 1 << 18

// maxCIESize bounds one of them. Those of compilers have some 30 bytes; but each function
// can name another place, and so have the same bytes read as often as there are functions.
const maxCIESize = 1 << 10

// A frameEntry is the frame of an entry: its length has been checked against the section.
type frameEntry struct {
	offset int
	body   cfiReader // behind the CIE pointer; ends with the entry
	id     uint64    // the CIE pointer as it stands
	idAt   int
	wide   bool // in the 64-bit form
	ends   bool // is a terminator, and nothing else
}

// entryAt reads the head of the entry at offset, and returns where the next one begins.
func (s *frameSection) entryAt(offset int) (e frameEntry, next int, err error) {
	r := cfiReader{data: s.data, at: offset}
	length := r.fixed(4)
	wide := length == math.MaxUint32
	if wide {
		length = r.fixed(8)
	}
	if r.short || length > uint64(r.left()) {
		return e, len(s.data), errors.New("is longer than the section")
	}
	next = r.at + int(length)
	e = frameEntry{offset: offset, idAt: r.at, wide: wide, ends: length == 0}
	if e.ends {
		return e, next, nil
	}
	r.data = r.data[:next]
	if wide && s.debug {
		e.id = r.fixed(8)
	} else {
		e.id = r.fixed(4) // in .eh_frame also of the 64-bit form
	}
	e.body = r
	return e, next, r.err()
}

// isCIE reports whether the entry is a common one.
func (s *frameSection) isCIE(e frameEntry) bool {
	switch {
	case !s.debug:
		return e.id == 0
	case e.wide:
		return e.id == math.MaxUint64
	}
	return e.id == math.MaxUint32
}

// cieOf is the common entry that an FDE names: by the distance back to it in .eh_frame,
// by its offset in .debug_frame.
func (s *frameSection) cieOf(e frameEntry) (*cie, error) {
	offset := e.id
	if !s.debug {
		offset = uint64(e.idAt) - e.id
	}
	if offset >= uint64(len(s.data)) {
		return nil, errors.New("names a common entry outside of the section")
	}
	c := s.cies[uint32(offset)]
	if c == nil {
		if len(s.cies) >= maxCIEs {
			return nil, fmt.Errorf("names one more common entry than the %d that are read", maxCIEs)
		}
		c = s.readCIE(int(offset))
		s.cies[uint32(offset)] = c
	}
	return c, c.err
}

// readCIE reads the common entry at offset. A fault in it is kept there, so that it is
// looked for once and not by each of its functions.
func (s *frameSection) readCIE(offset int) *cie {
	c := &cie{encoding: pointerAbsolute}
	c.err = s.parseCIE(c, offset)
	if c.err != nil {
		c.err = fmt.Errorf("its common entry at offset %#x %w", offset, c.err)
	}
	return c
}

func (s *frameSection) parseCIE(c *cie, offset int) error {
	e, next, err := s.entryAt(offset)
	if err != nil {
		return err
	}
	if e.ends || !s.isCIE(e) {
		return errors.New("is none")
	}
	if n := next - offset; n > maxCIESize {
		return fmt.Errorf("has %d bytes, more than the %d that are read", n, maxCIESize)
	}
	r := &e.body
	version := r.u8()
	if version != 1 && version != 3 && version != 4 {
		return fmt.Errorf("has version %d, which is not known", version)
	}
	augmentation := r.str()
	if version == 4 {
		if address, selector := r.u8(), r.u8(); address != wordSize || selector != 0 {
			return fmt.Errorf("is for addresses of %d bytes and segments of %d", address, selector)
		}
	}
	if augmentation == "eh" {
		r.fixed(wordSize) // GCC 2 put a pointer here
	}
	c.codeAlign = r.uleb()
	c.dataAlign = r.sleb()
	returnColumn := uint64(0)
	if version == 1 {
		returnColumn = uint64(r.u8())
	} else {
		returnColumn = r.uleb()
	}
	if err := s.augment(c, r, augmentation); err != nil {
		return err
	}
	if r.short {
		return errCFIShort
	}
	if returnColumn != regRIP {
		return fmt.Errorf("has the return address in column %d", returnColumn)
	}
	return s.setInitial(c, r)
}

// augment reads what the augmentation string of a CIE announces.
func (s *frameSection) augment(c *cie, r *cfiReader, augmentation string) error {
	letters, sized := strings.CutPrefix(augmentation, "z")
	if !sized {
		if augmentation == "" || augmentation == "eh" {
			return nil
		}
		return fmt.Errorf("has the augmentation %.20q, whose size is not known", augmentation)
	}
	c.augmented = true
	block := r.bytes(r.uleb())
	if r.short {
		return errCFIShort
	}
	// With the place kept, since pointers can be relative to it.
	data := cfiReader{data: r.data[:r.at], at: r.at - len(block)}
	for _, letter := range letters {
		switch letter {
		case 'R':
			c.encoding = data.u8()
		case 'L': // how its functions encode the pointer to what the language needs
			data.u8()
		case 'P': // the language's own routine, of which only the size matters
			encoding := data.u8()
			if encoding&0x70 == pointerAligned {
				data.bytes(-(s.bases.section + uint64(data.at)) & (wordSize - 1))
			}
			if _, err := data.plainPointer(encoding); err != nil {
				return err
			}
		case 'S':
			c.signal = true
		default:
			return fmt.Errorf("has the augmentation %.20q, which is not known", augmentation)
		}
	}
	return data.err()
}

// setInitial runs the steps of a CIE, which set the rules that its functions begin with.
func (s *frameSection) setInitial(c *cie, r *cfiReader) error {
	m := cfiMachine{r: *r, section: s, cie: c}
	m.rule.signal = c.signal
	for m.r.left() > 0 {
		advance, err := m.step()
		if err != nil {
			return err
		}
		if advance {
			return errors.New("moves on, which only a function can")
		}
	}
	c.initial = m.state
	return nil
}

// A functionEntry is what an FDE says: the addresses [start, start+size), and the reader
// of its steps.
type functionEntry struct {
	cie         *cie
	start, size uint64
	steps       cfiReader
}

// readFDE reads the entry of a function.
func (s *frameSection) readFDE(e frameEntry) (functionEntry, error) {
	c, err := s.cieOf(e)
	if err != nil {
		return functionEntry{}, err
	}
	f := functionEntry{cie: c, steps: e.body}
	r := &f.steps
	if f.start, err = r.pointer(c.encoding, s.bases); err != nil {
		return f, err
	}
	// The size has the encoding's width, and is relative to nothing.
	if f.size, err = r.plainPointer(c.encoding); err != nil {
		return f, err
	}
	if f.size > math.MaxUint64-f.start {
		return f, fmt.Errorf("is of a function of %#x bytes at %#x, beyond all addresses", f.size, f.start)
	}
	if c.augmented {
		r.bytes(r.uleb())
	}
	return f, r.err()
}
