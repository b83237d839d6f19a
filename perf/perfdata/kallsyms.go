package perfdata

import (
	"bufio"
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// kernelSymbols are the functions of a running kernel and its modules. Of more than a
// hundred thousand a recording has some hundred, so their lines stay as the kernel writes
// them, and only of what is looked up a name is made.
type kernelSymbols struct {
	text []byte       // the lines of functions, behind their addresses
	code []kernelLine // by address
}

// A kernelLine is where in the text the line of a function begins.
type kernelLine struct {
	address uint64
	at      uint32
}

// maxSymbolLine is longer than any line of a table of symbols as text: names of the kernel
// are of at most 512 bytes, those of JIT compilers of a few thousand.
const maxSymbolLine = 1 << 20

// maxKallsyms bounds the lines that are kept. A distribution's kernel with all it loads has
// some ten megabytes.
const maxKallsyms = 1 << 28

// readKallsyms reads what /proc/kallsyms holds, see proc(5): address, type, name and, in
// brackets, the module. Only code is kept. When all addresses are zero, the kernel hides
// them from who reads (kernel.kptr_restrict), and the error says so.
// room is how long the text may be, for the kernel does not say; else it grows by copying.
func readKallsyms(r io.Reader, room int) (*kernelSymbols, error) {
	k := &kernelSymbols{text: make([]byte, 0, room), code: make([]kernelLine, 0, room/32)}
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
		// t and T are code; w and W weak symbols, of code too. The rest is data. A $ marks
		// code and data of ARM.
		if kind := rest[0] | 0x20; (kind == 't' || kind == 'w') && rest[2] != '$' {
			if len(k.text) > maxKallsyms {
				return fmt.Errorf("there are more than %d bytes of functions, more than any kernel has", maxKallsyms)
			}
			k.code = append(k.code, kernelLine{address, uint32(len(k.text))})
			k.text = append(append(k.text, rest...), '\n')
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("kallsyms: %w", err)
	}
	if lines > 0 && hidden == lines {
		return nil, errors.New("kallsyms: the kernel hides its addresses; read it as root, or set kernel.kptr_restrict=0")
	}
	byAddress := func(a, b kernelLine) int {
		return cmp.Or(cmp.Compare(a.address, b.address), cmp.Compare(a.at, b.at))
	}
	if !slices.IsSortedFunc(k.code, byAddress) { // modules are listed as they were loaded
		slices.SortFunc(k.code, byAddress)
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

// lookup returns the function around an address and its module, "" being the kernel.
func (k *kernelSymbols) lookup(addr uint64) (name, module string, start uint64, ok bool) {
	i, exact := k.search(addr)
	if !exact && i == 0 {
		return "", "", 0, false
	}
	if !exact {
		start = k.code[i-1].address
		i, _ = k.search(start)
	} else {
		start = addr
	}
	name, module, next := k.function(i)
	if addr >= k.end(start, module, next) {
		return "", "", 0, false
	}
	return name, module, start, true
}

// search finds the first line of an address, or else where it would stand.
func (k *kernelSymbols) search(addr uint64) (int, bool) {
	return slices.BinarySearchFunc(k.code, addr, func(l kernelLine, addr uint64) int { return cmp.Compare(l.address, addr) })
}

// function is what the lines of one address are of, of which line i is the first; next is
// the first line behind them.
func (k *kernelSymbols) function(i int) (name, module string, next int) {
	var best symbol
	for next = i; next < len(k.code) && k.code[next].address == k.code[i].address; next++ {
		s, m := k.symbol(next)
		if m != "" {
			module = m
		}
		if next == i || better(s, best) {
			best = s
		}
	}
	return best.name, module, next
}

// symbol takes a line apart.
func (k *kernelSymbols) symbol(i int) (s symbol, module string) {
	line, _, _ := bytes.Cut(k.text[k.code[i].at:], []byte{'\n'})
	name, in, _ := bytes.Cut(line[2:], []byte{'\t'})
	return symbol{name: string(name), start: k.code[i].address, end: k.code[i].address, binding: bindingOf(line[0])}, string(in)
}

// end is where a function ends: where the next one begins, but the last one of the kernel,
// or of its modules, a page behind its begin, as perf has it.
func (k *kernelSymbols) end(start uint64, module string, next int) uint64 {
	if next == len(k.code) {
		return start&^(page-1) + 2*page
	}
	end := k.code[next].address
	if _, after, _ := k.function(next); (module == "") != (after == "") {
		if limit := (start + 2*page - 1) &^ (page - 1); limit > start {
			return min(end, limit)
		}
	}
	return end
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
