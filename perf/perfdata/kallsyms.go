package perfdata

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"math"
)

// kernelSymbols are the functions of a running kernel and its modules.
type kernelSymbols struct {
	table *symbolTable
	// modules holds for each symbol the module, as [nf_tables]; "" is the kernel itself.
	modules []string
}

// maxSymbolLine is longer than any line of a table of symbols as text: names of the kernel
// are of at most 512 bytes, those of JIT compilers of a few thousand.
const maxSymbolLine = 1 << 20

// readKallsyms reads what /proc/kallsyms holds, see proc(5): address, type, name and, in
// brackets, the module. Only code is kept. When all addresses are zero, the kernel hides
// them from who reads (kernel.kptr_restrict), and the error says so.
func readKallsyms(r io.Reader) (*kernelSymbols, error) {
	var all []symbol
	names := map[string]string{} // modules: each name once
	moduleOf := map[uint64]string{}
	var text []byte
	var ends []int
	lines, hidden := 0, 0
	err := symbolLines(r, func(line []byte) error {
		lines++
		address, rest, ok := cutHex(line)
		if !ok || len(rest) < 3 || rest[1] != ' ' {
			return errors.New("no address, type and name")
		}
		if address == 0 {
			hidden++
			return nil
		}
		kind := rest[0]
		// t and T are code; w and W weak symbols, of code too. The rest is data.
		if kind|0x20 != 't' && kind|0x20 != 'w' {
			return nil
		}
		name, module, _ := bytes.Cut(rest[2:], []byte{'\t'})
		if len(module) > 0 {
			m, ok := names[string(module)]
			if !ok {
				m = string(module)
				names[m] = m
			}
			moduleOf[address] = m
		}
		if bytes.HasPrefix(name, []byte("$")) {
			return nil // marks code and data of ARM
		}
		ends = append(ends, len(text)+len(name))
		text = append(text, name...)
		all = append(all, symbol{start: address, end: address, binding: bindingOf(kind)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("kallsyms: %w", err)
	}
	// The names are parts of one string: 122,000 small ones cost twice the time.
	joined, from := string(text), 0
	for i, end := range ends {
		all[i].name, from = joined[from:end], end
	}
	if lines > 0 && hidden == lines {
		return nil, errors.New("kallsyms: the kernel hides its addresses; read it as root, or set kernel.kptr_restrict=0")
	}
	k := &kernelSymbols{table: newSymbolTable(all)}
	if len(moduleOf) > 0 {
		k.modules = make([]string, len(k.table.symbols))
		for i := range k.table.symbols {
			k.modules[i] = moduleOf[k.table.symbols[i].start]
		}
		k.endModules()
	}
	return k, nil
}

// bindingOf is what the letter of a symbol says: small ones are local.
func bindingOf(kind byte) elf.SymBind {
	switch {
	case kind|0x20 == 'w':
		return elf.STB_WEAK
	case kind >= 'a':
		return elf.STB_LOCAL
	}
	return elf.STB_GLOBAL
}

// endModules lets the last function of the kernel, or of a module, end a page behind its
// begin, as perf does, and not where the next module begins.
func (k *kernelSymbols) endModules() {
	list := make([]span, len(k.table.symbols))
	for i := range k.table.symbols {
		s := &k.table.symbols[i]
		if i+1 < len(k.modules) && (k.modules[i] == "") != (k.modules[i+1] == "") {
			if end := (s.start + 2*page - 1) &^ (page - 1); end > s.start && end < s.end {
				s.end = end
			}
		}
		list[i] = span{low: s.start, high: s.end, value: int32(i)}
	}
	k.table.spans = newSpans(list)
}

// lookup returns the function around an address and its module, "" being the kernel.
func (k *kernelSymbols) lookup(addr uint64) (name, module string, start uint64, ok bool) {
	i, start, ok := k.table.spans.find(addr)
	if !ok {
		return "", "", 0, false
	}
	if k.modules != nil {
		module = k.modules[i]
	}
	return k.table.symbols[i].name, module, start, true
}

// symbolLines calls f for each line of a table of symbols as text. Its error names the line.
func symbolLines(r io.Reader, f func(line []byte) error) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), maxSymbolLine)
	n := 0
	for in.Scan() {
		n++
		if len(in.Bytes()) == 0 {
			continue
		}
		if n > maxSymbols {
			return fmt.Errorf("line %d: more than can be", n)
		}
		if err := f(in.Bytes()); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("after line %d: %w", n, err)
	}
	return nil
}

// cutHex reads a hexadecimal number and the blank behind it.
func cutHex(line []byte) (n uint64, rest []byte, ok bool) {
	for i, c := range line {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		case c == ' ' && i > 0:
			return n, line[i+1:], true
		default:
			return 0, nil, false
		}
		if n > math.MaxUint64>>4 {
			return 0, nil, false
		}
		n = n<<4 | uint64(c)
	}
	return 0, nil, false
}
