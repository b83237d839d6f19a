package perfdata

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// What has to be known about an architecture stands in this file. It is named so
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

// abi64 marks registers of a thread that runs in 64-bit mode (PERF_SAMPLE_REGS_ABI_64).
const abi64 = 2

// perfRegisters are the numbers of x86-64's registers in a sample's mask (the kernel's
// asm/perf_regs.h), by DWARF's numbers.
var perfRegisters = [17]uint8{0: 0, 1: 3, 2: 2, 3: 1, 4: 4, 5: 5, 6: 6, 7: 7, 8: 16, 9: 17, 10: 18, 11: 19, 12: 20, 13: 21, 14: 22, 15: 23, 16: 8}

// unwinds reports whether the stacks of an architecture are unwound, by its name from
// uname(2). A recording that does not tell is taken as one of x86-64.
func unwinds(arch string) bool { return arch == "" || arch == "x86_64" }

// userRegisters puts the registers of a sample in DWARF's order. It fails where the mask
// leaves out those that every stack needs.
func userRegisters(mask uint64, values []byte) (r registers, ok bool) {
	for dwarf, perf := range perfRegisters {
		bit := uint64(1) << perf
		if mask&bit == 0 {
			if dwarf == regRSP || dwarf == regRIP {
				return r, false
			}
			continue
		}
		at := 8 * bits.OnesCount64(mask&(bit-1))
		if at+8 > len(values) {
			return r, false
		}
		r[dwarf] = order.Uint64(values[at:])
	}
	return r, true
}

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

// signalReturns are what the C libraries and Go end a signal handler with: the number of
// the system call rt_sigreturn, in one of two encodings, and the call.
var signalReturns = [][]byte{
	{0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05}, // mov $15,%rax; syscall
	{0xb8, 15, 0, 0, 0, 0x0f, 0x05},             // mov $15,%eax; syscall
}

// longestSignalReturn is the length of the longer one.
const longestSignalReturn = 9

func isSignalReturn(code []byte) bool {
	for _, s := range signalReturns {
		if bytes.HasPrefix(code, s) {
			return true
		}
	}
	return false
}

// stubSections hold the stubs through which calls to other objects go. GNU ld describes
// them in .eh_frame; LLVM's linker, which Rust uses, describes none, and nobody those of
// static programs.
var stubSections = []string{".plt", ".plt.sec", ".plt.got", ".iplt"}

// splitSections hold the functions _init and _fini, of which the C library begins and ends
// the code in one file each (crti.o, crtn.o) and describes none.
var splitSections = []string{".init", ".fini"}

// stubSection is the name of what is made here.
const stubSection = "call stubs"

// stubFrames describes the stubs of an object as a linker would, and what is as little
// described. What the linker itself has described goes before it.
func stubFrames(o *object) (*frameSection, error) {
	// The frame of a stub is that of the call which led to it, 8 above rsp; the return
	// address is at its end.
	cie := []byte{1, 0, 1, 0x78, regRIP, cfaDefCFA, regRSP, wordSize, cfaOffset | regRIP, 1}
	b := appendFrameEntry(nil, math.MaxUint32, cie)
	empty := len(b)
	for _, name := range slices.Concat(stubSections, splitSections) {
		if s := o.elf.Section(name); s == nil || s.Flags&elf.SHF_EXECINSTR == 0 || s.Size > maxFrameSection {
			continue
		}
		code, address, err := o.section(name)
		if err != nil {
			return nil, err
		}
		steps := lazyStubSteps(code)
		if slices.Contains(splitSections, name) {
			if steps = splitSteps(code); steps == nil {
				continue // of another library, which may do anything
			}
		}
		b = appendCodeFrame(b, address, uint64(len(code)), steps...)
	}
	b, err := appendEndFrames(b, o)
	if err != nil || len(b) == empty {
		return nil, err
	}
	return &frameSection{name: stubSection, debug: true, data: b}, nil
}

// appendFrameEntry appends an entry in the form of .debug_frame.
func appendFrameEntry(b []byte, id uint32, body []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(4+len(body)))
	b = binary.LittleEndian.AppendUint32(b, id)
	return append(b, body...)
}

// endBranch is the instruction that an indirect jump may lead to where they are checked.
var endBranch = []byte{0xf3, 0x0f, 0x1e, 0xfa}

// splitForms are how the C libraries begin and end what lies in the splitSections.
var splitForms = []struct{ begin, end string }{
	{"\x48\x83\xec\x08", "\x48\x83\xc4\x08\xc3"}, // glibc: sub $8,%rsp; add $8,%rsp; ret
	{"\x50", "\x58\xc3"},                         // musl: push %rax; pop %rax; ret
}

// splitSteps are the steps for such a function, or nil if it has none of the forms. Between
// its begin and its end, one word more is on the stack.
func splitSteps(code []byte) []byte {
	rest := bytes.TrimPrefix(code, endBranch)
	before := len(code) - len(rest)
	for _, f := range splitForms {
		middle := len(rest) - len(f.begin) - 1
		if len(rest) < len(f.begin)+len(f.end) || !bytes.HasPrefix(rest, []byte(f.begin)) || !bytes.HasSuffix(rest, []byte(f.end)) {
			continue
		}
		steps := []byte{cfaAdvanceLoc | byte(before+len(f.begin)), cfaDefCFAOffset, 2 * wordSize, cfaAdvanceLoc4}
		steps = binary.LittleEndian.AppendUint32(steps, uint32(middle))
		return append(steps, cfaDefCFAOffset, wordSize)
	}
	return nil
}

// lazyStubSteps are the steps for stubs that bind late (System V ABI for AMD64, section
// 5.2), which push: the first of 16 bytes one word more on top of the one that led there,
// at its sixth byte; each other one a word, behind what comes before its jump to the
// first. Other stubs only jump, and need no steps.
func lazyStubSteps(code []byte) []byte {
	const first = "\xff\x35" // push what lies at rip+n
	if len(code) < 32 || string(code[:2]) != first {
		return nil
	}
	pushed := byte(11) // jmp, 6 bytes; push, 5
	if bytes.HasPrefix(code[16:], endBranch) {
		pushed = 9 // endbr64, 4 bytes; push, 5
	}
	return []byte{
		cfaDefCFAOffset, 2 * wordSize, cfaAdvanceLoc | 6, cfaDefCFAOffset, 3 * wordSize, cfaAdvanceLoc | 10,
		// rsp + 8 + (rip&15 >= pushed)<<3
		cfaDefCFAExpression, 11, opBreg0 + regRSP, wordSize, opBreg0 + regRIP, 0,
		opLit0 + 15, opAnd, opLit0 + pushed, opGe, opLit0 + 3, opShl, opPlus,
	}
}

// threadBegins are the instructions behind which a new thread of Go runs, in the function
// that makes it: the system call, and the return of the thread that has made it.
var threadBegins = []string{"\x0f\x05", "\xc3"}

// span is the part of a function's code, from one offset to another, in which it is an end.
func (end goEnd) span(code []byte) (from, to int) {
	if !end.switches {
		for _, instruction := range end.after {
			i := bytes.Index(code[from:], []byte(instruction))
			if i < 0 {
				return 0, 0
			}
			from += i + len(instruction)
		}
		return from, len(code)
	}
	if from = loadsStackPointer(code); from < 0 {
		return 0, 0
	}
	if n := loadsStackPointer(code[from:]); n >= 0 {
		return from, from + n // back to the stack of the callers
	}
	return from, len(code)
}

// loadsStackPointer is the offset behind the first instruction that gives rsp another value:
// mov n(register),%rsp, as Go's runtime has it, or mov register,%rsp; -1: there is none.
func loadsStackPointer(code []byte) int {
	for i := 0; i+4 <= len(code); i++ {
		rex, op, modrm := code[i], code[i+1], code[i+2]
		switch {
		case rex&0xfe != 0x48:
		case op == 0x8b && modrm&0xf8 == 0x60 && modrm != 0x64: // in memory, a byte away from a register
			return i + 4
		case op == 0x89 && modrm&0xc7 == 0xc4:
			return i + 3
		}
	}
	return -1
}
