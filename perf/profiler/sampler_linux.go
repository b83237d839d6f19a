package profiler

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seanchatmangpt/clnrm-perf/perf/perfdata"
)

// A sampler records what the thread starts that has opened it, by an event and a ring on
// each CPU. That thread must be locked to its goroutine as long as the sampler is open:
// the event is the thread's, and what inherits it is what it forks. (Go never clones a
// locked thread for its own purposes.)
type sampler struct {
	sampling
	rings []*ring
	guard int // an event that is not inherited; see openGuard
	clock int // counts the CPU time; -1: nothing does
	out   *perfdata.Writer
	wake  int // an eventfd: the last round, please
	done  chan error
	fail  func(error) // ends the recording

	periods *periods // of runs; nil: all have one

	tally
	cost time.Duration // CPU time of the thread that reads the rings
}

// openSampler opens the event in the strongest form that the kernel takes, with the
// largest rings that it lets this user have, up to most bytes.
func openSampler(kind Kind, g callGraph, frequency, most int) (*sampler, error) {
	if g.stack > 0 && userRegisters == 0 {
		return nil, &refusal{reason: "user stacks cannot be recorded on " + runtime.GOARCH, remedy: "build with frame pointers (-fno-omit-frame-pointer)"}
	}
	cpus, err := onlineCPUs()
	if err != nil {
		return nil, err
	}
	s := &sampler{sampling: cpuSampling(g, allowedFrequency(frequency)), guard: -1, clock: -1, wake: -1}
	if kind == KindOffCPU {
		s.sampling, frequency = switchSampling(g), manySwitches
	}
	size := min(ringSize(s.sampleBytes(), frequency, len(cpus)), most)
	for {
		err := s.openRings(cpus, size)
		if err == nil {
			break
		}
		s.closeRings()
		mapping, isMapping := errors.AsType[*mapError](err)
		switch {
		case isMapping && size > leastRing:
			size /= 2 // others of this user may have some of what may be locked
		case isMapping:
			return nil, mapping.refused(size, len(cpus))
		case !s.weaken(err):
			return nil, refusedBy(err, circumstances{paranoid(), os.Geteuid() == 0, seccomp(), s.ofKernel})
		}
	}
	if s.guard, err = s.openGuard(); err != nil {
		s.close()
		return nil, fmt.Errorf("opening an event for the recorder itself: %w", err)
	}
	s.clock = taskClock()
	return s, nil
}

// A mapError is a ring that could not be mapped, or was too small.
type mapError struct{ error }

func (e *mapError) Unwrap() error { return e.error }

// openRings opens the event on each CPU. One that has gone offline meanwhile is left out.
func (s *sampler) openRings(cpus []int, size int) error {
	// A quarter full is early enough to be read in time, and rare enough to be cheap.
	s.attr.Wakeup = uint32(size / 4)
	for _, cpu := range cpus {
		fd, err := s.open(cpu)
		if errors.Is(err, unix.ENODEV) && s.attr.Type == unix.PERF_TYPE_SOFTWARE {
			continue
		}
		if err != nil {
			return err
		}
		r, err := mapRing(fd, size)
		if err != nil {
			_ = unix.Close(fd) // it was not used
			return &mapError{err}
		}
		s.rings = append(s.rings, r)
	}
	if len(s.rings) == 0 {
		return unix.ENODEV
	}
	return nil
}

func (s *sampler) closeRings() {
	for _, r := range s.rings {
		_ = r.unmap() // nothing is lost: all was read
		_ = unix.Close(r.fd)
	}
	s.rings = nil
}

// start begins to write what is recorded into a file. fail is called where that ends
// before it is to.
func (s *sampler) start(file *os.File, fail func(error)) error {
	event := perfdata.EventAttr{Attr: s.bytes(), Name: s.name}
	for _, r := range s.rings {
		id, err := eventID(r.fd)
		if err != nil {
			return err
		}
		event.IDs = append(event.IDs, id)
	}
	var err error
	if s.out, err = perfdata.NewWriter(file, machine(), event); err != nil {
		return err
	}
	if start := kernelText(); start != 0 && s.kernelToo() {
		if err := s.out.KernelText(start); err != nil {
			return err
		}
	}
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("opening an eventfd: %w", err)
	}
	s.fail, s.done = fail, make(chan error, 1)
	go func() { s.done <- s.read() }()
	return nil
}

// stop ends the goroutine that reads the rings, after a last round.
func (s *sampler) stop() error {
	if s.done == nil {
		return nil
	}
	_, err := unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 1}) // not 0 in any byte order
	if err != nil {
		return fmt.Errorf("waking the reader of samples: %w", err)
	}
	err = <-s.done
	s.done = nil
	return err
}

// finish ends the writing, when all that was recorded has ended. It says how much CPU time
// that took, 0 where it is not known.
func (s *sampler) finish() (cpu time.Duration, err error) {
	if err := s.stop(); err != nil {
		return 0, err
	}
	var lost uint64
	for _, r := range s.rings {
		n, err := s.lostSamples(r.fd)
		if err != nil {
			return 0, err
		}
		lost += n
	}
	// Its records tell of a loss only when there is room again.
	if lost > 0 {
		if err := s.out.LostSamples(lost); err != nil {
			return 0, err
		}
	}
	s.lost = max(s.lost, lost)
	var clock [1]uint64
	if s.clock >= 0 && readNumbers(s.clock, clock[:]) == nil {
		cpu = time.Duration(clock[0])
	}
	return cpu, s.out.Finish()
}

// close gives back what the kernel lends.
func (s *sampler) close() {
	_ = s.stop() // a recording that failed before: the error is known
	s.closeRings()
	for _, fd := range []int{s.guard, s.clock, s.wake} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// read empties the rings whenever one is a quarter full, until it is told that all is over,
// and then once more. It has a thread of its own, so that its CPU time can be told.
func (s *sampler) read() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadCPU()
	defer func() { s.cost = threadCPU() - before }()
	polled := []unix.PollFd{{Fd: int32(s.wake), Events: unix.POLLIN}}
	for _, r := range s.rings {
		polled = append(polled, unix.PollFd{Fd: int32(r.fd), Events: unix.POLLIN})
	}
	for {
		if _, err := unix.Poll(polled, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return s.failed(fmt.Errorf("waiting for samples: %w", err))
		}
		last := polled[0].Revents != 0
		if err := s.round(); err != nil {
			return s.failed(err)
		}
		if last {
			return nil
		}
		for i := range polled[1:] {
			if polled[1+i].Revents&(unix.POLLHUP|unix.POLLERR) != 0 {
				polled[1+i].Fd = -1 // nobody is left whom it could observe: it would never block
			}
		}
	}
}

func (s *sampler) failed(err error) error {
	s.fail(err)
	return err
}

// round empties every ring once.
func (s *sampler) round() error {
	any := false
	for _, r := range s.rings {
		some, err := r.drain(s.out, &s.tally)
		if err != nil {
			return fmt.Errorf("writing samples: %w", err)
		}
		any = any || some
	}
	if !any {
		return nil
	}
	return s.out.FinishedRound()
}

// threadCPU is the CPU time of the calling thread.
func threadCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// machine is the architecture as uname -m says it.
func machine() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOARCH
	}
	return unix.ByteSliceToString(u.Machine[:])
}

// kernelRelease is the kernel's version.
func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "Linux"
	}
	return "Linux " + unix.ByteSliceToString(u.Release[:])
}

// kernelText is where the kernel's code begins; 0 where it does not tell this user. The
// symbol is among the first of a hundred thousand.
func kernelText() uint64 {
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // it was only read
	lines := bufio.NewScanner(f)
	for range 10_000 {
		if !lines.Scan() {
			return 0
		}
		words := strings.Fields(lines.Text())
		if len(words) > 2 && (words[2] == "_text" || words[2] == "_stext") {
			start, err := strconv.ParseUint(words[0], 16, 64)
			if err != nil {
				return 0
			}
			return start
		}
	}
	return 0
}

// circumstances are what a refusal can come from.
type circumstances struct {
	paranoid int  // the level
	root     bool // this process is root's
	filtered bool // its system calls are
	ofKernel bool // the event is one of the kernel's own
}

// refusedBy explains why perf_event_open failed.
func refusedBy(err error, c circumstances) *refusal {
	switch {
	case errors.Is(err, unix.ENOSYS):
		return &refusal{"this kernel has no perf_event_open", "it needs CONFIG_PERF_EVENTS, which sandboxes such as gVisor do not offer", err}
	case isPermission(err) && c.paranoid > 2 && !c.root:
		return &refusal{fmt.Sprintf("the kernel lets only root record (%s is %d)", paranoidFile, c.paranoid), "sysctl kernel.perf_event_paranoid=2 lets everybody record his own programs", err}
	case isPermission(err) && c.filtered:
		return &refusal{"a seccomp filter, as containers have, refuses perf_event_open", "start the container with --cap-add=PERFMON, or with a profile that allows the call (--security-opt seccomp=FILE)", err}
	case isPermission(err) && c.ofKernel && !c.root:
		return &refusal{fmt.Sprintf(hiddenSwitches, c.paranoid), showSwitches, err}
	case errors.Is(err, unix.EMFILE):
		return &refusal{"this process may not open as many files as there are CPUs", "raise the limit (ulimit -n)", err}
	}
	return &refusal{fmt.Sprintf("perf_event_open: %v", err), "see perf_event_open(2)", err}
}

// refused explains a ring that could not be mapped.
func (e *mapError) refused(size, cpus int) *refusal {
	return &refusal{
		fmt.Sprintf("%d buffers of %d KB for samples cannot be locked in memory (%v)", cpus, size>>10, e.error),
		fmt.Sprintf("end other recordings of this user, or raise kernel.perf_event_mlock_kb (it is %d for each CPU)", sysctl("kernel/perf_event_mlock_kb", 0)), e,
	}
}

// seccomp reports whether system calls of this process are filtered (proc(5)).
func seccomp() bool {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	_, after, found := strings.Cut(string(data), "\nSeccomp:")
	mode, _, _ := strings.Cut(strings.TrimSpace(after), "\n")
	return found && cmp.Or(mode, "0") != "0"
}
