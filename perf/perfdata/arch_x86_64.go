package perfdata

import (
	"debug/elf"
	"fmt"
)

// What unwinding has to know about an architecture stands in this file. It is named so
// that no system leaves it out: a recording of x86-64 is read anywhere.

// The DWARF numbers of the registers that unwinding treats by name (System V ABI for
// AMD64, figure 3.36).
const (
	regRBP = 6
	regRSP = 7
	regRIP = 16
	// numRegisters bounds the columns that are followed. What lies above (SSE, x87,
	// segments) never says where a frame is.
	numRegisters = len(registers{})
)

// wordSize is the size of an address and of a saved register.
const wordSize = 8

// allRegisters has one bit for each register.
const allRegisters = 1<<numRegisters - 1

// framePointerLeaves are the registers that are still known after a step along the frame
// pointer. Such code may have changed every other one, and nothing says where they went.
const framePointerLeaves = 1<<regRBP | 1<<regRSP | 1<<regRIP

// unwindable says why the stacks of an object cannot be unwound, or nil. On arm64 a stack
// dump would need 33 registers and the mask of the pointer authentication, which
// [registers] do not hold; there perf's own frame-pointer chains are what is read.
func unwindable(e *elf.File) error {
	switch {
	case e.Machine != elf.EM_X86_64:
		return fmt.Errorf("stack dumps are unwound for x86-64 only, not for %v; record with frame pointers instead", e.Machine)
	case e.Class != elf.ELFCLASS64:
		return fmt.Errorf("stack dumps are unwound for 64-bit programs only, not for %v; record with frame pointers instead", e.Class)
	case e.Type == elf.ET_REL:
		return fmt.Errorf("%v is not linked: its unwind tables have no addresses yet", e.Type)
	}
	return nil
}
