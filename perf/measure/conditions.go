package measure

import (
	"context"
	"fmt"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Condition is one circumstance of measuring on this machine, now: a setting, a
// limit, or what the system lets a measuring program see.
type Condition struct {
	Name  string
	Value string
	// Effect is what the value does to results; empty if it does nothing.
	Effect string
	// Remedy is the command that mends it, or the words where no command can;
	// empty without an effect, and where nothing on this machine helps.
	Remedy string
	// Kind is what a warning about the condition is a warning of.
	Kind perf.WarningKind
}

// Warning returns the condition as a warning, and whether it is worth one.
func (c Condition) Warning() (perf.Warning, bool) {
	if c.Effect == "" {
		return perf.Warning{}, false
	}
	text := fmt.Sprintf("%s (%s): %s", c.Name, c.Value, c.Effect)
	if c.Remedy != "" {
		text += "; remedy: " + c.Remedy
	}
	return perf.Warning{Kind: c.Kind, Text: text}, true
}

// Conditions reads the measuring conditions of the system. Every name comes back
// on every system and in the same order; what a system does not have is there as
// "not offered by this system", and what it has and keeps to itself says so.
func Conditions(ctx context.Context) []Condition {
	return completeConditions(factSystem().conditions(ctx))
}

// Names of the conditions.
const (
	condGovernor       = "CPU governor"
	condTurbo          = "turbo"
	condSMT            = "SMT"
	condPower          = "power"
	condCPULimit       = "CPU limit"
	condCPUSet         = "CPU set"
	condMemoryLimit    = "memory limit"
	condLoad           = "load"
	condPressure       = "pressure"
	condSteal          = "steal"
	condVirtualisation = "virtualisation"
	condSwap           = "swap"
	condTHP            = "transparent huge pages"
	condASLR           = "ASLR"
	condPerfEvents     = "perf events"
	condCounters       = "hardware counters"
	condPtrace         = "ptrace"
	condPSS            = "proportional set size"
)

// Values that say that there is nothing.
const (
	notOffered = "not offered by this system"
	noLimit    = "none"
)

// conditionTable holds every condition in the order of display, with the kind of
// its warning and with what its absence does to results, where it does anything.
var conditionTable = []struct {
	name    string
	kind    perf.WarningKind
	absence string
}{
	{condGovernor, perf.WarnEnvironment, ""},
	{condTurbo, perf.WarnEnvironment, ""},
	{condSMT, perf.WarnEnvironment, ""},
	{condPower, perf.WarnEnvironment, ""},
	{condCPULimit, perf.WarnEnvironment, ""},
	{condCPUSet, perf.WarnEnvironment, ""},
	{condMemoryLimit, perf.WarnEnvironment, ""},
	{condLoad, perf.WarnContention, "whether the machine is busy cannot be seen before a run"},
	{condPressure, perf.WarnContention, "waiting for a CPU that others hold cannot be told from slowness"},
	{condSteal, perf.WarnContention, ""},
	{condVirtualisation, perf.WarnEnvironment, ""},
	{condSwap, perf.WarnEnvironment, ""},
	{condTHP, perf.WarnEnvironment, ""},
	{condASLR, perf.WarnEnvironment, ""},
	{condPerfEvents, perf.WarnNotMeasured, "a running program cannot be sampled through perf events"},
	{condCounters, perf.WarnNotMeasured, "cycles, instructions and cache misses are not counted, and profiles sample by a timer"},
	{condPtrace, perf.WarnNotMeasured, "the upper bound of the peak memory is not measured"},
	{condPSS, perf.WarnNotMeasured, "memory that processes share cannot be divided among them"},
}

// newCondition takes the kind of the condition from the table.
func newCondition(name, value, effect, remedy string) Condition {
	c := Condition{Name: name, Value: value, Effect: effect, Remedy: remedy}
	for _, row := range conditionTable {
		if row.name == name {
			c.Kind = row.kind
		}
	}
	return c
}

// absentCondition is a condition that cannot be read, for the reason why.
func absentCondition(name, why string) Condition {
	c := newCondition(name, why, "", "")
	for _, row := range conditionTable {
		if row.name == name && row.absence != "" {
			c.Effect, c.Kind = row.absence, perf.WarnNotMeasured
		}
	}
	return c
}

// completeConditions puts what was read into the order of the table and adds what
// is not there.
func completeConditions(read []Condition) []Condition {
	all := make([]Condition, 0, len(conditionTable))
	for _, row := range conditionTable {
		c := absentCondition(row.name, notOffered)
		for _, r := range read {
			if r.Name == row.name {
				c = r
			}
		}
		all = append(all, c)
	}
	return all
}

// loadCondition judges the load average of the last minute. Half of the CPUs busy
// is where the kernel starts to put measured processes onto hyperthreads, caches
// and boost budgets that others use; a program that is being measured and its own
// build stay below on all but the smallest machines.
func loadCondition(load float64, cpus int, remedy string) Condition {
	value := fmt.Sprintf("%.2f over the last minute, for %s", load, cpuCount(float64(cpus)))
	if load <= float64(cpus)/2 {
		return newCondition(condLoad, value, "", "")
	}
	return newCondition(condLoad, value,
		"other programs want the CPUs: times grow and spread", remedy)
}

// cpuCount prints a number of CPUs, which a quota can make a fraction.
func cpuCount(n float64) string {
	if n == 1 {
		return "1 CPU"
	}
	return fmt.Sprintf("%.4g CPUs", n)
}

// byteSize prints memory in powers of 1024, as those who set limits write it: a
// limit of 512m is not recognised in "537 MB".
func byteSize(n uint64) string {
	v, unit := float64(n), "B"
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1023.5 { // what rounds to 1024 belongs to the next
			break
		}
		v, unit = v/1024, larger
	}
	return fmt.Sprintf("%.4g %s", v, unit)
}

// powerCondition tells mains from battery.
func powerCondition(onBattery bool) Condition {
	if onBattery {
		return newCondition(condPower, "battery", "the system saves power: clocks are lower and change during a run", "connect the charger")
	}
	return newCondition(condPower, "mains", "", "")
}

// swapCondition judges how much of the memory has gone to disk. A hundredth is
// what an idle system parks there without anybody missing it.
func swapCondition(used, size, memory uint64, remedy string) Condition {
	if size == 0 {
		return newCondition(condSwap, noLimit, "", "")
	}
	value := fmt.Sprintf("%s of %s in use", byteSize(used), byteSize(size))
	if used <= memory/100 {
		return newCondition(condSwap, value, "", "")
	}
	return newCondition(condSwap, value, "what was swapped out comes back from disk during a run", remedy)
}

// virtualisationCondition says what a hypervisor does to times. A container alone
// does nothing: its limits are conditions of their own.
func virtualisationCondition(name string, guest bool) Condition {
	if !guest {
		return newCondition(condVirtualisation, name, "", "")
	}
	return newCondition(condVirtualisation, name,
		"other guests of the host share its CPUs, caches and disks, unseen: levels move between sessions",
		"interleave the two sides of a comparison, and take absolute times on a machine of your own")
}
