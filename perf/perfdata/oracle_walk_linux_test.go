package perfdata

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	delve "github.com/go-delve/delve/pkg/dwarf/frame"
	"github.com/go-delve/delve/pkg/dwarf/op"
)

// A secondWalk is a second opinion on a dumped stack: it has its own reader of the files,
// and takes from the debugger Delve what the call frame information says. Of what is
// tested it uses the mappings alone.
type secondWalk struct {
	t     testing.TB
	files map[string]*secondFile
}

func newSecondWalk(t testing.TB) *secondWalk { return &secondWalk{t, map[string]*secondFile{}} }

// Functions of Go whose callers are on another stack, or which have none: what Go's own
// tracebacks treat so.
var (
	secondRoots    = map[string]bool{"runtime.rt0_go": true, "runtime.goexit": true, "runtime.clone": true}
	secondSwitches = map[string]bool{"runtime.morestack": true, "runtime.mcall": true, "runtime.systemstack": true}
)

// Functions of Go that handlers of signals let a goroutine call where it happens to be: their
// return address comes after no call. Go's own tracebacks treat these so.
var secondTraps = map[string]bool{"runtime.asyncPreempt": true, "runtime.sigpanic": true, "runtime.debugCallV2": true}

// A secondFile is a file with its functions' entries.
type secondFile struct {
	progs   []*elf.Prog
	ends    []oracleSymbol // where stacks of Go end
	traps   []oracleSymbol
	split   []addressRange // code of which nothing tells
	framed  []addressRange // such code, too, but with its frame pointer set
	entries delve.FrameDescriptionEntries
	rules   map[uint64]*secondRule
}

type secondRule struct {
	context *delve.FrameContext
	signal  bool
}

func (w *secondWalk) file(path string) *secondFile {
	if f := w.files[path]; f != nil {
		return f
	}
	f := &secondFile{rules: map[uint64]*secondRule{}}
	w.files[path] = f
	e := w.open(path)
	if e == nil {
		return f
	}
	f.progs = e.Progs
	symbols, _ := e.Symbols()
	for _, s := range symbols {
		if name := strings.TrimSuffix(s.Name, ".abi0"); secondRoots[name] || secondSwitches[name] {
			f.ends = append(f.ends, oracleSymbol{name, s.Value, s.Value + s.Size})
		} else if secondTraps[name] {
			f.traps = append(f.traps, oracleSymbol{name, s.Value, s.Value + s.Size})
		}
	}
	for _, name := range []string{".init", ".fini"} {
		if s := e.Section(name); s != nil {
			f.split = append(f.split, addressRange{s.Addr, s.Addr + s.Size})
		}
	}
	f.addEnds(e)
	for _, name := range []string{".eh_frame", ".debug_frame"} {
		s := e.Section(name)
		if s == nil {
			continue
		}
		data, err := s.Data()
		if err != nil {
			w.t.Fatalf("%s: %s: %v", path, name, err)
		}
		address := uint64(0)
		if name == ".eh_frame" {
			address = s.Addr
		}
		entries, err := delve.Parse(data, binary.LittleEndian, 0, wordSize, address)
		if err != nil {
			w.t.Fatalf("%s: %s: %v", path, name, err)
		}
		f.entries = append(f.entries, entries...)
	}
	slices.SortStableFunc(f.entries, func(a, b *delve.FrameDescriptionEntry) int { return cmp.Compare(a.Begin(), b.Begin()) })
	return f
}

// open reads the headers of a file; it is closed with the test.
func (w *secondWalk) open(path string) *elf.File {
	if path == vdsoPath {
		v, err := ownVDSO()
		if err != nil {
			return nil
		}
		e, err := elf.NewFile(v)
		if err != nil {
			w.t.Fatal(err)
		}
		return e
	}
	e, err := elf.Open(path)
	if err != nil {
		return nil
	}
	w.t.Cleanup(func() { _ = e.Close() })
	return e
}

// rule is what holds at an offset in a file; nil: nothing says.
func (f *secondFile) rule(offset uint64) (*secondRule, uint64) {
	i := slices.IndexFunc(f.progs, func(p *elf.Prog) bool {
		return p.Type == elf.PT_LOAD && offset >= p.Off && offset-p.Off < p.Filesz
	})
	if i < 0 {
		return nil, 0
	}
	pc := offset - f.progs[i].Off + f.progs[i].Vaddr
	if r, ok := f.rules[pc]; ok {
		return r, pc
	}
	f.rules[pc] = nil
	entry, err := f.entries.FDEForPC(pc)
	if err != nil {
		return nil, pc
	}
	context, err := entry.EstablishFrame(pc)
	if err != nil {
		return nil, pc
	}
	r := &secondRule{context, strings.Contains(entry.CIE.Augmentation, "S")}
	f.rules[pc] = r
	return r, pc
}

// walk is the addresses of a dumped stack, in the form of [unwinder.walk], and whether it
// ends with what a thread begins with.
func (w *secondWalk) walk(regs registers, stack memory, find func(uint64) *mapping) (ips []uint64, root bool) {
	ip, known := regs[regRIP], uint32(allRegisters)
	for range 1000 {
		m := find(ip)
		if m == nil || !m.code {
			return ips, false
		}
		ips = append(ips, ip)
		f := w.file(m.image.path)
		r, pc := f.rule(ip - m.start + m.offset)
		if r == nil && len(ips) == 1 { // in the system call that ends a signal's handler
			if before, _ := f.rule(ip - 1 - m.start + m.offset); before != nil && before.signal {
				r = before
			}
		}
		if i := slices.IndexFunc(f.ends, func(s oracleSymbol) bool { return pc >= s.start && pc < s.end }); i >= 0 && len(ips) > 1 {
			return ips, secondRoots[f.ends[i].name]
		}
		if r == nil && f.undescribed(pc) && w.returnsToCall(&regs, stack, find) {
			ip = regs[regRIP] - 1
			continue
		}
		if r == nil && f.keepsFrame(pc) && w.frameOfCall(&regs, &known, stack, find) {
			ip = regs[regRIP] - 1
			continue
		}
		if r == nil { // of the first frame the frame pointer is zero (System V ABI)
			return ips, known&(1<<regRBP) != 0 && regs[regRBP] == 0 && len(ips) > 1
		}
		if ra, ok := r.context.Regs[regRIP]; ok && ra.Rule == delve.RuleUndefined {
			return ips, true
		}
		if !r.step(&regs, &known, stack, ip-pc) {
			return ips, false
		}
		if ip = regs[regRIP]; ip == 0 {
			return ips, true
		}
		if !r.signal && !f.trap(pc) {
			ip--
		}
	}
	return ips, false
}

// dump keeps the dump of the collector's sample, of which a walk has been made, and adds
// the second opinion.
func (w *secondWalk) dump(c *collector, root bool) *oracleDump {
	d := &oracleDump{stack: slices.Clone(c.sample.stack), maps: slices.Clone(c.space.maps), root: root, by: w}
	if c.space.before != nil {
		d.maps = append(d.maps, c.space.before.maps...)
	}
	d.regs, _ = userRegisters(c.sample.event.regsUser, c.sample.regs)
	if len(d.stack) > 0 {
		d.ips = slices.Clone(c.ips)
		d.second, d.secondRoot = w.walk(d.regs, memory{d.regs[regRSP], d.stack}, c.find)
	}
	return d
}

// undescribed reports whether an address is in the functions that run before and after a
// program, which are made of parts without call frame information.
func (f *secondFile) undescribed(pc uint64) bool {
	return slices.ContainsFunc(f.split, func(r addressRange) bool { return pc >= r.start && pc < r.end })
}

// returnsToCall finds the caller of such a function, which leaves one word on the stack at
// most, and no register changed: by the first word there that comes after a call.
func (w *secondWalk) returnsToCall(regs *registers, stack memory, find func(uint64) *mapping) bool {
	for n := range uint64(2) {
		sp := regs[regRSP] + n*wordSize
		ip, ok := stack.load(sp, wordSize)
		m := find(ip - 1)
		if !ok || !w.calls(m, ip) {
			continue
		}
		regs[regRSP], regs[regRIP] = sp+wordSize, ip
		return true
	}
	return false
}

// calls reports whether there is a call before an address of a mapping.
func (w *secondWalk) calls(m *mapping, ip uint64) bool {
	return m != nil && m.code && w.file(m.image.path).afterCall(ip-m.start+m.offset)
}

// addEnds finds the code of the functions that end a file. The C compiler adds the first of
// them (__do_global_dtors_aux of its crtstuff.c) without call frame information, and before it
// others which it calls and which leave the stack as it is: what the instructions do to the
// frame is all there is to go by.
func (f *secondFile) addEnds(e *elf.File) {
	const push, set, leave, longest, before = "\x55", "\x48\x89\xe5", "\x5d\xc3", 128, 256 // of rbp; pop, ret
	for _, start := range finishers(e) {
		code := f.code(start, longest)
		pushed := bytes.Index(code, []byte(push))
		from := bytes.Index(code, []byte(set))
		if pushed < 0 || from < pushed {
			continue
		}
		from += len(set)
		size := bytes.Index(code[from:], []byte(leave))
		if size < 0 {
			continue
		}
		to := start + uint64(from+size) + 1
		f.framed = append(f.framed, addressRange{start + uint64(from), to})
		f.split = append(f.split, addressRange{start, start + uint64(from)}, addressRange{to, to + 1})
		for i := from; i+5 <= from+size; i++ {
			target := start + uint64(i) + 5 + uint64(int64(int32(binary.LittleEndian.Uint32(code[i+1:]))))
			if code[i] == 0xe8 && target < start && start-target <= before {
				f.split = append(f.split, addressRange{target, start})
			}
		}
	}
}

// finishers are where the functions that end a file begin: in its array, or where the linker
// has left the words empty, in their relocations.
func finishers(e *elf.File) (out []uint64) {
	s := e.Section(".fini_array")
	if s == nil {
		return nil
	}
	data, err := s.Data()
	if err != nil {
		return nil
	}
	for i := 0; i+wordSize <= len(data); i += wordSize {
		start, slot := binary.LittleEndian.Uint64(data[i:]), s.Addr+uint64(i)
		for _, r := range relocations(e) {
			if r.at == slot && r.symbol == 0 {
				start = r.addend
			}
		}
		out = append(out, start)
	}
	return out
}

// trap reports whether an address is in one of the functions that were called by no call.
func (f *secondFile) trap(pc uint64) bool {
	return slices.ContainsFunc(f.traps, func(s oracleSymbol) bool { return pc >= s.start && pc < s.end })
}

// trapped reports whether one of the walk's addresses is in such a function. gdb does not
// know them: it looks at what comes before the return address.
func (d *oracleDump) trapped() bool {
	return slices.ContainsFunc(d.ips, func(ip uint64) bool {
		m := d.find(ip)
		if m == nil {
			return false
		}
		f := d.by.file(m.image.path)
		_, pc := f.rule(ip - m.start + m.offset)
		return f.trap(pc)
	})
}

// code is what lies at an address of a file, up to a length.
func (f *secondFile) code(address, longest uint64) []byte {
	for _, p := range f.progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && address >= p.Vaddr && address-p.Vaddr < p.Filesz {
			b := make([]byte, min(longest, p.Filesz-(address-p.Vaddr)))
			n, _ := p.ReadAt(b, int64(address-p.Vaddr))
			return b[:n]
		}
	}
	return nil
}

// keepsFrame reports whether an address is in code whose frame pointer leads to its caller.
func (f *secondFile) keepsFrame(pc uint64) bool {
	return slices.ContainsFunc(f.framed, func(r addressRange) bool { return pc >= r.start && pc < r.end })
}

// frameOfCall finds the caller of such code: by the two words at the frame pointer, of which
// the second is where a call returns to.
func (w *secondWalk) frameOfCall(regs *registers, known *uint32, stack memory, find func(uint64) *mapping) bool {
	rbp := regs[regRBP]
	saved, ok := stack.load(rbp, wordSize)
	ip, ok2 := stack.load(rbp+wordSize, wordSize)
	if *known&(1<<regRBP) == 0 || rbp < regs[regRSP] || !ok || !ok2 || !w.calls(find(ip-1), ip) {
		return false
	}
	regs[regRBP], regs[regRSP], regs[regRIP] = saved, rbp+2*wordSize, ip
	*known |= 1 << regRSP
	return true
}

// afterCall reports whether the instruction before an offset in a file is a call: with a
// distance, or by way of a register or of memory.
func (f *secondFile) afterCall(offset uint64) bool {
	const longest = 7
	for _, p := range f.progs {
		if p.Type != elf.PT_LOAD || offset < p.Off+longest || offset-p.Off > p.Filesz {
			continue
		}
		var b [longest]byte
		if _, err := p.ReadAt(b[:], int64(offset-p.Off-longest)); err != nil {
			return false
		}
		for n := 2; n <= longest; n++ {
			code := b[longest-n:]
			if n == 5 && code[0] == 0xe8 || code[0] == 0xff && code[1]&0x38 == 0x10 {
				return true
			}
		}
	}
	return false
}

// find is the mapping at an address.
func (d *oracleDump) find(ip uint64) *mapping {
	i := slices.IndexFunc(d.maps, func(m mapping) bool { return ip >= m.start && ip < m.end })
	if i < 0 {
		return nil
	}
	return &d.maps[i]
}

// chain is the callers by the frame pointers in the dump, which Go's compiler keeps.
func (d *oracleDump) chain() (ips []uint64) {
	stack := memory{d.regs[regRSP], d.stack}
	for at := d.regs[regRBP]; at != 0; {
		next, ok := stack.load(at, wordSize)
		ip, ok2 := stack.load(at+wordSize, wordSize)
		if !ok || !ok2 || ip == 0 {
			break
		}
		ips = append(ips, ip-1)
		if next <= at {
			break
		}
		at = next
	}
	return ips
}

// chainAgrees reports whether the chain of frame pointers has the walk's callers; without
// the first of them where a function has not made its frame yet, or makes none, and without
// the last, as what a thread begins with makes none. Where one was interrupted to call another,
// both may not have made theirs, and what that returns to is as it is.
func (d *oracleDump) chainAgrees() bool {
	chain, callers := d.chain(), d.ips[1:]
	missing, without := len(callers)-len(chain), 1
	same := func(c, ip uint64) bool { return c == ip }
	if d.trapped() {
		without = 2
		same = func(c, ip uint64) bool { return c == ip || c+1 == ip }
	}
	for first := range min(without+1, missing+1) {
		if missing-first <= 1 && slices.EqualFunc(chain, callers[first:first+len(chain)], same) {
			return true
		}
	}
	return false
}

// step makes the registers those of the caller. bias is what is added to the addresses of
// the file.
func (r *secondRule) step(regs *registers, known *uint32, stack memory, bias uint64) bool {
	callee, calleeKnown := *regs, *known
	cfa, ok := callee.address(r.context.CFA, calleeKnown, stack, 0, bias)
	if !ok {
		return false
	}
	regs[regRSP] = cfa
	*known |= 1 << regRSP
	for reg, rule := range r.context.Regs {
		if reg >= uint64(numRegisters) || rule.Rule == delve.RuleSameVal || rule.Rule == delve.RuleUndefined {
			continue // see sameRule: undefined can mean the same value
		}
		value, ok := callee.value(rule, calleeKnown, stack, cfa, bias, reg == regRIP)
		switch {
		case ok:
			regs[reg] = value
			*known |= 1 << reg
		case reg == regRIP:
			return false
		case value == 0:
			*known &^= 1 << reg
		}
	}
	return true
}

// address works out where a frame, or a register in it, is.
func (regs *registers) address(rule delve.DWRule, known uint32, stack memory, cfa, bias uint64) (uint64, bool) {
	switch rule.Rule {
	case delve.RuleCFA:
		if rule.Reg >= uint64(numRegisters) || known&(1<<rule.Reg) == 0 {
			return 0, false
		}
		return regs[rule.Reg] + uint64(rule.Offset), true
	case delve.RuleOffset, delve.RuleValOffset:
		return cfa + uint64(rule.Offset), true
	case delve.RuleExpression, delve.RuleValExpression:
		all := make([]*op.DwarfRegister, numRegisters)
		for i, v := range regs {
			all[i] = op.DwarfRegisterFromUint64(v)
		}
		// An expression of a register begins with the frame's address on the stack. That
		// of the address itself does not.
		program := rule.Expression
		if cfa != 0 {
			program = slices.Concat([]byte{byte(op.DW_OP_call_frame_cfa)}, program)
		}
		of := op.NewDwarfRegisters(bias, all, binary.LittleEndian, regRIP, regRSP, regRBP, 0)
		of.CFA = int64(cfa)
		v, _, err := op.ExecuteStackProgram(*of, program, wordSize, func(b []byte, address uint64) (int, error) {
			v, ok := stack.load(address, wordSize)
			if !ok {
				return 0, op.ErrMemoryReadUnavailable
			}
			return copy(b, binary.LittleEndian.AppendUint64(nil, v)), nil
		})
		return uint64(v), err == nil
	}
	return 0, false
}

// value is what the caller had in a register. A place below the stack pointer was given up:
// the register has its value again, which is reported as not found, with a value that is
// not 0.
func (regs *registers) value(rule delve.DWRule, known uint32, stack memory, cfa, bias uint64, always bool) (uint64, bool) {
	if rule.Rule == delve.RuleRegister {
		return regs[rule.Reg], known&(1<<rule.Reg) != 0
	}
	at, ok := regs.address(rule, known, stack, cfa, bias)
	if !ok || rule.Rule == delve.RuleValOffset || rule.Rule == delve.RuleValExpression {
		return at, ok
	}
	if at < regs[regRSP] && !always {
		return 1, false
	}
	return stack.load(at, wordSize)
}

// stubTarget is the name of the function that a stub of a file jumps to, by the relocation
// of the slot which it jumps through: "" if that has none.
func stubTarget(path string, address uint64) (name string, isStub bool) {
	e, err := elf.Open(path)
	if err != nil {
		return "", false
	}
	defer func() { _ = e.Close() }()
	for _, s := range e.Sections {
		if !strings.HasPrefix(s.Name, ".plt") || address < s.Addr || address >= s.Addr+s.Size {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return "", false
		}
		size := uint64(16)  // of a stub
		if s.Entsize == 8 { // .plt.got
			size = 8
		}
		at := (address - s.Addr) / size * size
		code := data[at:min(at+size, uint64(len(data)))]
		jump := bytes.Index(code, []byte{0xff, 0x25}) // jmp *slot(%rip)
		if jump < 0 || jump > 5 || len(code) < jump+6 {
			return "", false
		}
		slot := s.Addr + at + uint64(jump) + 6 + uint64(int64(int32(binary.LittleEndian.Uint32(code[jump+2:]))))
		return relocated(e, slot), true
	}
	return "", false
}

// relocated is the name of the symbol that a relocation puts into a slot.
func relocated(e *elf.File, slot uint64) string {
	symbols, err := e.DynamicSymbols()
	if err != nil {
		return ""
	}
	for _, r := range relocations(e) {
		if r.at == slot && r.symbol > 0 && r.symbol <= len(symbols) {
			return symbols[r.symbol-1].Name
		}
	}
	return ""
}

// A relocation says what the loader puts where: a symbol's address, or with none (0) that of
// the file, and what is added.
type relocation struct {
	at, addend uint64
	symbol     int
}

// relocations are those of a file.
func relocations(e *elf.File) (out []relocation) {
	for _, s := range e.Sections {
		if s.Type != elf.SHT_RELA { //nolint:misspell // ELF's name for relocations with addends
			continue
		}
		data, err := s.Data()
		if err != nil {
			continue
		}
		for ; len(data) >= 24; data = data[24:] { // where, type and symbol, addend
			out = append(out, relocation{
				binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[16:]), int(binary.LittleEndian.Uint32(data[12:])),
			})
		}
	}
	return out
}
