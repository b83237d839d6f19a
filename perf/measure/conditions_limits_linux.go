package measure

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/shirou/gopsutil/v3/mem"
)

// factLimits is what is left of the machine for this process. A limit is no part
// of a machine's fingerprint: it belongs to the run, and a run under another one
// on the same machine is comparable where its conditions say nothing.
type factLimits struct {
	host   factHost
	online int    // logical CPUs of the machine
	list   string // the same, as a list; empty if not known
	memory uint64

	allowed string // the CPUs of the affinity mask, as a list
	cpus    int    // how many those are; 0 if not known

	grouped bool      // whether cgroups could be read at all
	reason  error     // why not
	quota   factLimit // of CPU time, as a number of CPUs
	period  float64   // over how long the quota is counted, in seconds
	ram     factLimit // of memory, in bytes
}

// A factLimit is the tightest limit on the way from a process's cgroup to the top
// of the hierarchy. The zero limit is none.
type factLimit struct {
	value float64 // CPUs, or bytes
	group cgroupFolder
	file  string
}

// limits reads all of them at once: the conditions need one another's figures, the
// quota the number of CPUs, the memory limit the size of the memory.
func (h factHost) limits(ctx context.Context) factLimits {
	l := factLimits{host: h, grouped: true}
	l.list = h.text(cpuFolder + "online")
	l.online = cpuListLength(l.list)
	if m, err := mem.VirtualMemoryWithContext(h.context(ctx)); err == nil {
		l.memory = m.Total
	}
	for line := range strings.Lines(h.text("/proc/self/status")) {
		if value, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			l.allowed = strings.TrimSpace(value)
			l.cpus = cpuListLength(l.allowed)
		}
	}
	if l.online < l.cpus {
		l.online, l.list = l.cpus, l.allowed
	}
	l.online = max(l.online, 1)
	if l.reason = l.readGroups(); l.reason != nil {
		l.grouped = false
	}
	return l
}

// readGroups finds the limits of the CPU and memory controllers (cgroups(7)).
func (l *factLimits) readGroups() error {
	groups, err := l.host.cgroups("cpu")
	if err != nil {
		return err
	}
	for _, g := range groups {
		l.tightenQuota(g)
	}
	if groups, err = l.host.cgroups("memory"); err != nil {
		return err
	}
	for _, g := range groups {
		for _, file := range memoryFiles[g.version] {
			limit, err := strconv.ParseUint(l.host.text(g.path+"/"+file), 10, 64)
			// Version 1 writes "no limit" as a number beyond all memory, version 2
			// as the word max, which is no number.
			if err != nil || limit >= l.memory {
				continue
			}
			if l.ram.value == 0 || float64(limit) < l.ram.value {
				l.ram = factLimit{float64(limit), g, file}
			}
		}
	}
	return nil
}

// memoryFiles are the limits of memory, by cgroup version. memory.high throttles
// and does not kill, but what runs into it is slowed no less.
var memoryFiles = map[int][]string{
	1: {"memory.limit_in_bytes"},
	2: {"memory.max", "memory.high"},
}

// tightenQuota takes the quota of a group if it is below those seen before. A
// group can have a wider one than the groups above it, and it is theirs that
// counts then; so all of them have to be looked at.
func (l *factLimits) tightenQuota(g cgroupFolder) {
	var quota, period, file string
	if g.version == 2 {
		file = "cpu.max"
		quota, period, _ = strings.Cut(l.host.text(g.path+"/cpu.max"), " ")
	} else {
		file = "cpu.cfs_quota_us"
		quota, period = l.host.text(g.path+"/"+file), l.host.text(g.path+"/cpu.cfs_period_us")
	}
	q, err := strconv.ParseFloat(quota, 64)
	if err != nil || q <= 0 { // "max", -1, or the top group, which has no such file
		return
	}
	p, err := strconv.ParseFloat(period, 64)
	if err != nil || p <= 0 {
		return
	}
	if cpus := q / p; l.quota.value == 0 || cpus < l.quota.value {
		l.quota, l.period = factLimit{cpus, g, file}, p/1e6
	}
}

// cpuCondition shows the quota. One as wide as the machine is shown and not held
// against the results: there is nothing that a process could use beyond it.
func (l factLimits) cpuCondition() Condition {
	if !l.grouped {
		return unread(condCPULimit, l.reason)
	}
	if l.quota.value == 0 {
		return newCondition(condCPULimit, noLimit, "", "")
	}
	value := cpuCount(l.quota.value)
	if n := l.throttled(); n > 0 {
		value += fmt.Sprintf(", reached %d times so far", n)
	}
	if l.quota.value >= float64(l.online) {
		return newCondition(condCPULimit, value, "", "")
	}
	effect := fmt.Sprintf("whoever uses more is stopped until the next period of %s: wall times grow and jump",
		perf.Second.Format(l.period))
	return newCondition(condCPULimit, value, effect, l.lift(l.quota, "CPUQuota=", "--cpu-quota=-1"))
}

// throttled is how many periods the group has ended stopped.
func (l factLimits) throttled() uint64 {
	for line := range strings.Lines(l.host.text(l.quota.group.path + "/cpu.stat")) {
		if value, ok := strings.CutPrefix(line, "nr_throttled "); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// lift returns the command that removes a limit, by whoever has set it.
func (l factLimits) lift(limit factLimit, property, flag string) string {
	switch c := l.host.container(); c {
	case "":
	case "docker", "podman":
		return "on the host: " + c + " update " + flag + " CONTAINER"
	default:
		return "raise the limits where the container is declared (in Kubernetes: resources.limits)"
	}
	unit := path.Base(limit.group.path)
	switch path.Ext(unit) {
	case ".service", ".scope", ".slice":
		command := "systemctl set-property --runtime " + unit + " " + property
		if strings.Contains(limit.group.path, "/user@") {
			return strings.Replace(command, "systemctl", "systemctl --user", 1)
		}
		return l.host.admin(command)
	}
	none := "max"
	switch {
	case limit.file == "cpuset.cpus":
		none = l.list
	case limit.group.version == 1:
		none = "-1"
	}
	return l.host.admin("echo " + none + " | tee " + limit.group.path + "/" + limit.file)
}

// memoryCondition shows the limit of memory. Page cache counts against it, so that
// it is felt by programs that never come near it with memory of their own.
func (l factLimits) memoryCondition() Condition {
	if !l.grouped {
		return unread(condMemoryLimit, l.reason)
	}
	if l.ram.value == 0 {
		return newCondition(condMemoryLimit, noLimit, "", "")
	}
	value := byteSize(uint64(l.ram.value)) + " (" + l.ram.file + ")"
	return newCondition(condMemoryLimit, value,
		"near it the kernel takes back file caches, which slows builds, and beyond it programs are killed",
		l.lift(l.ram, "MemoryMax=infinity MemoryHigh=infinity", "--memory=SIZE --memory-swap=SIZE"))
}

// setCondition compares the CPUs that the process may run on with those there are.
func (l factLimits) setCondition() Condition {
	if l.cpus == 0 {
		return absentCondition(condCPUSet, notOffered)
	}
	value := fmt.Sprintf("%d of %s (%s)", l.cpus, cpuCount(float64(l.online)), l.allowed)
	if l.cpus >= l.online {
		return newCondition(condCPUSet, value, "", "")
	}
	remedy := "taskset -c " + l.list + " COMMAND"
	if group, ok := l.setByGroup(); ok {
		remedy = l.lift(factLimit{group: group, file: "cpuset.cpus"}, "AllowedCPUs="+l.list, "--cpuset-cpus="+l.list)
	}
	return newCondition(condCPUSet, value, "parallel work runs on fewer CPUs than the fingerprint of the machine says", remedy)
}

// setByGroup returns the cgroup, which taskset cannot leave, that set the CPUs,
// and whether it was one: the topmost whose set is not whole.
func (l factLimits) setByGroup() (cgroupFolder, bool) {
	groups, err := l.host.cgroups("cpuset")
	if err != nil {
		return cgroupFolder{}, false
	}
	slices.Reverse(groups)
	for _, g := range groups {
		for _, file := range []string{"cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"} {
			if n := cpuListLength(l.host.text(g.path + "/" + file)); n > 0 && n < l.online {
				return g, true
			}
		}
	}
	return cgroupFolder{}, false
}
