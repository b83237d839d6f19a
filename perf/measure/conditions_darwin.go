package measure

import (
	"context"
	"runtime"

	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
)

// conditions of macOS. Clocks, turbo and scheduling belong to the system there:
// the rest of the table is not offered.
func (h factHost) conditions(ctx context.Context) []Condition {
	var all []Condition
	if avg, err := load.AvgWithContext(ctx); err != nil {
		all = append(all, absentCondition(condLoad, err.Error()))
	} else {
		all = append(all, loadCondition(avg.Load1, runtime.NumCPU(), "ps -Ao pcpu,pid,comm -r | head"))
	}
	if name, err := h.virtualisation(); err != nil {
		all = append(all, absentCondition(condVirtualisation, err.Error()))
	} else {
		all = append(all, virtualisationCondition(name, name != virtNone))
	}
	all = append(all, h.swap(ctx))
	if out, err := toolOutput(ctx, toolTimeout, "/usr/bin/pmset", "-g", "batt"); err != nil {
		all = append(all, absentCondition(condPower, err.Error()))
	} else if c, ok := pmsetPower(out); ok {
		all = append(all, c)
	}
	if out, err := toolOutput(ctx, toolTimeout, "/usr/bin/pmset", "-g"); err != nil {
		all = append(all, absentCondition(condGovernor, err.Error()))
	} else if c, ok := pmsetGovernor(out); ok {
		all = append(all, c)
	}
	return all
}

// swap judges nothing but size: macOS adds swap files as it needs them, and
// gives what is not in use no meaning.
func (h factHost) swap(ctx context.Context) Condition {
	s, err := mem.SwapMemoryWithContext(ctx)
	if err != nil {
		return absentCondition(condSwap, err.Error())
	}
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return absentCondition(condSwap, err.Error())
	}
	return swapCondition(s.Used, s.Total, m.Total, "end programs that hold much memory")
}
