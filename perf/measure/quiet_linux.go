package measure

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// quietLook is how long the CPUs are watched before one is chosen. The kernel counts
// their time in steps of 10 ms.
const quietLook = 200 * time.Millisecond

// A Seat is the CPU on which single-threaded commands are run, and this process is not.
type Seat struct {
	CPU int
	All []int              // this one and those that this process was moved to
	old unix.CPUSetDynamic // where this process was allowed to run before
}

// TakeSeat watches the CPUs that this process may use for 0.2 s, picks the one that
// was idle most, and moves this process to the others, so that measuring does not
// disturb what is measured. A command is bound to the seat by [Command.CPUs]. Where
// there is only one CPU there is no seat, and the error says so.
//
// The caller must give the seat back.
func TakeSeat(ctx context.Context) (*Seat, error) {
	allowed := allowedCPUs()
	if len(allowed) < 2 {
		return nil, fmt.Errorf("pinning to a quiet CPU: there is only %s for the command and for what measures it", cpuCount(float64(len(allowed))))
	}
	before := idleTimes()
	timer := time.NewTimer(quietLook)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctxErr(ctx)
	}
	cpu := quietest(allowed, before, idleTimes())
	s := &Seat{CPU: cpu, All: allowed, old: cpuSet(allowed)}
	others := slices.DeleteFunc(slices.Clone(allowed), func(c int) bool { return c == cpu })
	if err := confine(cpuSet(others)); err != nil {
		return nil, fmt.Errorf("moving this process away from CPU %d: %w", cpu, err)
	}
	return s, nil
}

// Release lets this process run again where it could before. It may be called again,
// and on a nil Seat.
func (s *Seat) Release() error {
	if s == nil || s.old == nil {
		return nil
	}
	if err := confine(s.old); err != nil {
		return fmt.Errorf("letting this process run on all its CPUs again: %w", err)
	}
	s.old = nil
	return nil
}

// allowedCPUs are those that this thread may run on.
func allowedCPUs() []int {
	set := unix.NewCPUSet(maxCPUs)
	if err := unix.SchedGetaffinityDynamic(0, set); err != nil {
		return nil
	}
	var cpus []int
	for cpu := range maxCPUs {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

func cpuSet(cpus []int) unix.CPUSetDynamic {
	set := unix.NewCPUSet(maxCPUs)
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return set
}

// confine binds every thread of this process. A thread that is made meanwhile inherits
// from the one that makes it, so it goes round until there is no new one.
func confine(set unix.CPUSetDynamic) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	seen := map[int]bool{}
	for range 100 {
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		fresh := false
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil || seen[tid] {
				continue
			}
			seen[tid], fresh = true, true
			if err := unix.SchedSetaffinityDynamic(tid, set); err != nil && err != unix.ESRCH {
				return err
			}
		}
		if !fresh {
			break
		}
	}
	return nil
}

// idleTimes reads how long each CPU has been idle, in ticks of the kernel
// (proc(5), /proc/stat: idle and iowait).
func idleTimes() map[int]uint64 {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil
	}
	idle := map[int]uint64{}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		number, ok := strings.CutPrefix(fields[0], "cpu")
		cpu, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		for _, f := range fields[4:6] {
			ticks, _ := strconv.ParseUint(f, 10, 64)
			idle[cpu] += ticks
		}
	}
	return idle
}

// quietest picks the CPU that was idle most; of equal ones the last, since interrupts
// and the kernel's own threads prefer the first.
func quietest(allowed []int, before, after map[int]uint64) int {
	best := allowed[0]
	for _, cpu := range allowed[1:] {
		if after[cpu]-before[cpu] >= after[best]-before[best] {
			best = cpu
		}
	}
	return best
}
