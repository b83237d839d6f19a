package measure

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// nativeArchs are the interfaces by which a program can call this kernel.
var nativeArchs = []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386}

// codeSegment is the register CS of a 64-bit program.
const codeSegment = 0x33

// injectFilter has the tracee, stopped before its first instruction, install a
// seccomp filter in itself: the system call is made with the kernel's own
// instruction for it in the vDSO, so that no page of the program is written to, and
// its arguments stand on the stack in the place of argc and argv for so long. All
// is as it was afterwards. On an error the filter is not there.
func injectFilter(pid int, program []unix.SockFilter) (err error) {
	var was unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &was); err != nil {
		return fmt.Errorf("PTRACE_GETREGS: %w", err)
	}
	if was.Cs != codeSegment {
		return errors.New("not a 64-bit program")
	}
	at, err := syscallInstruction(pid)
	if err != nil {
		return err
	}
	// Above the stack pointer is what execve has written there, so that no page
	// is added to the stack.
	place := uintptr(was.Rsp)
	image := filterImage(uint64(place), program)
	saved := make([]byte, len(image))
	if n, err := unix.PtracePeekData(pid, place, saved); err != nil || n != len(saved) {
		return fmt.Errorf("read the stack: %w", err)
	}
	defer func() {
		_, pokeErr := unix.PtracePokeData(pid, place, saved)
		err = errors.Join(err, pokeErr, unix.PtraceSetRegs(pid, &was))
	}()
	if _, err := unix.PtracePokeData(pid, place, image); err != nil {
		return fmt.Errorf("write to the stack: %w", err)
	}
	in := injection{pid: pid, at: at, was: was}
	defer in.resend()
	err = in.call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uint64(place))
	if errors.Is(err, unix.EACCES) {
		// Without CAP_SYS_ADMIN it must forgo the rights of set-user-ID programs
		// first, which a traced program does not get anyway.
		if err := in.call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
			return err
		}
		err = in.call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uint64(place))
	}
	return err
}

// filterImage is struct sock_fprog and behind it the program that it points to, as
// they stand at an address.
func filterImage(place uint64, program []unix.SockFilter) []byte {
	const head = 16
	image := binary.LittleEndian.AppendUint64(nil, uint64(len(program)))
	image = binary.LittleEndian.AppendUint64(image, place+head)
	for _, i := range program {
		image = binary.LittleEndian.AppendUint16(image, i.Code)
		image = append(image, i.Jt, i.Jf)
		image = binary.LittleEndian.AppendUint32(image, i.K)
	}
	return image
}

// syscallInstruction finds one in the vDSO of the process (vdso(7)), which calls the
// kernel itself where it cannot tell the time.
func syscallInstruction(pid int) (uint64, error) {
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, err
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if !strings.HasSuffix(lines.Text(), "[vdso]") {
			continue
		}
		var begin, end uint64
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x", &begin, &end); err != nil {
			return 0, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		code := make([]byte, end-begin)
		if _, err := unix.PtracePeekText(pid, uintptr(begin), code); err != nil {
			return 0, fmt.Errorf("read the vDSO: %w", err)
		}
		if i := bytes.Index(code, []byte{0x0f, 0x05}); i >= 0 {
			return begin + uint64(i), nil
		}
	}
	return 0, errors.New("no vDSO with a system call")
}

// An injection makes system calls in the place of a stopped tracee.
type injection struct {
	pid     int
	at      uint64 // where a syscall instruction stands
	was     unix.PtraceRegs
	signals []unix.Signal // what came for the tracee meanwhile
}

// call makes one system call, of up to three arguments.
func (in *injection) call(number, a, b, c uint64) error {
	regs := in.was
	regs.Rip = in.at
	regs.Rax, regs.Orig_rax = number, ^uint64(0) // not itself in a call to be begun again
	regs.Rdi, regs.Rsi, regs.Rdx, regs.R10, regs.R8 = a, b, c, 0, 0
	if err := unix.PtraceSetRegs(in.pid, &regs); err != nil {
		return fmt.Errorf("PTRACE_SETREGS: %w", err)
	}
	for {
		if err := unix.PtraceSingleStep(in.pid); err != nil {
			return fmt.Errorf("PTRACE_SINGLESTEP: %w", err)
		}
		status, err := awaitStop(in.pid)
		if err != nil {
			return err
		}
		if err := unix.PtraceGetRegs(in.pid, &regs); err != nil {
			return fmt.Errorf("PTRACE_GETREGS: %w", err)
		}
		if regs.Rip != in.at {
			break
		}
		// A signal came before the step. It is kept back.
		if in.signals = append(in.signals, status.StopSignal()); len(in.signals) > 100 {
			return fmt.Errorf("signals keep the tracee from a step, the last is %v", status.StopSignal())
		}
	}
	if result := int64(regs.Rax); result < 0 {
		return unix.Errno(-result)
	}
	return nil
}

// resend sends the signals again that were kept back.
func (in *injection) resend() {
	for _, s := range in.signals {
		_ = unix.Kill(in.pid, s)
	}
}
