package perfdata

import (
	"debug/elf"
	"errors"
	"slices"
	"strings"
	"sync"
)

// symbols are what is known of the functions of one object: its symbol tables, those of its
// separate debug file, Go's own table, and DWARF. Each is read when the first question
// needs it. They are safe for concurrent use.
type symbols struct {
	object *object
	open   Opener

	debugOnce sync.Once
	debug     *object // nil: none
	shared    *object // what several debug files share; nil: nothing
	tableOnce sync.Once
	table     *symbolTable
	dwarfOnce sync.Once
	dwarf     *dwarfData // nil: none
	stubsOnce sync.Once
	stubs     spans // of what the linker has made
	goOnce    sync.Once
	gotab     *goTable // nil: none

	mu     sync.Mutex
	names  map[string]string // demangled names, by the linker's
	refuse []error
}

// newSymbols reads nothing yet. The object must stay open as long as the symbols are used;
// Close closes what they have opened beside it.
func newSymbols(o *object, open Opener) *symbols {
	return &symbols{object: o, open: open, names: map[string]string{}}
}

// Close closes the debug files. No question may be open or follow.
func (s *symbols) Close() error {
	var errs []error
	for _, o := range []*object{s.debug, s.shared} {
		if o != nil {
			errs = append(errs, o.Close())
		}
	}
	return errors.Join(errs...)
}

// faults says what could not be read so far, and why. The rest was used.
func (s *symbols) faults() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := append([]error(nil), s.refuse...)
	if s.dwarf != nil {
		all = append(all, s.dwarf.takeFaults()...)
	}
	return all
}

func (s *symbols) fault(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refuse) < maxRefused {
		s.refuse = append(s.refuse, err)
	}
}

// maxRefused bounds how many faults of one object are told.
const maxRefused = 20

// debugObject is the separate debug file, where the object itself has not all.
func (s *symbols) debugObject() *object {
	s.debugOnce.Do(func() {
		e := s.object.elf
		if e.Section(".symtab") != nil && hasDWARF(s.object) {
			return
		}
		var err error
		s.debug, err = findDebugFile(s.object, s.open)
		s.fault(err)
	})
	return s.debug
}

func hasDWARF(o *object) bool {
	return o.elf.Section(".debug_info") != nil || o.elf.Section(".zdebug_info") != nil
}

func (s *symbols) symbolTable() *symbolTable {
	s.tableOnce.Do(func() {
		var err error
		s.table, err = readTable(s.object, s.debugObject())
		s.fault(err)
	})
	return s.table
}

// trampolines are the functions that handlers of signals return into: glibc's, musl's and
// bionic's. Only these are looked for behind an address: before any other function there
// may be the padding behind the one that calls.
var trampolines = map[string]bool{"__restore_rt": true, "__restore": true, "__kernel_rt_sigreturn": true}

// lookup returns the name of the function around an address, as the linker knows it, and
// where the function begins.
func (s *symbols) lookup(addr uint64) (name string, start uint64, ok bool) {
	table := s.symbolTable()
	if x, ok := table.lookup(addr); ok {
		return x.name, x.start, true
	}
	// The trampoline that a signal handler returns to is never called: the address is its
	// first, and the one before, which callers pass, lies in no function.
	if x, ok := table.lookup(addr + 1); ok && x.start == addr+1 && trampolines[x.name] {
		return x.name, x.start, true
	}
	if t := s.goSymbols(); t != nil {
		if f, ok := t.function(addr); ok {
			return stringAt(t.names, uint64(f.word(goFuncName))), f.entry, true
		}
	}
	return "", 0, false
}

// frames appends what functions stand at an address, the innermost first: those whose code
// the compiler has copied there, and last the one that the address lies in. Nothing is
// appended where nothing is known. A caller who has the address to which a call returns
// passes the one before.
func (s *symbols) frames(addr uint64, into []Frame) []Frame {
	before := len(into)
	if d := s.debugInfo(); d != nil && !s.inStubs(addr) {
		into = d.frames(addr, into)
	}
	if t := s.goSymbols(); t != nil && len(into) == before {
		into = t.frames(addr, into)
	}
	name, _, known := s.lookup(addr)
	if len(into) == before {
		if !known {
			return into
		}
		into = append(into, Frame{})
	}
	// The function that was not copied is called as the linker calls it: it may be a part or
	// a variant of what the source has.
	if outer := &into[len(into)-1]; known {
		outer.Symbol = name
	} else if outer.Symbol == "" {
		outer.Symbol = outer.Name
	}
	for i := before; i < len(into); i++ {
		if f := &into[i]; f.Symbol != "" {
			f.Name = s.demangled(f.Symbol)
		}
	}
	if into[len(into)-1].Name == "" {
		return into[:before]
	}
	return into
}

// debugInfo is the DWARF of the object or of its debug file; nil: it has none.
func (s *symbols) debugInfo() *dwarfData {
	s.dwarfOnce.Do(func() {
		o := s.object
		if !hasDWARF(o) {
			if o = s.debugObject(); o == nil {
				return
			}
		}
		var err error
		s.dwarf, err = openDWARF(o)
		s.fault(err)
		if s.dwarf == nil {
			return
		}
		s.shared, err = findShared(o, s.open)
		s.fault(err)
		if s.shared != nil {
			s.dwarf.alt, err = openDWARF(s.shared)
			s.fault(err)
		}
	})
	return s.dwarf
}

// inStubs reports whether an address lies in what the linker has made, of which debug
// information does not tell: it need not be looked through for it.
func (s *symbols) inStubs(addr uint64) bool {
	s.stubsOnce.Do(func() {
		var list []span
		for _, x := range s.object.elf.Sections {
			if x.Flags&elf.SHF_EXECINSTR != 0 && strings.HasPrefix(x.Name, ".plt") {
				list = addRange(list, x.Addr, x.Addr+x.Size, 0)
			}
		}
		s.stubs = newSpans(list)
	})
	_, ok := s.stubs.find(addr)
	return ok
}

// goSymbols is the table of the runtime of Go; nil: the object has none.
func (s *symbols) goSymbols() *goTable {
	s.goOnce.Do(func() {
		var err error
		s.gotab, err = readGoTable(s.object)
		s.fault(err)
	})
	return s.gotab
}

// demangled is demangleName, with a memory.
func (s *symbols) demangled(name string) string {
	s.mu.Lock()
	out, ok := s.names[name]
	s.mu.Unlock()
	if ok {
		return out
	}
	out = demangleName(name) // which may take long, beside others
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[name] = out
	return out
}

// read reads what any question needs, before there is one.
func (s *symbols) read(inlined bool) {
	s.symbolTable()
	if inlined {
		s.debugInfo()
	}
}

// framesOf is what frames finds at each of many addresses, on all processors. Of a unit of
// debug information nothing is kept when its addresses are done: a program of a thousand
// units takes no more memory for them than its largest do.
func (s *symbols) framesOf(addresses []uint64) [][]Frame {
	all := make([][]Frame, len(addresses))
	units, of := s.byUnit(addresses)
	inParallel(len(units), func(u int) {
		var into []Frame
		for _, i := range of[u] {
			into = s.frames(addresses[i], into[:0])
			all[i] = slices.Clone(into) // no longer than it is
		}
		if units[u] != nil {
			units[u].forget()
		}
	})
	return all
}

// byUnit sorts addresses, by their indexes, by the units that they belong to, of which nil
// is the one of those that belong to none.
func (s *symbols) byUnit(addresses []uint64) (units []*dwarfUnit, of [][]int32) {
	d := s.debugInfo()
	at := map[*dwarfUnit]int{}
	for i, a := range addresses {
		var u *dwarfUnit
		if d != nil && !s.inStubs(a) {
			u = d.unitOf(a)
		}
		n, ok := at[u]
		if !ok {
			n = len(units)
			at[u] = n
			units, of = append(units, u), append(of, nil)
		}
		of[n] = append(of[n], int32(i))
	}
	return units, of
}
