package profiler

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attrSize is how much of struct perf_event_attr is used: PERF_ATTR_SIZE_VER5, which
// Linux has known since 4.8 and every perf of today reads.
const attrSize = 112

// bitBuildID, for which the library has no name, makes mappings come with the build-id of
// their file (Linux 5.12).
const bitBuildID = unix.CBitFieldMaskBit34

// sampled is what a sample tells, in every mode. The identifier comes first in a sample
// and last in other records, so that a reader finds the event before it knows its form.
const sampled = unix.PERF_SAMPLE_IDENTIFIER | unix.PERF_SAMPLE_IP | unix.PERF_SAMPLE_TID | unix.PERF_SAMPLE_TIME |
	unix.PERF_SAMPLE_CPU | unix.PERF_SAMPLE_PERIOD | unix.PERF_SAMPLE_CALLCHAIN

// cpuClock is the event that every machine has: a timer of the kernel that runs while a
// thread does. Its periods are nanoseconds.
const cpuClock = "cpu-clock"

// cycles is the event of machines with counters.
const cycles = "cycles"

// A sampling is an event in the form that this kernel takes.
type sampling struct {
	attr unix.PerfEventAttr
	name string
	// ofKernel says that the event happens in the kernel, so that without it there is none.
	ofKernel bool
}

// cpuSampling asks for all; weaken takes away what the kernel refuses. Cycles are counted
// also where the kernel cannot be interrupted by a timer.
func cpuSampling(g callGraph, frequency int) sampling {
	s := sampling{name: cycles, attr: unix.PerfEventAttr{
		Type: unix.PERF_TYPE_HARDWARE, Config: unix.PERF_COUNT_HW_CPU_CYCLES, Size: attrSize,
		Sample: uint64(frequency), Sample_type: sampled, Read_format: unix.PERF_FORMAT_LOST,
		// Disabled until a process that inherits it calls execve; then all that this
		// process starts inherits it enabled. So nothing of the recorder is recorded, and
		// of the command everything from its execve on.
		Bits: unix.PerfBitDisabled | unix.PerfBitEnableOnExec | unix.PerfBitInherit | unix.PerfBitFreq | unix.PerfBitWatermark |
			unix.PerfBitMmap | unix.PerfBitMmap2 | unix.PerfBitComm | unix.PerfBitCommExec | unix.PerfBitTask |
			unix.PerfBitSampleIDAll | unix.PerfBitExcludeGuest | unix.PerfBitExcludeHv | bitBuildID,
	}}
	if g.stack > 0 {
		s.attr.Sample_type |= unix.PERF_SAMPLE_REGS_USER | unix.PERF_SAMPLE_STACK_USER
		// The chain is the kernel's part then. Mappings of data are what perf script finds
		// the tables for unwinding in.
		s.attr.Bits |= unix.PerfBitExcludeCallchainUser | unix.PerfBitMmapData
		s.attr.Sample_regs_user = userRegisters
		s.attr.Sample_stack_user = uint32(g.stack)
	}
	return s
}

// manySwitches is how many switches a second the buffers are made for.
const manySwitches = 5000

// switchSampling takes each switch away from the CPU for a sample, with the stack of the
// thread that goes. Records of switches tell when it comes back, and whether it went of its
// own accord. Unlike the tracepoint sched:sched_switch they need no tracefs, and no other
// task is seen.
func switchSampling(g callGraph) sampling {
	s := cpuSampling(g, 0)
	s.name, s.ofKernel = "context-switches", true
	s.attr.Type, s.attr.Config, s.attr.Sample = unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CONTEXT_SWITCHES, 1
	s.attr.Bits = s.attr.Bits&^unix.PerfBitFreq | unix.PerfBitContextSwitch
	return s
}

// weaken takes away what may be the reason of a refusal; false if nothing is left.
func (s *sampling) weaken(err error) bool {
	switch {
	case s.attr.Type == unix.PERF_TYPE_HARDWARE && !isPermission(err):
		// No counters, as on most virtual machines; or not on every CPU, where those of one
		// machine differ.
		s.name, s.attr.Type, s.attr.Config = cpuClock, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CPU_CLOCK
	case isPermission(err) && s.attr.Bits&unix.PerfBitExcludeKernel == 0 && !s.ofKernel:
		s.attr.Bits |= unix.PerfBitExcludeKernel
	case errors.Is(err, unix.EINVAL) && s.attr.Read_format != 0:
		s.attr.Read_format = 0 // before Linux 6.0
	case errors.Is(err, unix.EINVAL) && s.attr.Bits&bitBuildID != 0:
		s.attr.Bits &^= bitBuildID
	default:
		return false
	}
	return true
}

func isPermission(err error) bool { return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) }

// kernelToo reports whether samples of the kernel are taken as well.
func (s *sampling) kernelToo() bool { return s.attr.Bits&unix.PerfBitExcludeKernel == 0 }

// bytes is the attribute as it stands in memory.
func (s *sampling) bytes() []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&s.attr)), attrSize)...)
}

// sampleBytes is about how large a sample is.
func (s *sampling) sampleBytes() int { return 512 + int(s.attr.Sample_stack_user) }

// open opens the event for the calling thread on a CPU. The thread is not observed, as it
// does not call execve: what it starts inherits the event. The caller has locked it.
func (s *sampling) open(cpu int) (int, error) {
	return unix.PerfEventOpen(&s.attr, 0, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
}

// openGuard opens an event of the same kind that is not inherited and counts nothing. A process
// that has inherited all events of its parent is a copy in the eyes of the kernel, which
// then exchanges the events of both where it switches from one to the other, to save time.
// It would be the recorder's own that are enabled by execve and end with the process, and
// what is started next would be recorded no more. With one event less it is no copy.
func (s *sampling) openGuard() (int, error) {
	attr := unix.PerfEventAttr{
		Type: s.attr.Type, Config: s.attr.Config, Size: attrSize,
		Bits: unix.PerfBitDisabled | s.attr.Bits&unix.PerfBitExcludeKernel,
	}
	return unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
}

// eventID is the number that records name an event by.
func eventID(fd int) (uint64, error) {
	var id uint64
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_ID, uintptr(unsafe.Pointer(&id))); errno != 0 {
		return 0, fmt.Errorf("asking for the id of an event: %w", errno)
	}
	return id, nil
}

// lostSamples is how many samples of an event found no room.
func (s *sampling) lostSamples(fd int) (uint64, error) {
	if s.attr.Read_format == 0 {
		return 0, nil // only LOST records tell
	}
	var count [2]uint64 // the value, and how many were lost
	if err := readNumbers(fd, count[:]); err != nil {
		return 0, fmt.Errorf("asking for lost samples: %w", err)
	}
	return count[1], nil
}

// readNumbers reads what an event has counted.
func readNumbers(fd int, out []uint64) error {
	p := unsafe.Slice((*byte)(unsafe.Pointer(&out[0])), 8*len(out))
	n, err := unix.Read(fd, p)
	if err == nil && n < len(p) {
		err = fmt.Errorf("%d bytes of %d", n, len(p))
	}
	return err
}

// taskClock opens a counter of the CPU time of all that the calling thread starts; -1
// where there is none.
func taskClock() int {
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_TASK_CLOCK, Size: attrSize,
		Bits: unix.PerfBitDisabled | unix.PerfBitEnableOnExec | unix.PerfBitInherit,
	}
	for {
		fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
		switch {
		case err == nil:
			return fd
		case !isPermission(err) || attr.Bits&unix.PerfBitExcludeKernel != 0:
			return -1
		}
		attr.Bits |= unix.PerfBitExcludeKernel
	}
}

// allowedFrequency is how often the kernel lets an event be sampled. It lowers the bound
// by itself on machines where a sample takes long (perf_cpu_time_max_percent).
func allowedFrequency(wanted int) int {
	if most := sysctl("kernel/perf_event_max_sample_rate", wanted); most > 0 {
		return min(wanted, most)
	}
	return wanted
}

// sysctl reads a setting that is a number.
func sysctl(name string, otherwise int) int {
	data, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return otherwise
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return otherwise
	}
	return n
}

// onlineCPUs are the CPUs that threads can run on. An event is opened for each: one that
// children inherit has a buffer on its own CPU only.
func onlineCPUs() ([]int, error) {
	const name = "/sys/devices/system/cpu/online"
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("which CPUs there are: %w", err)
	}
	var out []int
	for part := range strings.SplitSeq(strings.TrimSpace(string(data)), ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		to := from
		if err == nil && isRange {
			to, err = strconv.Atoi(last)
		}
		if err != nil {
			return nil, fmt.Errorf("which CPUs there are: %s: %w", name, err)
		}
		for cpu := from; cpu <= to; cpu++ {
			out = append(out, cpu)
		}
	}
	return out, nil
}
