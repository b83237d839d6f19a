package perfdata

import (
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A symbol is a function as a symbol table has it.
type symbol struct {
	name       string // as the linker knows it
	start, end uint64
	binding    elf.SymBind
}

// A symbolTable finds the symbol around an address.
type symbolTable struct {
	symbols []symbol
	spans   spans
}

// maxSymbols bounds a table of symbols: spans count in 31 bits.
const maxSymbols = 1 << 28

// newSymbolTable keeps one symbol of those that begin at the same address, and gives each
// that has no size one that ends where the next begins. It takes the slice over.
func newSymbolTable(all []symbol) *symbolTable {
	if byStart := func(a, b symbol) int { return cmp.Compare(a.start, b.start) }; !slices.IsSortedFunc(all, byStart) {
		slices.SortStableFunc(all, byStart)
	}
	kept := all[:0]
	for _, s := range all {
		if n := len(kept); n > 0 && kept[n-1].start == s.start {
			if better(s, kept[n-1]) {
				kept[n-1] = s
			}
			continue
		}
		kept = append(kept, s)
	}
	t := &symbolTable{symbols: kept}
	list := make([]span, len(kept))
	for i := range kept {
		s := &kept[i]
		switch {
		case s.end > s.start:
		case i+1 < len(kept):
			s.end = kept[i+1].start
		default:
			s.end = s.start&^(page-1) + 2*page
		}
		list[i] = span{low: s.start, high: s.end, value: int32(i)}
	}
	t.spans = newSpans(list)
	return t
}

// page is the size of a page, to whose end perf takes a last symbol without a size.
const page = 4096

// better reports whether perf would call the function b rather than a, both being symbols
// of one address (its choose_best_symbol): a size, then strong before weak, then global,
// then the fewest underscores before the name, then the longest name; then the first.
func better(b, a symbol) bool {
	if x, y := b.end > b.start, a.end > a.start; x != y {
		return x
	}
	if x, y := b.binding == elf.STB_WEAK, a.binding == elf.STB_WEAK; x != y {
		return y
	}
	if x, y := b.binding == elf.STB_GLOBAL, a.binding == elf.STB_GLOBAL; x != y {
		return x
	}
	x, y := demangleName(b.name), demangleName(a.name)
	if p, q := underscores(x), underscores(y); p != q {
		return p < q
	}
	// The entries of a system call for programs of 64 bits and of 32 can be one; rules for
	// where time goes know it by the former.
	const compat = "__ia32_"
	if p, q := strings.HasPrefix(b.name, compat), strings.HasPrefix(a.name, compat); p != q {
		return q
	}
	return len(x) > len(y)
}

func underscores(name string) int { return len(name) - len(strings.TrimLeft(name, "_")) }

func (t *symbolTable) lookup(addr uint64) (symbol, bool) {
	i, _, ok := t.spans.find(addr)
	if !ok {
		return symbol{}, false
	}
	return t.symbols[i], true
}

// readSymbols appends the functions of a section of symbols, .symtab or .dynsym. Without
// such a section there are none.
func readSymbols(o *object, section string, into []symbol) ([]symbol, error) {
	raw, err := readRawSymbols(o, section)
	if err != nil {
		return into, err
	}
	for _, r := range raw {
		if s, ok := functionSymbol(o, r); ok {
			into = append(into, s)
		}
	}
	return into, nil
}

// rawSymbol is an Elf64_Sym, with its name looked up.
type rawSymbol struct {
	name        string
	kind        elf.SymType
	binding     elf.SymBind
	section     elf.SectionIndex
	value, size uint64
}

// readRawSymbols reads all symbols of a section but the first, which is none by
// definition; so symbol i of a relocation stands at i-1.
func readRawSymbols(o *object, section string) ([]rawSymbol, error) {
	s := o.elf.Section(section)
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil, nil
	}
	data, err := o.sectionData(s)
	if err != nil {
		return nil, fmt.Errorf("%s: section %s: %w", o.path, section, err)
	}
	if int(s.Link) >= len(o.elf.Sections) {
		return nil, fmt.Errorf("%s: section %s: its names stand in section %d of %d", o.path, section, s.Link, len(o.elf.Sections))
	}
	table, err := o.sectionData(o.elf.Sections[s.Link])
	if err != nil {
		return nil, fmt.Errorf("%s: the names of section %s: %w", o.path, section, err)
	}
	size := elf.Sym64Size
	if o.elf.Class == elf.ELFCLASS32 {
		size = elf.Sym32Size
	}
	if len(data)/size > maxSymbols {
		return nil, fmt.Errorf("%s: section %s: more than %d symbols", o.path, section, maxSymbols)
	}
	if len(data) < size {
		return nil, nil
	}
	names := string(table)
	out := make([]rawSymbol, 0, len(data)/size)
	budget := nameBudget(len(names))
	for data = data[size:]; len(data) >= size; data = data[size:] {
		r := decodeSymbol(o, data, names)
		if budget -= len(r.name); budget < 0 {
			return nil, fmt.Errorf("%s: section %s: the names of its first %d symbols have far more bytes than the table of names, which has %d: none is read", o.path, section, len(out)+1, len(names))
		}
		out = append(out, r)
	}
	return out, nil
}

// nameBudget bounds what all names of a section have together: symbols may share names, and
// do, but in a file where all have one without an end, looking for it would take for ever.
func nameBudget(table int) int { return 64*table + 1<<20 }

func decodeSymbol(o *object, data []byte, names string) rawSymbol {
	order := o.elf.ByteOrder
	name := order.Uint32(data)
	var r rawSymbol
	var info byte
	if o.elf.Class == elf.ELFCLASS32 {
		info, r.section = data[12], elf.SectionIndex(order.Uint16(data[14:]))
		r.value, r.size = uint64(order.Uint32(data[4:])), uint64(order.Uint32(data[8:]))
	} else {
		info, r.section = data[4], elf.SectionIndex(order.Uint16(data[6:]))
		r.value, r.size = order.Uint64(data[8:]), order.Uint64(data[16:])
	}
	r.kind, r.binding = elf.ST_TYPE(info), elf.ST_BIND(info)
	if uint64(name) < uint64(len(names)) {
		r.name, _, _ = strings.Cut(names[name:], "\x00")
	}
	return r
}

// functionSymbol takes what names code: functions, and labels of assembly.
func functionSymbol(o *object, r rawSymbol) (symbol, bool) {
	switch r.kind {
	case elf.STT_FUNC, elf.STT_GNU_IFUNC, elf.STT_NOTYPE, elf.STT_OBJECT:
	default:
		return symbol{}, false
	}
	if r.name == "" || r.section == elf.SHN_UNDEF || int(r.section) >= len(o.elf.Sections) || strings.HasPrefix(r.name, ".L") {
		return symbol{}, false
	}
	s := o.elf.Sections[r.section]
	if s.Flags&elf.SHF_EXECINSTR == 0 || r.size == 0 && r.value-s.Addr >= s.Size {
		return symbol{}, false // no code, or a mark of where it ends
	}
	end := r.value + r.size
	if end < r.value {
		end = r.value
	}
	return symbol{name: r.name, start: r.value, end: end, binding: r.binding}, true
}

// pltSymbols names the stubs of the procedure linkage table after what they call, as perf
// does: malloc@plt. Each stub jumps through a slot that a relocation names.
func pltSymbols(o *object) ([]symbol, error) {
	if o.elf.Machine != elf.EM_X86_64 {
		return nil, nil
	}
	slots, err := pltSlots(o)
	if err != nil || len(slots) == 0 {
		return nil, err
	}
	var out []symbol
	read := uint64(0)
	for _, s := range o.elf.Sections {
		if s.Flags&elf.SHF_EXECINSTR == 0 || s.Type == elf.SHT_NOBITS || !strings.HasPrefix(s.Name, ".plt") {
			continue
		}
		if read += s.FileSize; read > maxStubs {
			return nil, fmt.Errorf("%s: section %s: with it there are %#x bytes of stubs, more than the %#x that are read", o.path, s.Name, read, maxStubs)
		}
		data, err := o.sectionData(s)
		if err != nil {
			return nil, fmt.Errorf("%s: section %s: %w", o.path, s.Name, err)
		}
		out = append(out, stubs(data, s.Addr, slots)...)
	}
	return out, nil
}

// maxStubs bounds the stubs of an object, of which each has 8 bytes at least: sections can
// lie over one another. The largest libraries have some hundred kilobytes.
const maxStubs = 16 << 20

// stubs finds the stubs in a section: each begins at 8 or 16 bytes, perhaps with endbr64,
// and jumps by jmp *slot(%rip), perhaps with a bnd prefix. The first stub of .plt, which
// calls the dynamic linker, pushes before it jumps, and so is none of these.
func stubs(data []byte, address uint64, slots map[uint64]string) []symbol {
	endbr := []byte{0xf3, 0x0f, 0x1e, 0xfa}
	var out []symbol
	for at := 0; at+8 <= len(data); at += 8 {
		code := bytes.TrimPrefix(data[at:min(at+16, len(data))], endbr)
		code = bytes.TrimPrefix(code, []byte{0xf2})
		if len(code) < 6 || code[0] != 0xff || code[1] != 0x25 {
			continue
		}
		next := address + uint64(min(at+16, len(data))-len(code)) + 6
		if len(data)-at >= 16 {
			next = address + uint64(at+16-len(code)) + 6
		}
		displacement := int32(uint32(code[2]) | uint32(code[3])<<8 | uint32(code[4])<<16 | uint32(code[5])<<24)
		name, ok := slots[next+uint64(int64(displacement))]
		if !ok {
			continue
		}
		start := address + uint64(at)
		if n := len(out); n > 0 && out[n-1].end > start {
			out[n-1].end = start // a table of short stubs
		}
		out = append(out, symbol{name: name + pltSuffix, start: start, end: start + 16, binding: elf.STB_GLOBAL})
	}
	return out
}

// pltSuffix marks the name of a stub.
const pltSuffix = "@plt"

// pltSlots are the places that the dynamic linker fills with the address of a function, by
// address.
func pltSlots(o *object) (map[uint64]string, error) {
	symbols, err := readRawSymbols(o, ".dynsym")
	if err != nil || len(symbols) == 0 {
		return nil, err
	}
	slots := map[uint64]string{}
	for _, section := range []string{".rela.plt", ".rela.dyn"} {
		data, _, err := o.section(section)
		if err != nil {
			return nil, err
		}
		for ; len(data) >= 24; data = data[24:] {
			info := o.elf.ByteOrder.Uint64(data[8:])
			kind := elf.R_X86_64(info & 0xffffffff)
			index := info >> 32
			if kind != elf.R_X86_64_JMP_SLOT && kind != elf.R_X86_64_GLOB_DAT || index == 0 || index > uint64(len(symbols)) {
				continue
			}
			slots[o.elf.ByteOrder.Uint64(data)] = symbols[index-1].name
		}
	}
	return slots, nil
}

// readTable makes the table of an object: from its separate debug file where it has one
// with symbols, from its own tables, and from its stubs. What cannot be read is left out,
// and the error says why.
func readTable(o, debug *object) (*symbolTable, error) {
	var all []symbol
	var errs []error
	read := func(o *object, section string) {
		var err error
		if all, err = readSymbols(o, section, all); err != nil {
			errs = append(errs, err)
		}
	}
	if debug != nil {
		read(debug, ".symtab")
	}
	if len(all) == 0 {
		read(o, ".symtab")
	}
	read(o, ".dynsym")
	plt, err := pltSymbols(o)
	if err != nil {
		errs = append(errs, err)
	}
	return newSymbolTable(append(all, plt...)), errors.Join(errs...)
}
