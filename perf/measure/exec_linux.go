package measure

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a process holds when it calls execve is gone at the event that ptrace(2) has
// for it, so a tracer must stop it on the way in. Two ways lead there: a seccomp
// filter (seccomp(2)) that the whole tree inherits, which stops at nothing else and
// costs the other system calls next to nothing; or a stop at each system call.

// A call is a system call that the tracer wants to know of.
type call int

const (
	callOther call = iota
	callExec
	callPtrace
)

// callNumbers are the numbers of a system call interface.
type callNumbers struct{ exec, ptrace []uint32 }

// x32 marks the calls of that interface, which has the architecture of amd64.
const x32 = 0x40000000

// watched holds them by architecture (AUDIT_ARCH_*, linux/audit.h), since 32-bit
// programs may be called in a 64-bit tree.
var watched = map[uint32]callNumbers{
	unix.AUDIT_ARCH_X86_64:      {[]uint32{59, 322, x32 | 520, x32 | 545}, []uint32{101, x32 | 521}},
	unix.AUDIT_ARCH_I386:        {[]uint32{11, 358}, []uint32{26}},
	unix.AUDIT_ARCH_AARCH64:     {[]uint32{221, 281}, []uint32{117}},
	unix.AUDIT_ARCH_ARM:         {[]uint32{11, 387}, []uint32{26}},
	unix.AUDIT_ARCH_RISCV64:     {[]uint32{221, 281}, []uint32{117}},
	unix.AUDIT_ARCH_LOONGARCH64: {[]uint32{221, 281}, []uint32{117}},
	unix.AUDIT_ARCH_PPC64LE:     {[]uint32{11, 362}, []uint32{26}},
	unix.AUDIT_ARCH_S390X:       {[]uint32{11, 354}, []uint32{26}},
}

// watchExec makes the command, stopped before its first instruction, stop whenever
// it or its tree calls execve, and returns the options of ptrace that takes.
func (t *tracer) watchExec() (options uintptr) {
	t.resume = unix.PTRACE_CONT
	if !t.noFilter && injectFilter(t.pid, filter()) == nil {
		return unix.PTRACE_O_TRACESECCOMP
	}
	if _, err := syscallInfo(t.pid); err != nil {
		t.census.unbounded = fmt.Sprintf("what processes held before execve cannot be seen here (seccomp filters are refused, and PTRACE_GET_SYSCALL_INFO needs Linux 5.3: %v)", err)
		return 0
	}
	t.resume = unix.PTRACE_SYSCALL
	return unix.PTRACE_O_TRACESYSGOOD
}

// syscallStop is the signal of a stop at a system call, under PTRACE_O_TRACESYSGOOD.
const syscallStop = unix.SIGTRAP | 0x80

// A syscallRecord is the head of struct ptrace_syscall_info (ptrace(2)).
type syscallRecord struct {
	op     uint8 // opNone, opEntry, ...
	_      [3]uint8
	arch   uint32
	_, _   uint64 // instruction and stack pointer
	number uint64
	_      [7]uint64
}

const opEntry = 1

func syscallInfo(tid int) (syscallRecord, error) {
	var r syscallRecord
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(r), uintptr(unsafe.Pointer(&r)), 0, 0)
	if errno != 0 {
		return r, errno
	}
	return r, nil
}

// enteredCall is what a tracee calls that stopped at a system call, callOther on
// the way out.
func enteredCall(tid int) call {
	r, err := syscallInfo(tid)
	if err != nil || r.op != opEntry {
		return callOther
	}
	return watched[r.arch].call(uint32(r.number))
}

// call says which of the calls a number is.
func (n callNumbers) call(number uint32) call {
	for _, exec := range n.exec {
		if number == exec {
			return callExec
		}
	}
	for _, ptrace := range n.ptrace {
		if number == ptrace {
			return callPtrace
		}
	}
	return callOther
}

// filteredCall is what a tracee calls that our filter stopped. If a filter of its
// own stopped it, the data are others, and it is taken for execve to be safe.
func filteredCall(tid int) call {
	if data, err := unix.PtraceGetEventMsg(tid); err == nil && data == uint(callPtrace) {
		return callPtrace
	}
	return callExec
}

// filter is the seccomp program: it has the tracer told of the calls that are
// watched, by the numbers of the architecture that the call is made with, and
// allows all. It stays in the tree until that ends, with its tracer at the latest.
func filter() []unix.SockFilter {
	// struct seccomp_data begins with the number and the architecture.
	const number, arch = 0, 4
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	unless := func(value uint32, skip int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: uint8(skip)}
	}
	yield := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	program := []unix.SockFilter{load(arch)}
	for _, a := range nativeArchs {
		block := []unix.SockFilter{load(number)}
		for _, n := range watched[a].exec {
			block = append(block, unless(n, 1), yield(unix.SECCOMP_RET_TRACE|uint32(callExec)))
		}
		for _, n := range watched[a].ptrace {
			block = append(block, unless(n, 1), yield(unix.SECCOMP_RET_TRACE|uint32(callPtrace)))
		}
		block = append(block, yield(unix.SECCOMP_RET_ALLOW))
		program = append(append(program, unless(a, len(block))), block...)
	}
	return append(program, yield(unix.SECCOMP_RET_ALLOW))
}
