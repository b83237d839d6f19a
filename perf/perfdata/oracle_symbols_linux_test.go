package perfdata

import (
	"bufio"
	"bytes"
	"cmp"
	"debug/elf"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// oracleSymbols are the symbols of what was mapped, as debug/elf reads them: nothing of
// what is tested takes part. By them is settled who is right where two names differ.
type oracleSymbols struct {
	byModule map[string]*symbolList
}

func newOracleSymbols() *oracleSymbols { return &oracleSymbols{map[string]*symbolList{}} }

// A symbolList is the symbols of a module, by where they begin.
type symbolList struct {
	all []oracleSymbol
	// longest bounds how far before an address those begin which cover it.
	longest uint64
}

type oracleSymbol struct {
	name       string
	start, end uint64
}

// of reads the symbols of a module, once.
func (o *oracleSymbols) of(module string) *symbolList {
	if l := o.byModule[module]; l != nil {
		return l
	}
	l := &symbolList{}
	switch {
	case module == vdsoPath:
		if f, err := ownVDSO(); err == nil {
			l.readELF(f)
			_ = f.Close()
		}
	case strings.HasPrefix(module, "["):
		l.readKernel()
	default:
		for _, path := range []string{module, strings.TrimSuffix(module, ".so") + ".debug", debugFileOf(module)} {
			if f, err := os.Open(path); err == nil {
				l.readELF(f)
				_ = f.Close()
			}
		}
	}
	l.finish()
	o.byModule[module] = l
	return l
}

// debugFileOf is where the debug file of a build lies.
func debugFileOf(path string) string {
	f, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	s := f.Section(".note.gnu.build-id")
	if s == nil {
		return ""
	}
	b, err := s.Data()
	if err != nil || len(b) < 18 {
		return ""
	}
	return buildIDPath(b[16:])
}

func (l *symbolList) readELF(r io.ReaderAt) {
	f, err := elf.NewFile(r)
	if err != nil {
		return
	}
	symbols, _ := f.Symbols()
	dynamic, _ := f.DynamicSymbols()
	for _, s := range append(symbols, dynamic...) {
		if kind := elf.ST_TYPE(s.Info); s.Section != elf.SHN_UNDEF && (kind == elf.STT_FUNC || kind == elf.STT_NOTYPE || kind == elf.STT_GNU_IFUNC) {
			l.all = append(l.all, oracleSymbol{s.Name, s.Value, s.Value + s.Size})
		}
	}
}

func (l *symbolList) readKernel() {
	data, err := os.ReadFile(kallsymsFile)
	if err != nil {
		return
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 3 {
			if address, err := strconv.ParseUint(fields[0], 16, 64); err == nil {
				l.all = append(l.all, oracleSymbol{fields[2], address, address})
			}
		}
	}
}

// finish sorts them, and gives those without a size the room up to the next one.
func (l *symbolList) finish() {
	slices.SortStableFunc(l.all, func(a, b oracleSymbol) int { return cmp.Compare(a.start, b.start) })
	next := ^uint64(0)
	for i := len(l.all) - 1; i >= 0; i-- {
		s := &l.all[i]
		if i+1 < len(l.all) && l.all[i+1].start > s.start {
			next = l.all[i+1].start
		}
		if s.end == s.start {
			s.end = next
		}
		if next != ^uint64(0) {
			l.longest = max(l.longest, s.end-s.start)
		}
	}
}

// around are the symbols that cover an address.
func (l *symbolList) around(address uint64) (out []oracleSymbol) {
	i, _ := slices.BinarySearchFunc(l.all, address, func(s oracleSymbol, a uint64) int {
		if s.start <= a {
			return -1
		}
		return 1
	})
	for i--; i >= 0 && address-l.all[i].start <= l.longest; i-- {
		if address < l.all[i].end {
			out = append(out, l.all[i])
		}
	}
	return out
}

// starts is where the symbols of a name begin that cover an address.
func (l *symbolList) starts(name string, address uint64) (out []uint64) {
	for _, s := range l.around(address) {
		if plainSymbol(s.name) == name {
			out = append(out, s.start)
		}
	}
	return out
}

// names reports whether a name is that of the function at an address of a module: a
// symbol of it covers the address, or none does, and the name says so.
func (o *oracleSymbols) names(module, name string, address uint64) bool {
	l := o.of(module)
	if name == unknownName {
		return len(l.around(address)) == 0
	}
	return len(l.starts(plainSymbol(name), address)) > 0
}

// aliases reports whether two names are of the same function around an address.
func (o *oracleSymbols) aliases(module, a, b string, address uint64) bool {
	l := o.of(module)
	starts := l.starts(plainSymbol(b), address)
	return slices.ContainsFunc(l.starts(plainSymbol(a), address), func(s uint64) bool { return slices.Contains(starts, s) })
}

// namelessPLT is what perf calls a stub whose function has no name, and what the names of
// others end with.
const namelessPLT = "@plt"

// plainSymbol is a name without its version.
func plainSymbol(name string) string {
	if i := strings.IndexByte(name, '@'); i > 0 && !strings.HasSuffix(name, pltSuffix) {
		return name[:i]
	}
	return name
}
