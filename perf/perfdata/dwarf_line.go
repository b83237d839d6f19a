package perfdata

import (
	"path"
	"slices"
	"strings"
	"sync"
)

// A lineTable says which line of the source an address comes from. Of the table, which is a
// program that makes its rows, only every 16th row is kept; a search runs the program on
// from there. So it takes a fraction of a byte for each row beside the program.
type lineTable struct {
	unit    *dwarfUnit
	format  dwarfFormat
	begin   uint64 // of the program in .debug_line
	program []byte

	minInstruction, maxOperations uint64
	lineBase                      int8
	lineRange, opcodeBase         uint8
	lengths                       []byte // of the operands of standard operations

	dirs  []dwarfValue
	files []lineFile
	first uint64 // the number of the first directory and file

	marks     []lineMark
	sequences []lineSequence
	spans     spans // of the sequences

	mu    sync.Mutex
	paths map[uint64]string
}

type lineFile struct {
	name dwarfValue
	dir  uint64
}

// What a file and a directory take in memory, without their names.
const (
	lineFileSize   = 24
	dwarfValueSize = 16
)

// A lineMark is a row, and where the program goes on behind it.
type lineMark struct {
	address uint64
	pos     uint32
	file    uint32
	line    uint32
}

// A lineSequence is a run of rows whose addresses rise: the marks from begin to end.
type lineSequence struct{ begin, end int }

// markEvery is how many rows lie between marks.
const markEvery = 16

// lineTable reads the unit's table of lines. A unit without one has an empty table.
func (c *unitContent) lineTable() *lineTable {
	c.lineOnce.Do(func() {
		u := c.unit
		c.lines = &lineTable{unit: u, paths: map[uint64]string{}}
		if u.bases.lines.form == 0 {
			return
		}
		if err := c.lines.read(u.bases.lines.n); err != nil {
			u.data.fault(err)
		}
		c.lines.run()
	})
	return c.lines
}

// read reads the header of a table (DWARF 5, section 6.2.4).
func (t *lineTable) read(offset uint64) error {
	s := t.unit.data.line
	head, err := s.upTo(offset, 12)
	if err != nil {
		return err
	}
	b := &dwarfBuffer{data: head}
	n, offsetSize := b.length()
	begin := offset + uint64(b.pos)
	if b.short || n > s.size-min(begin, s.size) || n > 1<<31 {
		return s.errorf(offset, "a table of %#x bytes does not lie in a section of %#x", n, s.size)
	}
	if err := t.unit.data.spend(n); err != nil {
		return err
	}
	data, err := s.read(begin, n)
	if err != nil {
		return err
	}
	b = &dwarfBuffer{data: data}
	t.format = dwarfFormat{version: uint8(min(b.uint(2), 0xff)), addressSize: t.unit.format.addressSize, offsetSize: uint8(offsetSize)}
	if v := t.format.version; v < 2 || v > 5 {
		return s.errorf(offset, "tables of lines of version %d are not read", v)
	}
	if t.format.version >= 5 {
		t.format.addressSize = b.u8()
		b.u8() // segments
	}
	header := b.uint(offsetSize)
	program := uint64(b.pos) + header
	t.minInstruction, t.maxOperations = uint64(b.u8()), 1
	if t.format.version >= 4 {
		t.maxOperations = uint64(b.u8())
	}
	b.u8() // whether rows are statements to begin with
	t.lineBase, t.lineRange, t.opcodeBase = int8(b.u8()), b.u8(), b.u8()
	for range max(t.opcodeBase, 1) - 1 {
		t.lengths = append(t.lengths, b.u8())
	}
	if b.short || t.lineRange == 0 || t.maxOperations == 0 || program > n {
		return s.errorf(offset, "the header of a table of lines makes no sense")
	}
	b.data = data[:program]
	known := true
	if t.format.version >= 5 {
		known = t.readFiles5(b, begin)
	} else {
		t.readFiles(b, begin)
	}
	if b.short || !known {
		return s.errorf(offset, "the names of files in a table of lines are cut off, or have a form that is not known")
	}
	if err := t.unit.data.keep(len(data) + lineFileSize*len(t.files) + dwarfValueSize*len(t.dirs)); err != nil {
		t.files, t.dirs = nil, nil
		return err
	}
	t.begin, t.program = begin+program, data[program:]
	return nil
}

// readFiles reads directories and files as they were before DWARF 5: directory 0 is that of
// the unit, file 1 the first.
func (t *lineTable) readFiles(b *dwarfBuffer, begin uint64) {
	t.first = 1
	t.dirs = []dwarfValue{{}}
	for b.pos < len(b.data) && b.data[b.pos] != 0 {
		v, _ := t.format.value(b, formString, 0, begin)
		t.dirs = append(t.dirs, v)
	}
	b.u8()
	for b.pos < len(b.data) && b.data[b.pos] != 0 {
		t.readFile(b, begin)
	}
}

func (t *lineTable) readFile(b *dwarfBuffer, begin uint64) {
	v, _ := t.format.value(b, formString, 0, begin)
	f := lineFile{name: v, dir: b.uleb()}
	b.uleb() // time
	b.uleb() // length
	t.files = append(t.files, f)
}

// What an entry of a directory or file can hold (DWARF 5, section 7.22).
const (
	contentPath = 1
	contentDir  = 2
)

// readFiles5 reads directories and files of DWARF 5, which say what they consist of.
func (t *lineTable) readFiles5(b *dwarfBuffer, begin uint64) bool {
	dirs, ok := t.readList(b, begin)
	if !ok {
		return false
	}
	for _, d := range dirs {
		t.dirs = append(t.dirs, d.name)
	}
	t.files, ok = t.readList(b, begin)
	return ok
}

func (t *lineTable) readList(b *dwarfBuffer, begin uint64) (list []lineFile, ok bool) {
	type field struct{ content, form uint64 }
	var fields []field
	for range b.u8() {
		fields = append(fields, field{b.uleb(), b.uleb()})
	}
	n := b.uleb()
	if n > uint64(len(b.data)) {
		return nil, false // each takes a byte at least
	}
	for range n {
		at := b.pos
		var f lineFile
		for _, x := range fields {
			v, ok := t.format.value(b, uint16(min(x.form, 0xffff)), 0, begin)
			if !ok {
				return nil, false
			}
			switch x.content {
			case contentPath:
				f.name = v
			case contentDir:
				f.dir = v.n
			}
		}
		if b.pos == at || b.short {
			return nil, false
		}
		list = append(list, f)
	}
	return list, true
}

// file is the path of a file of the unit; "" where there is none with the number.
func (t *lineTable) file(number uint64) string {
	if number < t.first || number-t.first >= uint64(len(t.files)) {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.paths[number]
	if !ok {
		p = t.pathOf(t.files[number-t.first])
		if err := t.unit.data.keep(nameSize + len(p)); err != nil {
			t.unit.data.fault(err)
			return ""
		}
		t.paths[number] = p
	}
	return p
}

// pathOf joins a file, its directory, and that of the unit, as far as they are relative.
func (t *lineTable) pathOf(f lineFile) string {
	p := t.string(f.name)
	if p == "" || isAbsolute(p) {
		return p
	}
	if f.dir < uint64(len(t.dirs)) {
		p = joinPath(t.string(t.dirs[f.dir]), p)
	}
	if isAbsolute(p) {
		return p
	}
	dir, err := t.unit.string(t.unit.bases.dirRef)
	t.unit.data.fault(err)
	return joinPath(dir, p)
}

// string resolves a name of the table.
func (t *lineTable) string(v dwarfValue) (s string) {
	var err error
	if v.form == formString {
		s, err = t.unit.data.line.string(v.n)
	} else {
		s, err = t.unit.string(v)
	}
	t.unit.data.fault(err)
	return s
}

// isAbsolute takes paths of Windows too: programs are built there for elsewhere.
func isAbsolute(p string) bool {
	return strings.HasPrefix(p, "/") || len(p) > 2 && p[1] == ':' && (p[2] == '/' || p[2] == '\\')
}

// joinPath goes up for each .. of the second path, as long as the first has where to go.
func joinPath(dir, p string) string {
	if dir == "" || dir == "." {
		return p
	}
	if strings.Contains(p, "..") || strings.Contains(dir, "..") {
		return path.Join(dir, p)
	}
	return strings.TrimSuffix(dir, "/") + "/" + p
}

// A lineState is the machine that the program runs on.
type lineState struct {
	b          dwarfBuffer
	address    uint64
	operation  uint64
	file, line uint64
}

// The operations of the program (DWARF 5, section 7.22).
const (
	lnsCopy             = 1
	lnsAdvancePC        = 2
	lnsAdvanceLine      = 3
	lnsSetFile          = 4
	lnsConstAddPC       = 8
	lnsFixedAdvancePC   = 9
	lneEndSequence      = 1
	lneSetAddress       = 2
	standardOperations  = 12
	extendedOperation   = 0
	firstFile, firstRow = 1, 1
)

// A lineEvent is what running the program on has led to.
type lineEvent int

const (
	lineNone lineEvent = iota
	lineRow
	lineEnd // of a sequence; its address is where the last row ends
)

// step runs one operation.
func (t *lineTable) step(s *lineState) lineEvent {
	op := s.b.u8()
	if op >= t.opcodeBase {
		op -= t.opcodeBase
		t.advance(s, uint64(op/t.lineRange))
		s.line += uint64(int64(t.lineBase) + int64(op%t.lineRange))
		return lineRow
	}
	if op == extendedOperation {
		return t.extended(s)
	}
	if op > standardOperations {
		for range t.lengths[op-1] {
			s.b.uleb()
		}
		return lineNone
	}
	switch op {
	case lnsCopy:
		return lineRow
	case lnsAdvancePC:
		t.advance(s, s.b.uleb())
	case lnsAdvanceLine:
		s.line += uint64(s.b.sleb())
	case lnsSetFile:
		s.file = s.b.uleb()
	case lnsConstAddPC:
		t.advance(s, uint64((255-t.opcodeBase)/t.lineRange))
	case lnsFixedAdvancePC:
		s.address += s.b.uint(2)
		s.operation = 0
	default: // of columns, statements, blocks: with the operands that it says
		for range t.lengths[op-1] {
			s.b.uleb()
		}
	}
	return lineNone
}

// advance goes on by operations: by instructions, but on machines of very long ones.
func (t *lineTable) advance(s *lineState, n uint64) {
	if t.maxOperations == 1 {
		s.address += t.minInstruction * n
		return
	}
	n += s.operation
	s.address += t.minInstruction * (n / t.maxOperations)
	s.operation = n % t.maxOperations
}

func (t *lineTable) extended(s *lineState) lineEvent {
	n := s.b.uleb()
	if n == 0 {
		return lineNone
	}
	op := s.b.u8()
	if op == lneSetAddress {
		size := min(n-1, 8)
		s.address, s.operation = s.b.uint(int(size)), 0
		s.b.skip(n - 1 - size)
		return lineNone
	}
	s.b.skip(n - 1)
	if op == lneEndSequence {
		return lineEnd
	}
	return lineNone
}

// run runs the program once, and leaves marks.
func (t *lineTable) run() {
	s := lineState{b: dwarfBuffer{data: t.program}, file: firstFile, line: firstRow}
	var list []span
	rows, first := 0, 0
	for s.b.pos < len(s.b.data) {
		event := t.step(&s)
		if s.b.short {
			t.unit.data.fault(t.unit.data.line.errorf(t.begin, "the program of a table of lines is cut off"))
			break
		}
		switch event {
		case lineRow:
			if rows%markEvery == 0 {
				t.marks = append(t.marks, lineMark{s.address, uint32(s.b.pos), uint32(s.file), uint32(s.line)})
			}
			rows++
		case lineEnd:
			if rows > 0 && realRange(t.marks[first].address, s.address) {
				list = append(list, span{low: t.marks[first].address, high: s.address, value: int32(len(t.sequences))})
				t.sequences = append(t.sequences, lineSequence{first, len(t.marks)})
			}
			rows, first = 0, len(t.marks)
			s.address, s.operation, s.file, s.line = 0, 0, firstFile, firstRow
		}
	}
	t.spans = newSpans(list)
}

// find returns the file and the line that an address comes from: those of the last row that
// does not lie behind it.
func (t *lineTable) find(addr uint64) (file string, line int) {
	i, ok := t.spans.find(addr)
	if !ok {
		return "", 0
	}
	marks := t.marks[t.sequences[i].begin:t.sequences[i].end]
	at, _ := slices.BinarySearchFunc(marks, addr, func(m lineMark, addr uint64) int {
		if m.address <= addr {
			return -1
		}
		return 1
	})
	if at == 0 {
		return "", 0
	}
	m := marks[at-1]
	s := lineState{b: dwarfBuffer{data: t.program, pos: int(m.pos)}, address: m.address, file: uint64(m.file), line: uint64(m.line)}
	row := m
	for s.b.pos < len(s.b.data) {
		event := t.step(&s)
		if event == lineEnd || event == lineRow && s.address > addr || s.b.short {
			break
		}
		if event == lineRow {
			row.file, row.line = uint32(s.file), uint32(s.line)
		}
	}
	if err := t.unit.data.spend(uint64(s.b.pos) - uint64(m.pos)); err != nil {
		t.unit.data.fault(err)
		return "", 0
	}
	return t.file(uint64(row.file)), lineNumber(uint64(row.line))
}
