package perfdata

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"
)

// A goTable is what the runtime of Go itself knows of the functions of a program: it stands
// in every program of Go, stripped or not (runtime/symtab.go and runtime/runtime2.go of Go).
// It is safe for concurrent use.
type goTable struct {
	data                                []byte // .gopclntab
	names, units, files, pcs, functions []byte // parts of data
	count                               int    // of functions
	text                                uint64 // what offsets of code are relative to
	step                                uint64 // addresses count in steps of these
	recordSize                          int    // of a function, without what follows
	inlined                             []byte // where trees of inlined functions begin; nil: not known
}

// The marks that tables begin with, by the first release of Go that has them. Older ones
// are not read: those releases are of 2021 and before.
const (
	goMark118 = 0xfffffff0
	goMark120 = 0xfffffff1
)

// maxGoSteps bounds how much of a table of values is run through for one address.
const maxGoSteps = 1 << 20

// readGoTable reads the table of a program; nil without an error: it is not of Go.
func readGoTable(o *object) (*goTable, error) {
	name := ".gopclntab"
	if o.elf.Section(name) == nil {
		name = ".data.rel.ro.gopclntab"
	}
	data, address, err := o.section(name)
	if err != nil || data == nil {
		return nil, err
	}
	t := &goTable{data: data}
	if err := t.readHeader(o); err != nil {
		return nil, fmt.Errorf("%s: section %s: %w", o.path, name, err)
	}
	t.findModule(o, address)
	return t, nil
}

// readHeader reads what runtime.pcHeader says.
func (t *goTable) readHeader(o *object) error {
	const head = 8
	if len(t.data) < head+8*8 {
		return errShort
	}
	mark := binary.LittleEndian.Uint32(t.data)
	if o.elf.ByteOrder != binary.LittleEndian || t.data[7] != 8 {
		return fmt.Errorf("tables of Go are read for machines of 64 bits with the lowest byte first only")
	}
	switch mark {
	case goMark120:
		t.recordSize = 44
	case goMark118:
		t.recordSize = 40 // without the line where a function begins
	default:
		return fmt.Errorf("offset 0: mark %#x is not that of a table of Go 1.18 or later", mark)
	}
	t.step = uint64(t.data[6])
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(t.data[head+8*i:]) }
	count := word(0)
	t.text = word(2) // none from Go 1.26 on
	if t.text == 0 {
		if s := o.elf.Section(".text"); s != nil {
			t.text = s.Addr
		}
	}
	for i, part := range []*[]byte{&t.names, &t.units, &t.files, &t.pcs, &t.functions} {
		at := word(3 + i)
		if at > uint64(len(t.data)) {
			return fmt.Errorf("offset %#x: part %d would begin at %#x of %#x bytes", head+8*(3+i), i, at, len(t.data))
		}
		*part = t.data[at:]
	}
	if count > uint64(len(t.functions))/8 {
		return fmt.Errorf("offset %#x: %d functions do not lie in %#x bytes", head, count, len(t.functions))
	}
	t.count = int(count)
	return nil
}

// What runtime.moduledata has, in words from its begin. It is there from Go 1.20 on.
const (
	moduleText   = 22
	moduleGoFunc = 40
	moduleWords  = 42
)

// findModule looks for the runtime.moduledata of the program: it begins with the address of
// the table, and then that of the names. It knows where code begins, and where the trees of
// inlined functions are. Without it, those are left out.
func (t *goTable) findModule(o *object, address uint64) {
	names := address + uint64(len(t.data)-len(t.names))
	for _, s := range o.elf.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Flags&elf.SHF_EXECINSTR != 0 || s.Type == elf.SHT_NOBITS {
			continue
		}
		data, err := o.sectionData(s)
		if err != nil {
			continue // it is not the one, or the names have to do
		}
		if m := moduleIn(data, address, names); m != nil {
			t.useModule(o, m)
			return
		}
	}
	if m := moduleInRelocations(o, address, names); m != nil {
		t.useModule(o, m)
	}
}

// moduleIn finds the two addresses in a section, and returns the words that begin there.
func moduleIn(data []byte, first, second uint64) []uint64 {
	var want [16]byte
	binary.LittleEndian.PutUint64(want[:], first)
	binary.LittleEndian.PutUint64(want[8:], second)
	at := bytes.Index(data, want[:])
	if at < 0 || len(data)-at < 8*moduleWords {
		return nil
	}
	words := make([]uint64, moduleWords)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(data[at+8*i:])
	}
	return words
}

// moduleInRelocations does the same where the words are only written when the program is
// loaded, at any address: their values stand in .rela.dyn then.
func moduleInRelocations(o *object, first, second uint64) []uint64 {
	data, _, err := o.section(".rela.dyn")
	if err != nil || o.elf.Machine != elf.EM_X86_64 {
		return nil
	}
	addends := map[uint64]uint64{}
	var begins []uint64
	for ; len(data) >= 24; data = data[24:] {
		if elf.R_X86_64(binary.LittleEndian.Uint64(data[8:])) != elf.R_X86_64_RELATIVE {
			continue
		}
		place, value := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[16:])
		addends[place] = value
		if value == first {
			begins = append(begins, place)
		}
	}
	i := slices.IndexFunc(begins, func(place uint64) bool { return addends[place+8] == second })
	if i < 0 {
		return nil
	}
	words := make([]uint64, moduleWords)
	for j := range words {
		words[j] = addends[begins[i]+8*uint64(j)]
	}
	return words
}

func (t *goTable) useModule(o *object, words []uint64) {
	if text := words[moduleText]; text != 0 {
		t.text = text
	}
	if t.recordSize != 44 {
		return // the trees look different before Go 1.20
	}
	at := words[moduleGoFunc]
	for _, s := range o.elf.Sections {
		if s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_ALLOC == 0 || at < s.Addr || at-s.Addr >= s.Size {
			continue
		}
		if data, err := o.sectionData(s); err == nil && at-s.Addr < uint64(len(data)) {
			t.inlined = data[at-s.Addr:]
		}
	}
}

// A goFunction is a runtime._func.
type goFunction struct {
	entry  uint64
	record []byte // with what follows it
}

func (f goFunction) word(i int) uint32 { return binary.LittleEndian.Uint32(f.record[4*i:]) }

// entry is where a function begins; behind the last one, where the code ends.
func (t *goTable) entry(i int) uint64 {
	if 8*i+4 > len(t.functions) {
		return math.MaxUint64
	}
	return t.text + uint64(binary.LittleEndian.Uint32(t.functions[8*i:]))
}

// function finds the function around an address. The last entry of the table says where
// the code ends.
func (t *goTable) function(addr uint64) (goFunction, bool) {
	i := sort.Search(t.count, func(i int) bool { return t.entry(i) > addr }) - 1
	if i < 0 || addr >= t.entry(i+1) {
		return goFunction{}, false
	}
	at := uint64(binary.LittleEndian.Uint32(t.functions[8*i+4:]))
	if at+uint64(t.recordSize) > uint64(len(t.functions)) {
		return goFunction{}, false
	}
	return goFunction{t.entry(i), t.functions[at:]}, true
}

// The words of runtime._func that are used here, and the numbers of its tables
// (internal/abi/symtab.go of Go).
const (
	goFuncName      = 1
	goFuncFiles     = 5
	goFuncLines     = 6
	goFuncTables    = 7 // how many tables of values there are
	goFuncUnit      = 8
	goFuncStart     = 9
	goTableInlined  = 2
	goDataInlined   = 3
	goInlinedSize   = 16
	maxGoInlined    = 200
	goNoData        = ^uint32(0)
	goNameInInlined = 4
)

// name is a string of the table of names.
func stringAt(data []byte, at uint64) string {
	if at >= uint64(len(data)) {
		return ""
	}
	s := data[at:min(uint64(len(data)), at+maxString)]
	end := bytes.IndexByte(s, 0)
	if end < 0 {
		return ""
	}
	return string(s[:end])
}

// value runs a table of values, of which each holds up to an address; -1: there is none.
func (t *goTable) value(table uint32, f goFunction, addr uint64) int64 {
	if table == 0 || uint64(table) >= uint64(len(t.pcs)) {
		return -1
	}
	b := dwarfBuffer{data: t.pcs[table:]}
	value, pc := int64(-1), f.entry
	for first := true; !b.short && b.pos < maxGoSteps; first = false {
		delta := b.uleb()
		if delta == 0 && !first {
			return -1
		}
		value += int64(delta>>1) ^ -int64(delta&1)
		if pc += b.uleb() * t.step; addr < pc {
			return value
		}
	}
	return -1
}

// place is the file and the line of an address.
func (t *goTable) place(f goFunction, addr uint64) (file string, line int) {
	if n := t.value(f.word(goFuncFiles), f, addr); n >= 0 {
		at := 4 * (uint64(f.word(goFuncUnit)) + uint64(n))
		if at+4 <= uint64(len(t.units)) {
			file = stringAt(t.files, uint64(binary.LittleEndian.Uint32(t.units[at:])))
		}
	}
	return file, lineNumber(uint64(max(t.value(f.word(goFuncLines), f, addr), 0)))
}

// tree is where the functions that are inlined into one stand; nil: there are none.
func (t *goTable) tree(f goFunction) (tree []byte, table uint32) {
	if t.inlined == nil {
		return nil, 0
	}
	tables, count := uint64(f.word(goFuncTables)), uint64(f.record[t.recordSize-1])
	end := uint64(t.recordSize) + 4*(tables+count)
	if tables <= goTableInlined || count <= goDataInlined || end > uint64(len(f.record)) {
		return nil, 0
	}
	word := func(i uint64) uint32 {
		return binary.LittleEndian.Uint32(f.record[uint64(t.recordSize)+4*i:])
	}
	at := word(tables + goDataInlined)
	if at == goNoData || uint64(at) >= uint64(len(t.inlined)) {
		return nil, 0
	}
	return t.inlined[at:], word(goTableInlined)
}

// frames appends the functions at an address, the innermost first.
func (t *goTable) frames(addr uint64, into []Frame) []Frame {
	f, ok := t.function(addr)
	if !ok {
		return into
	}
	tree, table := t.tree(f)
	for n := 0; tree != nil && n < maxGoInlined; n++ {
		i := t.value(table, f, addr)
		if i < 0 || uint64(i+1)*goInlinedSize > uint64(len(tree)) {
			break
		}
		call := tree[i*goInlinedSize:]
		frame := Frame{Inlined: true, Start: lineNumber(uint64(binary.LittleEndian.Uint32(call[12:])))}
		frame.Symbol = stringAt(t.names, uint64(binary.LittleEndian.Uint32(call[goNameInInlined:])))
		frame.Name = frame.Symbol
		frame.File, frame.Line = t.place(f, addr)
		into = append(into, frame)
		addr = f.entry + uint64(binary.LittleEndian.Uint32(call[8:]))
	}
	frame := Frame{Symbol: stringAt(t.names, uint64(f.word(goFuncName)))}
	frame.Name = frame.Symbol
	frame.File, frame.Line = t.place(f, addr)
	if t.recordSize == 44 {
		frame.Start = lineNumber(uint64(f.word(goFuncStart)))
	}
	return append(into, frame)
}
