package perfdata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A locate finds the unwind table of the object that is mapped at the address ip, and the
// bias: ip minus it is the object's address. The table is nil where no text is mapped,
// and empty for text that has no unwind information ([noUnwindTable]).
type locate func(ip uint64) (t *unwindTable, bias uint64)

// A walkEnd says why a walk ended.
type walkEnd uint8

const (
	walkRoot      walkEnd = iota // at the first function of the thread
	walkTruncated                // the caller lies beyond the part of the stack that was recorded
	walkNoRule                   // no unwind information for the address, and no plausible frame pointer
	walkLost                     // the caller's address is none of mapped text, or its frame is not known
	walkStuck                    // the caller's frame does not lie above its callee's
	walkRefused                  // the unwind information is broken; the unwinder's fault says where
	walkSwitched                 // the callers have another stack, which was not dumped
	walkTooDeep                  // more than maxFrames
)

func (e walkEnd) String() string {
	switch e {
	case walkRoot:
		return WalkedToRoot
	case walkTruncated:
		return "stack dump too small"
	case walkNoRule:
		return "no unwind information"
	case walkLost:
		return "no mapped caller"
	case walkStuck:
		return "frames do not grow"
	case walkRefused:
		return "broken unwind information"
	case walkSwitched:
		return "callers on another stack"
	case walkTooDeep:
		return "too deep"
	}
	return fmt.Sprintf("walkEnd(%d)", uint8(e))
}

const (
	// maxFrames bounds a walk. The largest stack that perf can record, 64 KB, has no
	// more return addresses.
	maxFrames = 1 << 13
	// maxSignals bounds the frames that may lead down the stack: a handler has a stack
	// of its own, and the interrupted code lies anywhere.
	maxSignals = 16
)

// load reads a little-endian number of size bytes.
func (m memory) load(address uint64, size int) (uint64, bool) {
	offset := address - m.base
	if offset >= uint64(len(m.data)) || uint64(len(m.data))-offset < uint64(size) {
		return 0, false
	}
	if size == wordSize {
		return binary.LittleEndian.Uint64(m.data[offset:]), true
	}
	var v uint64
	for i := range size {
		v |= uint64(m.data[offset+uint64(i)]) << (8 * i)
	}
	return v, true
}

// beyond reports whether a word at address would lie behind the part that was recorded.
func (m memory) beyond(address uint64) bool {
	return address >= m.base && address-m.base+wordSize > uint64(len(m.data))
}

// A frame is the registers at one place of a stack, as far as they are known.
type frame struct {
	regs  registers
	known uint32
}

// A plan is a frameRule made ready to be applied.
type plan struct {
	rule    frameRule
	section *frameSection
	refused bool
	// simple: the frame's address is a register plus an offset, the return address and
	// what has been saved lie at fixed places below. All but a few rows are.
	simple    bool
	numSaved  uint8
	cfaReg    uint8
	cfaOffset int32
	returnAt  int32
	saved     [6]savedRegister // rbx, rbp, r12 to r15
}

type savedRegister struct {
	at  int32
	reg uint8
}

// A compiledTable holds the rows of the functions of a table that were met.
type compiledTable struct {
	spans []rowSpan // of each function
	rows  []row
	plans map[planKey]*plan
}

type rowSpan struct{ from, to uint32 }

// A row says which plan holds from the address start, relative to the table's base.
type row struct {
	start uint32
	plan  *plan
}

type planKey struct {
	rule    frameRule
	section uint32
}

// An unwinder walks stacks. It remembers what it has learnt of the tables, so that one
// serves for a whole recording. It is for one goroutine.
type unwinder struct {
	// fault is the first broken piece of unwind information that a walk met.
	fault  error
	tables map[*unwindTable]*compiledTable
	memo   [memoSize]memoEntry
}

// memoSize is a power of two. A profile has some hundred to some thousand addresses.
const (
	memoBits = 12
	memoSize = 1 << memoBits
)

type memoEntry struct {
	table *unwindTable
	pc    uint64
	plan  *plan // nil: no rule
}

func newUnwinder() *unwinder { return &unwinder{tables: map[*unwindTable]*compiledTable{}} }

// walk appends the call chain of a stack to into, the innermost function first. A
// caller's address is that of the last byte of its call, one less than where the call
// returns to, so that it lies in the function and the line that called even when that
// call is the last of both. What a signal interrupted, and the innermost, are as they are.
func (u *unwinder) walk(into []uint64, regs *registers, stack memory, at locate) (ips []uint64, end walkEnd) {
	f := frame{regs: *regs, known: allRegisters}
	ip := f.regs[regRIP]
	into = append(into, ip)
	t, bias := at(ip)
	signals := 0
	for n := range maxFrames {
		var p *plan
		if t != nil {
			p = u.lookup(t, ip-bias)
		}
		if p == nil && t != nil && n == 0 {
			p = u.returning(t, ip-bias)
		}
		sp := f.regs[regRSP]
		signal := false
		if p == nil {
			if end, ok := f.alongFramePointer(stack, at); !ok {
				if ip == regs[regRIP] && end == walkRoot {
					end = walkNoRule // a register of a leaf that happens to be zero
				}
				return into, end
			}
		} else {
			if end, ok := f.apply(p, stack); !ok {
				return into, end
			}
			signal = p.rule.signal
		}
		if f.regs[regRSP] <= sp {
			if signals++; !signal || signals > maxSignals {
				return into, walkStuck
			}
		}
		if ip = f.regs[regRIP]; ip == 0 {
			return into, walkRoot
		}
		if !signal {
			ip--
		}
		if t, bias = at(ip); t == nil {
			return into, walkLost
		}
		into = append(into, ip)
	}
	return into, walkTooDeep
}

// returning is the plan of what a signal handler returns to, if pc is the address right
// behind it, or nil. The last thing it does is a system call, during which pc is what comes
// after: in the C library that is behind the end of what describes the function.
func (u *unwinder) returning(t *unwindTable, pc uint64) *plan {
	if p := u.lookup(t, pc-1); p != nil && p.rule.signal {
		return p
	}
	return nil
}

// lookup is the plan for the address pc of an object, or nil.
func (u *unwinder) lookup(t *unwindTable, pc uint64) *plan {
	m := &u.memo[(pc*0x9e3779b97f4a7c15)>>(64-memoBits)]
	if m.table == t && m.pc == pc {
		return m.plan
	}
	p := u.search(t, pc)
	*m = memoEntry{t, pc, p}
	return p
}

// search finds the plan in the rows of the function at pc, which it makes if need be.
func (u *unwinder) search(t *unwindTable, pc uint64) *plan {
	i := t.find(pc)
	if i < 0 {
		return nil
	}
	c := u.tables[t]
	if c == nil {
		c = &compiledTable{spans: make([]rowSpan, len(t.fdes)), plans: map[planKey]*plan{}}
		u.tables[t] = c
	}
	if c.spans[i].to == 0 {
		u.compile(t, i, c)
	}
	rows := c.rows[c.spans[i].from:c.spans[i].to]
	low, high := 0, len(rows)
	for low < high {
		middle := int(uint(low+high) / 2)
		if uint64(rows[middle].start) <= pc-t.base {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return rows[low-1].plan
}

// compile runs the steps of a function. Each function has one row at least, which begins
// at its start.
func (u *unwinder) compile(t *unwindTable, i int, c *compiledTable) {
	from := len(c.rows)
	start := t.fdes[i].start
	s, f, err := t.function(i)
	faultAt := t.base + uint64(start)
	if err == nil {
		injected := slices.Contains(t.injected, f.start)
		faultAt, err = f.run(s, func(pc uint64, r *frameRule) error {
			key := planKey{*r, t.fdes[i].section}
			key.rule.signal = r.signal || injected
			p := c.plan(key, s)
			if len(c.rows) > from && c.rows[len(c.rows)-1].plan == p {
				return nil
			}
			if len(c.rows) >= maxRows {
				return errTooManyRows
			}
			c.rows = append(c.rows, row{uint32(pc - t.base), p})
			return nil
		})
	}
	if err != nil {
		c.rows = append(c.rows, row{uint32(faultAt - t.base), refusedPlan})
	} else if slices.ContainsFunc(c.rows[from:], func(r row) bool { return r.plan.refused }) {
		err = errTooManyPlans
	}
	if err != nil && u.fault == nil {
		u.fault = &frameError{s.name, int(t.fdes[i].offset), err}
	}
	c.spans[i] = rowSpan{uint32(from), uint32(len(c.rows))}
}

// maxPlans bounds the different rules of an object, since each takes more in memory than
// in the file. Of 1,900 programs and libraries of a Linux system none had more than 3,300.
const maxPlans = 1 << 16

// maxRows bounds the rows of an object, which take more in memory than in the file, too.
// All functions of Rust's compiler, whose library has 150 MB, have a million.
const maxRows = 1 << 21

var errTooManyRows = fmt.Errorf("has one more row than the %d of an object that are kept", maxRows)

// refusedPlan stands for what cannot be unwound.
var refusedPlan = &plan{refused: true}

var errTooManyPlans = fmt.Errorf("has one more different rule than the %d of an object that are kept", maxPlans)

// plan makes a rule ready, once for all rows that have it.
func (c *compiledTable) plan(key planKey, s *frameSection) *plan {
	if p := c.plans[key]; p != nil {
		return p
	}
	if len(c.plans) == maxPlans {
		return refusedPlan
	}
	p := newPlan(&key.rule, s)
	c.plans[key] = p
	return p
}

func newPlan(r *frameRule, s *frameSection) *plan {
	p := &plan{rule: *r, section: s, cfaReg: uint8(r.cfa.reg), cfaOffset: r.cfa.n, returnAt: r.regs[regRIP].n}
	p.simple = r.cfa.kind == ruleRegister && r.regs[regRIP].kind == ruleOffset && r.regs[regRSP].kind == ruleSame
	for reg, rule := range r.regs {
		switch {
		case reg == regRIP || rule.kind == ruleSame:
		case rule.kind == ruleOffset && int(p.numSaved) < len(p.saved):
			p.saved[p.numSaved] = savedRegister{rule.n, uint8(reg)}
			p.numSaved++
		default:
			p.simple = false
		}
	}
	return p
}

// apply makes the frame its caller's. It reports false, and why, where there is none.
func (f *frame) apply(p *plan, stack memory) (walkEnd, bool) {
	if p.refused {
		return walkRefused, false
	}
	if !p.simple {
		return f.applyAny(p, stack)
	}
	if f.known&(1<<p.cfaReg) == 0 {
		return walkLost, false
	}
	cfa := f.regs[p.cfaReg] + uint64(int64(p.cfaOffset))
	sp := f.regs[regRSP]
	at := cfa + uint64(int64(p.returnAt))
	ip, ok := stack.load(at, wordSize)
	if !ok {
		return missing(stack, at), false
	}
	for _, s := range p.saved[:p.numSaved] {
		f.reload(s.reg, cfa+uint64(int64(s.at)), sp, stack)
	}
	f.regs[regRSP] = cfa
	f.regs[regRIP] = ip
	f.known |= 1<<regRSP | 1<<regRIP
	return 0, true
}

// reload takes a register from where it was saved. A place below the stack pointer has
// been given up: the function has taken the register back already, and compilers do not
// always say so in an epilogue.
func (f *frame) reload(reg uint8, at, sp uint64, stack memory) {
	if at < sp {
		return
	}
	v, ok := stack.load(at, wordSize)
	if !ok {
		f.known &^= 1 << reg
		return
	}
	f.regs[reg] = v
	f.known |= 1 << reg
}

// missing says what it means that the sample has no word at address.
func missing(stack memory, address uint64) walkEnd {
	if stack.beyond(address) {
		return walkTruncated
	}
	return walkLost
}

// applyAny is apply for rows of every form.
func (f *frame) applyAny(p *plan, stack memory) (walkEnd, bool) {
	cfa, err := f.cfa(p, stack)
	if err != nil {
		return walkLost, false
	}
	ra := p.rule.regs[regRIP]
	switch ra.kind {
	case ruleUndefined:
		if p.rule.regs[regRSP].kind == ruleUndefined {
			return walkSwitched, false
		}
		return walkRoot, false
	case ruleSame:
		return walkLost, false
	case ruleOffset:
		if at := cfa + uint64(int64(ra.n)); !stack.has(at) {
			return missing(stack, at), false
		}
	}
	callee := *f
	f.regs[regRSP] = cfa
	f.known |= 1 << regRSP
	for reg, r := range p.rule.regs {
		if r.kind == ruleSame {
			continue
		}
		v, state := callee.value(uint8(reg), r, cfa, p, stack)
		switch state {
		case valueKnown:
			f.regs[reg] = v
			f.known |= 1 << reg
		case valueLost:
			f.known &^= 1 << reg
		}
	}
	if f.known&(1<<regRIP) == 0 || f.known&(1<<regRSP) == 0 {
		return walkLost, false
	}
	return 0, true
}

func (m memory) has(address uint64) bool {
	_, ok := m.load(address, wordSize)
	return ok
}

// errNoFrame says that nothing tells where the frame is.
var errNoFrame = errors.New("the frame's address is not known")

// cfa is the address of the frame.
func (f *frame) cfa(p *plan, stack memory) (uint64, error) {
	switch r := p.rule.cfa; r.kind {
	case ruleRegister:
		if f.known&(1<<r.reg) == 0 {
			return 0, errNoFrame
		}
		return f.regs[r.reg] + uint64(int64(r.n)), nil
	case ruleValExpression:
		return evaluate(p.section.data, uint32(r.n), f, stack)
	}
	return 0, errNoFrame
}

// A valueState says whether the value of a register was found.
type valueState uint8

const (
	valueKnown valueState = iota
	valueLost
	valueKept // it is what the callee has
)

// value finds the caller's value of a register by a rule, on the callee's frame.
func (f *frame) value(reg uint8, r rule, cfa uint64, p *plan, stack memory) (uint64, valueState) {
	switch r.kind {
	case ruleUndefined:
		return 0, valueLost
	case ruleValOffset:
		return cfa + uint64(int64(r.n)), valueKnown
	case ruleRegister:
		if f.known&(1<<r.reg) == 0 {
			return 0, valueLost
		}
		return f.regs[r.reg], valueKnown
	case ruleValExpression:
		v, err := evaluate(p.section.data, uint32(r.n), f, stack, cfa)
		if err != nil {
			return 0, valueLost
		}
		return v, valueKnown
	}
	at := cfa + uint64(int64(r.n))
	if r.kind == ruleExpression {
		var err error
		if at, err = evaluate(p.section.data, uint32(r.n), f, stack, cfa); err != nil {
			return 0, valueLost
		}
	}
	// See reload. The return address is never kept.
	if at < f.regs[regRSP] && reg != regRIP {
		return 0, valueKept
	}
	v, ok := stack.load(at, wordSize)
	if !ok {
		return 0, valueLost
	}
	return v, valueKnown
}

// alongFramePointer makes the frame its caller's where nothing describes the code: if the
// frame pointer can be one, which is when it lies in the stack and the word above what it
// points to is an address of mapped text. A frame pointer of zero marks the first frame
// (System V ABI for AMD64, section 3.4.1).
func (f *frame) alongFramePointer(stack memory, at locate) (walkEnd, bool) {
	rbp, sp := f.regs[regRBP], f.regs[regRSP]
	if f.known&(1<<regRBP) == 0 || rbp > math.MaxUint64-2*wordSize {
		return walkNoRule, false
	}
	if rbp == 0 {
		return walkRoot, false
	}
	if rbp < sp {
		return walkNoRule, false
	}
	caller, ok := stack.load(rbp, wordSize)
	ip, ok2 := stack.load(rbp+wordSize, wordSize)
	if !ok || !ok2 {
		return walkNoRule, false
	}
	if ip == 0 {
		return walkRoot, false
	}
	if t, _ := at(ip - 1); t == nil {
		return walkNoRule, false
	}
	f.regs[regRBP], f.regs[regRSP], f.regs[regRIP] = caller, rbp+2*wordSize, ip
	f.known = framePointerLeaves
	return 0, true
}
