package measure

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxCPUs bounds the affinity masks; no Linux is built for more.
const maxCPUs = 8192

// pin binds the calling thread to cpus, for the command to inherit, and returns
// what undoes it. The thread must be locked to its goroutine, and must not be
// used again if undoing fails.
func pin(cpus []int) (unpin func() error, err error) {
	if len(cpus) == 0 {
		return func() error { return nil }, nil
	}
	// The size matters: the kernel refuses to report into a mask that is
	// smaller than its own, whatever CPUs there really are.
	old := unix.NewCPUSet(maxCPUs)
	if err := unix.SchedGetaffinityDynamic(0, old); err != nil {
		return nil, fmt.Errorf("read CPU affinity: %w", err)
	}
	unpin = func() error { return unix.SchedSetaffinityDynamic(0, old) }
	want := unix.NewCPUSet(maxCPUs)
	for _, cpu := range cpus {
		if cpu >= 0 && cpu < maxCPUs {
			want.Set(cpu)
		}
	}
	// The kernel drops what it does not have without a word, so it is asked
	// what it made of the request.
	got := unix.NewCPUSet(maxCPUs)
	err = unix.SchedSetaffinityDynamic(0, want)
	if err == nil {
		err = unix.SchedGetaffinityDynamic(0, got)
	}
	for _, cpu := range cpus {
		// A command pinned to fewer CPUs than asked for would be measured under
		// other conditions than its result says, so one missing is enough.
		if err != nil || cpu < 0 || cpu >= maxCPUs || !got.IsSet(cpu) {
			err = fmt.Errorf("pin to CPUs %s: available are %s", cpuList(cpus), cpuList(availableCPUs()))
			if undo := unpin(); undo != nil {
				err = fmt.Errorf("%w; and the thread could not be released: %w", err, undo)
			}
			return nil, err
		}
	}
	return unpin, nil
}

// availableCPUs asks for all CPUs and reads what the kernel and the cpuset of
// this process leave of them. It changes the affinity of the calling thread.
func availableCPUs() []int {
	all := unix.NewCPUSet(maxCPUs)
	for cpu := range maxCPUs {
		all.Set(cpu)
	}
	if err := unix.SchedSetaffinityDynamic(0, all); err != nil {
		return nil
	}
	// Into a fresh mask: the kernel writes only as much as its own is long, and leaves
	// what was asked for in the rest.
	got := unix.NewCPUSet(maxCPUs)
	if err := unix.SchedGetaffinityDynamic(0, got); err != nil {
		return nil
	}
	var cpus []int
	for cpu := range maxCPUs {
		if got.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// cpuList writes CPUs as the kernel and taskset(1) do: "0-3,8".
func cpuList(cpus []int) string {
	if len(cpus) == 0 {
		return "unknown"
	}
	cpus = slices.Clone(cpus)
	slices.Sort(cpus)
	cpus = slices.Compact(cpus)
	var parts []string
	for i := 0; i < len(cpus); {
		end := i
		for end+1 < len(cpus) && cpus[end+1] == cpus[end]+1 {
			end++
		}
		part := strconv.Itoa(cpus[i])
		if end > i {
			part += "-" + strconv.Itoa(cpus[end])
		}
		parts = append(parts, part)
		i = end + 1
	}
	return strings.Join(parts, ",")
}
