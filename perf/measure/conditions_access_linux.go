package measure

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A perfProbe is a kind of perf event to try.
type perfProbe struct {
	cycles bool // the CPU's cycle counter, in place of sampling by a timer
	kernel bool // the kernel's side too
}

// perfEventOpen opens one event of this process, on any CPU, and closes it
// (perf_event_open(2)). It is tried and not deduced: the sysctl, capabilities,
// seccomp filters and security modules all have a say.
func perfEventOpen(p perfProbe) error {
	attr := unix.PerfEventAttr{
		Type:        unix.PERF_TYPE_SOFTWARE,
		Config:      unix.PERF_COUNT_SW_CPU_CLOCK,
		Sample:      1_000_000, // a period in nanoseconds; the event stays disabled
		Sample_type: unix.PERF_SAMPLE_IP,
		Bits:        unix.PerfBitDisabled | unix.PerfBitExcludeHv,
	}
	if p.cycles {
		attr.Type, attr.Config = unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CPU_CYCLES
		attr.Sample, attr.Sample_type = 0, 0
	}
	if !p.kernel {
		attr.Bits |= unix.PerfBitExcludeKernel
	}
	attr.Size = uint32(unsafe.Sizeof(attr))
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// perfEvents returns the rows of sampling and of counting.
func (h factHost) perfEvents() []Condition {
	user := h.perfEvent(perfProbe{})
	if errors.Is(user, unix.ENOSYS) {
		return nil // a kernel without perf events, or a filter that says so
	}
	if user != nil {
		refused := absentCondition(condPerfEvents, h.perfRefusal(user))
		refused.Remedy = h.perfRemedy()
		counters := absentCondition(condCounters, "not known, because perf events are refused")
		counters.Remedy = refused.Remedy
		return []Condition{refused, counters}
	}
	return []Condition{h.perfSampling(), h.perfCounters()}
}

// perfSampling tells whether the kernel's side may be seen; the user's side may.
func (h factHost) perfSampling() Condition {
	if err := h.perfEvent(perfProbe{kernel: true}); err != nil {
		return newCondition(condPerfEvents, "may be sampled in user space only"+h.paranoid(),
			"profiles hold no frames of the kernel", h.perfRemedy())
	}
	return newCondition(condPerfEvents, "may be sampled, with the kernel"+h.paranoid(), "", "")
}

// perfCounters tells a counter that is forbidden from one that does not exist, as
// in most virtual machines: only for the first there is a remedy.
func (h factHost) perfCounters() Condition {
	err := h.perfEvent(perfProbe{cycles: true})
	switch {
	case err == nil:
		return newCondition(condCounters, "offered", "", "")
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		c := absentCondition(condCounters, h.perfRefusal(err))
		c.Remedy = h.perfRemedy()
		return c
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENODEV):
		return absentCondition(condCounters, notOffered)
	}
	return absentCondition(condCounters, fmt.Sprintf("not available (perf_event_open: %v)", err))
}

// perfRefusal quotes the kernel's own word, since EPERM (a filter, a capability)
// and EACCES (the sysctl) lead to different places.
func (h factHost) perfRefusal(err error) string {
	return fmt.Sprintf("refused (perf_event_open: %v)%s", err, h.paranoid())
}

// paranoid quotes the sysctl. 2 is the kernel's default and hides the kernel from
// users; Debian and Ubuntu add 3 and 4, which hide everything.
func (h factHost) paranoid() string {
	if level := h.text("/proc/sys/kernel/perf_event_paranoid"); level != "" {
		return ", kernel.perf_event_paranoid = " + level
	}
	return ""
}

// perfRemedy is what gives a user all events of processes of his own, or what
// gives them to a container whatever the sysctl says.
func (h factHost) perfRemedy() string {
	if h.container() != "" {
		return "start the container with --cap-add=PERFMON (or --cap-add=SYS_ADMIN before Linux 5.8)"
	}
	return h.admin("sysctl kernel.perf_event_paranoid=1")
}

// capSysPtrace is CAP_SYS_PTRACE of capabilities(7).
const capSysPtrace = 19

// ptrace reads whether a process may trace its own children. The Yama module's
// scopes are 0 and 1 for yes, 2 for administrators, 3 for nobody
// (Documentation/admin-guide/LSM/Yama.rst of the kernel).
func (h factHost) ptrace() Condition {
	scope, err := h.read("/proc/sys/kernel/yama/ptrace_scope")
	if err != nil && !factAbsent(err) {
		return unread(condPtrace, err)
	}
	value := "allowed for child processes"
	if err == nil {
		value += ", kernel.yama.ptrace_scope = " + scope
	}
	refused := strings.Replace(value, "allowed", "refused", 1)
	switch {
	case scope == "3":
		c := absentCondition(condPtrace, refused)
		c.Remedy = "boot with kernel.yama.ptrace_scope=1 in /etc/sysctl.d: 3 cannot be lowered while the system runs"
		return c
	case scope == "2" && !h.capable(capSysPtrace):
		c := absentCondition(condPtrace, refused)
		c.Remedy = h.admin("sysctl kernel.yama.ptrace_scope=1")
		return c
	}
	return newCondition(condPtrace, value, "", "")
}

// capable says whether a capability is in effect for this process.
func (h factHost) capable(capability uint) bool {
	for line := range strings.Lines(h.text("/proc/self/status")) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return err == nil && set&(1<<capability) != 0
		}
	}
	return false
}

// pss reads the proportional set size of this process, as measuring will read
// those of its children (proc_pid_smaps(5)).
func (h factHost) pss() Condition {
	text, err := h.read("/proc/self/smaps_rollup")
	if err != nil {
		c := unread(condPSS, err)
		c.Remedy = "use a kernel of 4.14 or newer with CONFIG_PROC_PAGE_MONITOR"
		return c
	}
	if !strings.Contains(text, "\nPss:") {
		return absentCondition(condPSS, notOffered)
	}
	return newCondition(condPSS, "readable", "", "")
}
