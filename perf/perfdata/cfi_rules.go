package perfdata

import (
	"errors"
	"fmt"
	"math"
)

// A ruleKind says how the value that a register had in the caller is found (DWARF 5,
// section 6.4.1).
type ruleKind uint16

const (
	// ruleSame: it still holds. Also what is not specified counts as this, as for GCC's
	// own unwinder; for the stack pointer it means the frame's address.
	ruleSame          ruleKind = iota
	ruleUndefined              // it is lost; for the return address: there is no caller
	ruleOffset                 // it is saved at the frame's address plus n
	ruleValOffset              // it is the frame's address plus n
	ruleRegister               // it is in register reg, plus n for the frame's address
	ruleExpression             // it is saved where the expression says
	ruleValExpression          // it is what the expression says
)

// A rule is how one register is found. For an expression n is its offset in the section,
// as an unsigned number. The fields fill eight bytes: with a gap between them, the hash of
// a frameRule took ten times as long.
type rule struct {
	kind ruleKind
	reg  uint16
	n    int32
}

// A frameRule is how the caller's frame is found from an address: one row of the table
// that DWARF describes. It is comparable: the rows of a program have few different ones.
type frameRule struct {
	cfa    rule // the frame's address: ruleRegister or ruleValExpression
	signal bool // the caller has been interrupted: its address is no return address
	regs   [numRegisters]rule
}

// A cfiMachine runs the steps of an entry.
type cfiMachine struct {
	r       cfiReader
	section *frameSection
	cie     *cie
	loc     uint64 // the address that the rule holds from
	state
	initial *frameRule // what restore goes back to; nil in a CIE
	saved   []state
}

// A state is what remember_state remembers.
type state struct {
	rule frameRule
	// base is the last register and offset that the frame was defined by. It outlives an
	// expression, which a step that names a register alone ends.
	base rule
}

// maxSaved bounds remember_state without restore_state. Compilers nest one deep.
const maxSaved = 64

// The steps (DWARF 5, section 7.24), and those of GNU and SGI that are in use.
const (
	cfaAdvanceLoc = 0x40 // with the distance in the low six bits
	cfaOffset     = 0x80 // with the register there
	cfaRestore    = 0xc0 // with the register there

	cfaNop                = 0x00
	cfaSetLoc             = 0x01
	cfaAdvanceLoc1        = 0x02
	cfaAdvanceLoc2        = 0x03
	cfaAdvanceLoc4        = 0x04
	cfaOffsetExtended     = 0x05
	cfaRestoreExtended    = 0x06
	cfaUndefined          = 0x07
	cfaSameValue          = 0x08
	cfaRegister           = 0x09
	cfaRememberState      = 0x0a
	cfaRestoreState       = 0x0b
	cfaDefCFA             = 0x0c
	cfaDefCFARegister     = 0x0d
	cfaDefCFAOffset       = 0x0e
	cfaDefCFAExpression   = 0x0f
	cfaExpression         = 0x10
	cfaOffsetExtendedSF   = 0x11
	cfaDefCFASF           = 0x12
	cfaDefCFAOffsetSF     = 0x13
	cfaValOffset          = 0x14
	cfaValOffsetSF        = 0x15
	cfaValExpression      = 0x16
	cfaAdvanceLoc8        = 0x1d // MIPS
	cfaGNUArgsSize        = 0x2e
	cfaGNUNegativeOffsets = 0x2f
)

// step runs the next step. It reports whether the address has moved on; then the rule
// that held up to there is complete, and m.loc is the new address.
func (m *cfiMachine) step() (advance bool, err error) {
	at := m.r.at
	op := m.r.u8()
	low := uint64(op & 0x3f)
	switch op & 0xc0 {
	case cfaAdvanceLoc:
		advance, err = m.advance(low)
	case cfaOffset:
		err = m.setOffset(low, ruleOffset, m.factored(m.r.uleb()))
	case cfaRestore:
		err = m.restore(low)
	default:
		advance, err = m.extended(op)
	}
	if m.r.short {
		err = errCFIShort
	}
	if err != nil {
		return false, fmt.Errorf("step %#02x at offset %#x %w", op, at, err)
	}
	return advance, nil
}

// extended runs a step whose operation takes the whole byte.
func (m *cfiMachine) extended(op byte) (advance bool, err error) {
	switch op {
	case cfaNop:
	case cfaSetLoc:
		return m.setLoc()
	case cfaAdvanceLoc1:
		return m.advance(m.r.fixed(1))
	case cfaAdvanceLoc2:
		return m.advance(m.r.fixed(2))
	case cfaAdvanceLoc4:
		return m.advance(m.r.fixed(4))
	case cfaAdvanceLoc8:
		return m.advance(m.r.fixed(8))
	case cfaDefCFA, cfaDefCFASF, cfaDefCFARegister, cfaDefCFAOffset, cfaDefCFAOffsetSF, cfaDefCFAExpression:
		return false, m.defineCFA(op)
	case cfaRememberState:
		if len(m.saved) == maxSaved {
			return false, fmt.Errorf("remembers more than %d states", maxSaved)
		}
		m.saved = append(m.saved, m.state)
	case cfaRestoreState:
		if len(m.saved) == 0 {
			return false, errors.New("restores a state, and none is remembered")
		}
		m.state = m.saved[len(m.saved)-1]
		m.saved = m.saved[:len(m.saved)-1]
	case cfaGNUArgsSize: // for exceptions alone
		m.r.uleb()
	default:
		return false, m.registerRule(op)
	}
	return false, nil
}

// registerRule runs a step that says how one register is found.
func (m *cfiMachine) registerRule(op byte) error {
	if op != cfaOffsetExtended && op != cfaRestoreExtended && op != cfaUndefined && op != cfaSameValue &&
		op != cfaRegister && op != cfaExpression && op != cfaOffsetExtendedSF && op != cfaValOffset &&
		op != cfaValOffsetSF && op != cfaValExpression && op != cfaGNUNegativeOffsets {
		return errors.New("is not known")
	}
	reg := m.r.uleb()
	switch op {
	case cfaOffsetExtended:
		return m.setOffset(reg, ruleOffset, m.factored(m.r.uleb()))
	case cfaOffsetExtendedSF:
		return m.setOffset(reg, ruleOffset, m.factored(uint64(m.r.sleb())))
	case cfaGNUNegativeOffsets:
		return m.setOffset(reg, ruleOffset, -m.factored(m.r.uleb()))
	case cfaValOffset:
		return m.setOffset(reg, ruleValOffset, m.factored(m.r.uleb()))
	case cfaValOffsetSF:
		return m.setOffset(reg, ruleValOffset, m.factored(uint64(m.r.sleb())))
	case cfaRestoreExtended:
		return m.restore(reg)
	case cfaUndefined:
		m.set(reg, rule{kind: ruleUndefined})
	case cfaSameValue:
		m.set(reg, rule{kind: ruleSame})
	case cfaRegister:
		from := m.r.uleb()
		if from >= uint64(numRegisters) {
			m.set(reg, rule{kind: ruleUndefined}) // in one that no sample carries
			return nil
		}
		m.set(reg, rule{kind: ruleRegister, reg: uint16(from)})
	case cfaExpression:
		m.set(reg, m.expression(ruleExpression))
	case cfaValExpression:
		m.set(reg, m.expression(ruleValExpression))
	}
	return nil
}

// defineCFA runs a step that says where the frame is. As GCC's own unwinder has it, a step
// that changes the offset alone leaves an expression in force.
func (m *cfiMachine) defineCFA(op byte) error {
	reg, offset := uint64(m.base.reg), int64(m.base.n)
	switch op {
	case cfaDefCFAExpression:
		m.rule.cfa = m.expression(ruleValExpression)
		return nil
	case cfaDefCFA:
		reg, offset = m.r.uleb(), int64(m.r.uleb())
	case cfaDefCFASF:
		reg, offset = m.r.uleb(), m.factored(uint64(m.r.sleb()))
	case cfaDefCFARegister:
		reg = m.r.uleb()
	case cfaDefCFAOffset:
		offset = int64(m.r.uleb())
	case cfaDefCFAOffsetSF:
		offset = m.factored(uint64(m.r.sleb()))
	}
	whole := op == cfaDefCFA || op == cfaDefCFASF
	if !whole && m.base.kind != ruleRegister {
		return errors.New("changes a part of the frame's address, and it has none yet")
	}
	if reg >= uint64(numRegisters) {
		return fmt.Errorf("has the frame's address in register %d, which no sample carries", reg)
	}
	if offset != int64(int32(offset)) {
		return fmt.Errorf("has the offset %d, which no frame has", offset)
	}
	m.base = rule{kind: ruleRegister, reg: uint16(reg), n: int32(offset)}
	if whole || op == cfaDefCFARegister || m.rule.cfa.kind == ruleRegister {
		m.rule.cfa = m.base
	}
	return nil
}

// factored multiplies an offset by the data alignment of the CIE.
func (m *cfiMachine) factored(n uint64) int64 { return int64(n) * m.cie.dataAlign }

func (m *cfiMachine) setOffset(reg uint64, kind ruleKind, offset int64) error {
	if offset != int64(int32(offset)) {
		return fmt.Errorf("has the offset %d, which no frame has", offset)
	}
	m.set(reg, rule{kind: kind, n: int32(offset)})
	return nil
}

// set keeps a rule of a register. Registers that are not followed are passed over.
func (m *cfiMachine) set(reg uint64, r rule) {
	if reg < uint64(numRegisters) {
		m.rule.regs[reg] = r
	}
}

func (m *cfiMachine) restore(reg uint64) error {
	if m.initial == nil {
		return errors.New("goes back to the rules of a common entry, and stands in one")
	}
	if reg < uint64(numRegisters) {
		m.rule.regs[reg] = m.initial.regs[reg]
	}
	return nil
}

// expression keeps where an expression stands, and passes it over.
func (m *cfiMachine) expression(kind ruleKind) rule {
	at := m.r.at
	m.r.bytes(m.r.uleb())
	return rule{kind: kind, n: int32(uint32(at))}
}

func (m *cfiMachine) advance(delta uint64) (bool, error) {
	if m.cie.codeAlign != 0 && delta > math.MaxUint64/m.cie.codeAlign {
		return false, errors.New("moves beyond all addresses")
	}
	delta *= m.cie.codeAlign
	if delta > math.MaxUint64-m.loc {
		return false, errors.New("moves beyond all addresses")
	}
	m.loc += delta
	return delta > 0, nil
}

func (m *cfiMachine) setLoc() (bool, error) {
	loc, err := m.r.pointer(m.cie.encoding, m.section.bases)
	if err != nil {
		return false, err
	}
	if loc < m.loc {
		return false, fmt.Errorf("moves back from %#x to %#x", m.loc, loc)
	}
	moved := loc > m.loc
	m.loc = loc
	return moved, nil
}

// run runs the steps of a function and calls row for each stretch of addresses that has a
// rule of its own: it holds from start up to the next call's start, the last one up to
// the function's end. The rule is overwritten after the call. At a fault, of which row's
// error is one, the rows before it have been called for, and the address from which
// nothing is known is returned.
func (f *functionEntry) run(s *frameSection, row func(start uint64, r *frameRule) error) (faultAt uint64, err error) {
	m := cfiMachine{r: f.steps, section: s, cie: f.cie, loc: f.start, state: f.cie.initial, initial: &f.cie.initial.rule}
	end := f.start + f.size
	from := f.start
	for m.r.left() > 0 && m.loc < end {
		advance, err := m.step()
		if err != nil {
			return from, err
		}
		if !advance {
			continue
		}
		if err := row(from, &m.rule); err != nil {
			return from, err
		}
		from = m.loc
	}
	if from < end {
		return from, row(from, &m.rule)
	}
	return 0, nil
}
