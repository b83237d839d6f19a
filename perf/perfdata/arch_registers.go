package perfdata

import (
	"bytes"
	"math/bits"
)

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
