package perfdata

import (
	"errors"
	"fmt"
)

// The operations of DWARF expressions (DWARF 5, section 7.7.1) that call frame
// information can use. Those that name a type, an object or another entry cannot occur.
const (
	opAddr       = 0x03
	opDeref      = 0x06
	opConst1u    = 0x08
	opConst1s    = 0x09
	opConst2u    = 0x0a
	opConst2s    = 0x0b
	opConst4u    = 0x0c
	opConst4s    = 0x0d
	opConst8u    = 0x0e
	opConst8s    = 0x0f
	opConstu     = 0x10
	opConsts     = 0x11
	opDup        = 0x12
	opDrop       = 0x13
	opOver       = 0x14
	opPick       = 0x15
	opSwap       = 0x16
	opRot        = 0x17
	opAbs        = 0x19
	opAnd        = 0x1a
	opDiv        = 0x1b
	opMinus      = 0x1c
	opMod        = 0x1d
	opMul        = 0x1e
	opNeg        = 0x1f
	opNot        = 0x20
	opOr         = 0x21
	opPlus       = 0x22
	opPlusUconst = 0x23
	opShl        = 0x24
	opShr        = 0x25
	opShra       = 0x26
	opXor        = 0x27
	opBra        = 0x28
	opEq         = 0x29
	opGe         = 0x2a
	opGt         = 0x2b
	opLe         = 0x2c
	opLt         = 0x2d
	opNe         = 0x2e
	opSkip       = 0x2f
	opLit0       = 0x30
	opBreg0      = 0x70
	opBregx      = 0x92
	opDerefSize  = 0x94
	opNop        = 0x96
)

const (
	// maxExpressionSteps bounds an expression that jumps back. The longest known, of
	// a linker's own call stubs, has 11.
	maxExpressionSteps = 512
	maxExpressionStack = 64
)

// errExpressionMemory says that an expression needs memory which the sample lacks.
var errExpressionMemory = errors.New("reads memory that the sample does not carry")

// An expressionMachine evaluates a DWARF expression on the registers and the stack of one
// frame.
type expressionMachine struct {
	r     cfiReader
	start int
	frame frame // a copy: a pointer would put the walk's frame on the heap
	mem   memory
	depth int
	fault error
	stack [maxExpressionStack]uint64
}

// evaluate evaluates the expression that stands, behind its length, at offset in data.
// The stack begins with the values in push.
func evaluate(data []byte, offset uint32, f *frame, mem memory, push ...uint64) (uint64, error) {
	r := cfiReader{data: data, at: int(offset)}
	block := r.bytes(r.uleb())
	if r.short {
		return 0, errCFIShort
	}
	m := expressionMachine{r: cfiReader{data: data[:r.at], at: r.at - len(block)}, start: r.at - len(block), frame: *f, mem: mem}
	for _, v := range push {
		m.push(v)
	}
	for range maxExpressionSteps {
		if m.r.left() == 0 {
			v := m.pop()
			return v, m.fault
		}
		at := m.r.at
		op := m.r.u8()
		m.step(op)
		if m.r.short {
			m.fault = errCFIShort
		}
		if m.fault != nil {
			return 0, fmt.Errorf("operation %#02x at offset %#x %w", op, at, m.fault)
		}
	}
	return 0, fmt.Errorf("the expression at offset %#x takes more than %d steps", offset, maxExpressionSteps)
}

func (m *expressionMachine) push(v uint64) {
	if m.depth == len(m.stack) {
		m.fault = fmt.Errorf("needs a stack of more than %d values", len(m.stack))
		return
	}
	m.stack[m.depth] = v
	m.depth++
}

func (m *expressionMachine) pop() uint64 {
	if m.depth == 0 {
		m.fault = errors.New("takes a value from an empty stack")
		return 0
	}
	m.depth--
	return m.stack[m.depth]
}

// pick pushes a copy of the value that lies n below the topmost.
func (m *expressionMachine) pick(n int) {
	if n >= m.depth {
		m.fault = fmt.Errorf("copies value %d of a stack of %d", n, m.depth)
		return
	}
	m.push(m.stack[m.depth-1-n])
}

func (m *expressionMachine) step(op byte) {
	switch {
	case op >= opLit0 && op < opBreg0-0x20:
		m.push(uint64(op - opLit0))
	case op >= opBreg0 && op < opBreg0+0x20:
		m.register(uint64(op - opBreg0))
	case op == opBregx:
		m.register(m.r.uleb())
	case op == opAddr, op >= opConst1u && op <= opConsts:
		m.constant(op)
	case op == opDeref:
		m.load(wordSize)
	case op == opDerefSize:
		m.load(int(m.r.u8()))
	case op >= opDup && op <= opRot:
		m.shuffle(op)
	case op == opAbs, op == opNeg, op == opNot, op == opPlusUconst:
		m.unary(op)
	case op >= opAnd && op <= opXor, op >= opEq && op <= opNe:
		m.binary(op)
	case op == opSkip, op == opBra:
		m.jump(op)
	case op == opNop:
	default:
		m.fault = errors.New("is not known")
	}
}

// register pushes a register plus an offset.
func (m *expressionMachine) register(reg uint64) {
	offset := m.r.sleb()
	if reg >= uint64(numRegisters) || m.frame.known&(1<<reg) == 0 {
		m.fault = fmt.Errorf("needs register %d, whose value is not known", reg)
		return
	}
	m.push(m.frame.regs[reg] + uint64(offset))
}

func (m *expressionMachine) constant(op byte) {
	switch op {
	case opAddr:
		// An address in the file; where the file lies in memory is not known here.
		m.fault = errors.New("names an address of the file, which no frame depends on")
	case opConst1u, opConst2u, opConst4u, opConst8u:
		m.push(m.r.fixed(1 << ((op - opConst1u) / 2)))
	case opConst1s, opConst2s, opConst4s, opConst8s:
		m.push(uint64(m.r.signed(1 << ((op - opConst1s) / 2))))
	case opConstu:
		m.push(m.r.uleb())
	case opConsts:
		m.push(uint64(m.r.sleb()))
	}
}

// load replaces an address by the size bytes that lie there.
func (m *expressionMachine) load(size int) {
	if size < 1 || size > wordSize {
		m.fault = fmt.Errorf("reads %d bytes", size)
		return
	}
	v, ok := m.mem.load(m.pop(), size)
	if !ok && m.fault == nil {
		m.fault = errExpressionMemory
	}
	m.push(v)
}

func (m *expressionMachine) shuffle(op byte) {
	switch op {
	case opDup:
		m.pick(0)
	case opDrop:
		m.pop()
	case opOver:
		m.pick(1)
	case opPick:
		m.pick(int(m.r.u8()))
	case opSwap:
		a, b := m.pop(), m.pop()
		m.push(a)
		m.push(b)
	case opRot: // the topmost becomes the third
		a, b, c := m.pop(), m.pop(), m.pop()
		m.push(a)
		m.push(c)
		m.push(b)
	}
}

func (m *expressionMachine) unary(op byte) {
	v := m.pop()
	switch op {
	case opAbs:
		if int64(v) < 0 {
			v = -v
		}
	case opNeg:
		v = -v
	case opNot:
		v = ^v
	case opPlusUconst:
		v += m.r.uleb()
	}
	m.push(v)
}

func (m *expressionMachine) binary(op byte) {
	b, a := m.pop(), m.pop()
	switch op {
	case opAnd:
		m.push(a & b)
	case opOr:
		m.push(a | b)
	case opXor:
		m.push(a ^ b)
	case opPlus:
		m.push(a + b)
	case opMinus:
		m.push(a - b)
	case opMul:
		m.push(a * b)
	case opDiv, opMod:
		m.divide(op, a, b)
	case opShl:
		m.push(a << b)
	case opShr:
		m.push(a >> b)
	case opShra:
		m.push(uint64(int64(a) >> b))
	default:
		m.compare(op, int64(a), int64(b))
	}
}

// divide: the quotient is signed, the remainder is not (DWARF 5, section 2.5.1.4; so do
// GCC and gdb).
func (m *expressionMachine) divide(op byte, a, b uint64) {
	switch {
	case b == 0:
		m.fault = errors.New("divides by zero")
	case op == opDiv:
		m.push(uint64(int64(a) / int64(b)))
	default:
		m.push(a % b)
	}
}

func (m *expressionMachine) compare(op byte, a, b int64) {
	var holds bool
	switch op {
	case opEq:
		holds = a == b
	case opGe:
		holds = a >= b
	case opGt:
		holds = a > b
	case opLe:
		holds = a <= b
	case opLt:
		holds = a < b
	case opNe:
		holds = a != b
	}
	var v uint64
	if holds {
		v = 1
	}
	m.push(v)
}

// jump moves by a signed distance from behind it, for opBra if the topmost value is not
// zero.
func (m *expressionMachine) jump(op byte) {
	distance := int(m.r.signed(2))
	if op == opBra && m.pop() == 0 {
		return
	}
	to := m.r.at + distance
	if to < m.start || to > len(m.r.data) {
		m.fault = errors.New("jumps out of the expression")
		return
	}
	m.r.at = to
}
