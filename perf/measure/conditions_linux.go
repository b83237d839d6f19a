package measure

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v3/mem"
)

// conditions of Linux, nearly all of them files of procfs and sysfs. Those of a
// container show the host's settings, which is what counts for times.
func (h factHost) conditions(ctx context.Context) []Condition {
	limits := h.limits(ctx)
	all := []Condition{
		h.governor(), h.turbo(), h.smt(), h.power(),
		limits.cpuCondition(), limits.setCondition(), limits.memoryCondition(),
		h.load(limits.online), h.pressure(), h.steal(), h.virtualisationRow(),
		h.swap(ctx), h.hugePages(), h.aslr(),
	}
	all = append(all, h.perfEvents()...)
	return append(all, h.ptrace(), h.pss())
}

// admin puts sudo before a command where it takes one, and says where it has to
// be run: a container sees the host's settings and cannot change them.
func (h factHost) admin(command string) string {
	if h.container() != "" {
		return "on the host: " + factSudo(command)
	}
	if h.superuser {
		return command
	}
	return factSudo(command)
}

// factSudo gives rights to the part of a command that needs them, which of a
// pipe is its end.
func factSudo(command string) string {
	if before, after, ok := strings.Cut(command, "| "); ok {
		return before + "| sudo " + after
	}
	return "sudo " + command
}

// unread is the row of a file that could not be read: absent, or refused.
func unread(name string, err error) Condition {
	if factAbsent(err) {
		return absentCondition(name, notOffered)
	}
	return absentCondition(name, fmt.Sprintf("not readable (%v)", err))
}

// load counts what runs on the whole machine, in a container too, so that its
// measure is the machine's CPUs and not what a limit leaves of them.
func (h factHost) load(cpus int) Condition {
	text, err := h.read("/proc/loadavg")
	if err != nil {
		return unread(condLoad, err)
	}
	first, _, _ := strings.Cut(text, " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return absentCondition(condLoad, fmt.Sprintf("/proc/loadavg says %q", text))
	}
	return loadCondition(load, cpus, "ps -eo pcpu,pid,comm --sort=-pcpu | head")
}

// pressureLimit is the share of the last ten seconds, in percent, from which on
// waiting shows in times. One in twenty is within the spread of most programs.
const pressureLimit = 5

// pressure reads the pressure stall information: the share of time in which some
// task waited for the CPU, for memory, for the disk
// (Documentation/accounting/psi.rst of the kernel).
func (h factHost) pressure() Condition {
	var values []string
	worst := 0.0
	for _, resource := range []string{"cpu", "memory", "io"} {
		share, err := h.pressureOf(resource)
		if err != nil {
			c := unread(condPressure, err)
			c.Remedy = "boot the kernel (4.20 or newer) with psi=1 on its command line"
			return c
		}
		values = append(values, fmt.Sprintf("%s %.1f %%", resource, share))
		worst = max(worst, share)
	}
	value := strings.Join(values, ", ") + " of the last 10 s"
	if worst < pressureLimit {
		return newCondition(condPressure, value, "", "")
	}
	return newCondition(condPressure, value, "tasks are waiting for each other at this moment: so will the subject",
		"wait until other work has ended")
}

// pressureOf returns the share of the last ten seconds, in percent, in which at
// least one task waited ("some"): "full", when all did, does not exist for the CPU.
func (h factHost) pressureOf(resource string) (float64, error) {
	path := "/proc/pressure/" + resource
	text, err := h.read(path)
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(text, "some avg10=")
	number, _, _ := strings.Cut(rest, " ")
	share, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("%s: no avg10 in %q", path, text)
	}
	return share, nil
}

// steal is the share of the CPU time wanted since boot that the hypervisor gave
// to others (proc_stat(5)). On metal it is always zero and says nothing.
func (h factHost) steal() Condition {
	text, err := h.read("/proc/stat")
	if err != nil {
		return unread(condSteal, err)
	}
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	const stolen = 8 // user nice system idle iowait irq softirq steal, behind "cpu"
	if len(fields) <= stolen || !h.guest() {
		return absentCondition(condSteal, notOffered)
	}
	var ticks [stolen + 1]float64
	for i := 1; i <= stolen; i++ {
		if ticks[i], err = strconv.ParseFloat(fields[i], 64); err != nil {
			return absentCondition(condSteal, fmt.Sprintf("/proc/stat says %q", line))
		}
	}
	// Idle time and waiting for disks are not wanted: a guest that sleeps cannot be
	// stolen from, and would hide what is stolen while it works.
	wanted := ticks[1] + ticks[2] + ticks[3] + ticks[6] + ticks[7] + ticks[8]
	if wanted == 0 {
		return absentCondition(condSteal, "no CPU time has been used yet")
	}
	share := 100 * ticks[stolen] / wanted
	value := fmt.Sprintf("%.1f %% of the CPU time wanted since boot", share)
	if share < 1 {
		return newCondition(condSteal, value, "", "")
	}
	return newCondition(condSteal, value, "the host gave the CPUs to other guests while this one wanted them: wall times grow",
		"choose an instance with CPUs of its own, or compare interleaved")
}

// guest says whether a hypervisor runs this system, containers aside.
func (h factHost) guest() bool {
	name, err := h.hypervisor()
	return err == nil && name != virtNone
}

// virtualisationRow judges by the hypervisor alone, and shows the container too.
func (h factHost) virtualisationRow() Condition {
	name, err := h.virtualisation()
	if err != nil {
		return absentCondition(condVirtualisation, err.Error())
	}
	return virtualisationCondition(name, h.guest())
}

// swap mends by emptying it: what was put there before a run comes back at once,
// and not at the first touch within one.
func (h factHost) swap(ctx context.Context) Condition {
	m, err := mem.VirtualMemoryWithContext(h.context(ctx))
	if err != nil {
		return unread(condSwap, err)
	}
	return swapCondition(m.SwapTotal-m.SwapFree, m.SwapTotal, m.Total, h.admin("sh -c 'swapoff -a && swapon -a'"))
}

// hugePages reads the choice in brackets, as in "always [madvise] never"
// (Documentation/admin-guide/mm/transhuge.rst of the kernel).
func (h factHost) hugePages() Condition {
	const path = "/sys/kernel/mm/transparent_hugepage/enabled"
	text, err := h.read(path)
	if err != nil {
		return unread(condTHP, err)
	}
	_, rest, _ := strings.Cut(text, "[")
	choice, _, ok := strings.Cut(rest, "]")
	if !ok {
		return absentCondition(condTHP, fmt.Sprintf("%s says %q", path, text))
	}
	if choice != "always" {
		return newCondition(condTHP, choice, "", "")
	}
	return newCondition(condTHP, choice,
		"memory comes in 2 MiB pages while there are any: peaks and page faults depend on how fragmented the memory is",
		h.admin("echo madvise | tee "+path))
}

// noRandomize is ADDR_NO_RANDOMIZE of personality(2), which setarch -R sets.
const noRandomize = 0x0040000

// aslr is whether addresses change from run to run. They should: with one layout
// for all runs, a difference of alignment passes for one of the code (Mytkowicz
// and others, "Producing wrong data without doing anything obviously wrong!",
// ASPLOS 2009).
func (h factHost) aslr() Condition {
	const path = "/proc/sys/kernel/randomize_va_space"
	text, err := h.read(path)
	if err != nil {
		return unread(condASLR, err)
	}
	const effect = "every run has the same memory layout: a difference may be one of alignment and not of the code"
	if persona, err := strconv.ParseUint(h.text("/proc/self/personality"), 16, 64); err == nil && persona&noRandomize != 0 {
		return newCondition(condASLR, "off for this process", effect, "start it without setarch -R")
	}
	switch text {
	case "2":
		return newCondition(condASLR, "on", "", "")
	case "1":
		return newCondition(condASLR, "on, without the heap", "", "")
	case "0":
		return newCondition(condASLR, "off", effect, h.admin("sysctl kernel.randomize_va_space=2"))
	}
	return absentCondition(condASLR, fmt.Sprintf("%s says %q", path, text))
}
