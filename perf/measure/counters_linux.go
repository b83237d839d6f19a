package measure

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A countable is an event that the kernel counts (perf_event_open(2)).
type countable struct {
	metric perf.Metric
	kind   uint32
	config uint64
}

// hardware are the events that are counted with each timed run, the first of which leads
// the group: they are on the processor together or not at all, so that their ratios mean
// something.
var hardware = []countable{
	{perf.Cycles, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CPU_CYCLES},
	{perf.Instructions, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_INSTRUCTIONS},
	{perf.CacheMisses, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CACHE_MISSES},
	{perf.BranchMisses, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_BRANCH_MISSES},
}

// counters count a run. They belong to the thread that starts the command, count nothing
// of it, and are inherited disabled by what it forks, where execve enables them. So the
// command need not be stopped on its way.
type counters struct {
	events []countable
	fds    []int
}

// newCounters opens the events that the kernel offers of a list; the thread is locked.
// Counting in user mode alone is what every user may do at the kernel's default, so that
// the figures of all of them mean the same.
func newCounters(list []countable) (*counters, error) {
	c := new(counters)
	leader := -1
	for _, e := range list {
		attr := unix.PerfEventAttr{
			Type: e.kind, Config: e.config, Size: unix.PERF_ATTR_SIZE_VER5,
			Read_format: unix.PERF_FORMAT_TOTAL_TIME_ENABLED | unix.PERF_FORMAT_TOTAL_TIME_RUNNING,
			Bits:        unix.PerfBitInherit | unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv,
		}
		if leader < 0 { // the others follow it
			attr.Bits |= unix.PerfBitDisabled | unix.PerfBitEnableOnExec
		}
		fd, err := unix.PerfEventOpen(&attr, 0, -1, leader, unix.PERF_FLAG_FD_CLOEXEC)
		switch {
		case err != nil && leader < 0:
			return nil, err // without the first there are none
		case err != nil:
			continue // this processor does not count it, or not so many at once
		case leader < 0:
			leader = fd
		}
		c.events, c.fds = append(c.events, e), append(c.fds, fd)
	}
	return c, nil
}

// close gives the counters back. A nil one has none.
func (c *counters) close() {
	if c == nil {
		return
	}
	for _, fd := range c.fds {
		_ = unix.Close(fd) // they are read by now
	}
	c.fds = nil
}

// enter takes down what was counted until now. What shared its counter with others was
// counted for a part of the time, and is scaled as perf stat does; what had none at all is
// left out.
func (c *counters) enter(run *Run) {
	if c == nil {
		return
	}
	for i, fd := range c.fds {
		var b [24]byte
		if n, err := unix.Read(fd, b[:]); err != nil || n < len(b) {
			continue
		}
		value, enabled, running := binary.NativeEndian.Uint64(b[:]), binary.NativeEndian.Uint64(b[8:]), binary.NativeEndian.Uint64(b[16:])
		if running == 0 {
			continue
		}
		run.Counters = append(run.Counters, Counter{c.events[i].metric, float64(value) * float64(enabled) / float64(running)})
	}
}

// offered tells once whether this machine has hardware counters, so that where it has
// none no run looks for them.
var offered = sync.OnceValue(func() error {
	c, err := newCounters(hardware)
	c.close()
	return err
})

// NoCounters says why the hardware counts nothing here; empty if it does.
func NoCounters() string {
	switch err := offered(); {
	case err == nil:
		return ""
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENODEV):
		return "this machine offers no hardware counters, as most virtual ones"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "the kernel refuses hardware counters to this user (the target doctor says what lifts that)"
	default:
		return fmt.Sprintf("there are no hardware counters (perf_event_open: %v)", err)
	}
}

// count opens the counters of a run, if there are any.
func (r *runner) count() *counters {
	list := r.events
	if list == nil {
		if offered() != nil {
			return nil
		}
		list = hardware
	}
	c, err := newCounters(list)
	if err != nil {
		return nil // of what was there a moment ago: the run goes without
	}
	return c
}
