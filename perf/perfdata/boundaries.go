package perfdata

// What the parts of the package promise each other.

// registers are a thread's user registers by their DWARF numbers. On x86-64: rax 0, rdx 1,
// rcx 2, rbx 3, rsi 4, rdi 5, rbp 6, rsp 7, r8 to r15 8 to 15, rip 16 (System V ABI for
// AMD64, figure 3.36).
type registers [17]uint64

// A memory is the part of a stack that a sample carries: data starts at address base.
type memory struct {
	base uint64
	data []byte
}

// A Frame is one function at one place of a stack. One address can be several: functions
// that the compiler has copied into others.
type Frame struct {
	Name    string // demangled
	Symbol  string // as the linker knows it; "" for an inlined one that has none
	File    string
	Line    int
	Start   int // the line where the function begins; 0: not known
	Inlined bool
}
