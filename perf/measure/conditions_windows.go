package measure

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unsafe"

	"github.com/shirou/gopsutil/v3/mem"
	"golang.org/x/sys/windows"
)

// conditions of Windows. It has no load average and no pressure figures; the
// rest of the table is not offered.
func (h factHost) conditions(ctx context.Context) []Condition {
	all := []Condition{h.power(), h.scheme(ctx)}
	if name, err := h.virtualisation(); err != nil {
		all = append(all, absentCondition(condVirtualisation, err.Error()))
	} else {
		all = append(all, virtualisationCondition(name, name != virtNone))
	}
	s, err := mem.SwapMemoryWithContext(ctx)
	if err != nil {
		return append(all, absentCondition(condSwap, err.Error()))
	}
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return append(all, absentCondition(condSwap, err.Error()))
	}
	return append(all, swapCondition(s.Used, s.Total, m.Total, "end programs that hold much memory"))
}

// power asks GetSystemPowerStatus, whose first byte is 0 on battery, 1 on mains
// and 255 where it is not known.
func (factHost) power() Condition {
	// SYSTEM_POWER_STATUS: four bytes, then two 32-bit numbers, and aligned as they.
	var status [3]uint32
	call := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetSystemPowerStatus")
	done, _, err := call.Call(uintptr(unsafe.Pointer(&status[0])))
	if done == 0 {
		return absentCondition(condPower, err.Error())
	}
	switch byte(status[0]) {
	case 0:
		return powerCondition(true)
	case 1:
		return powerCondition(false)
	}
	return absentCondition(condPower, notOffered)
}

// guid is what stands before a power scheme's name, which is translated.
var guid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// highPerformance and ultimatePerformance are schemes that Windows comes with.
const (
	highPerformance     = "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c"
	ultimatePerformance = "e9a42b02-d5df-448d-aa00-03f14749eb61"
)

// scheme is the power scheme, which chooses clocks as a governor does on Linux.
func (factHost) scheme(ctx context.Context) Condition {
	powercfg := filepath.Join(os.Getenv("SystemRoot"), "System32", "powercfg.exe")
	out, err := toolOutput(ctx, toolTimeout, powercfg, "/getactivescheme")
	if err != nil {
		return absentCondition(condGovernor, err.Error())
	}
	id := guid.FindString(strings.ToLower(out))
	_, name, _ := strings.Cut(out, "(")
	name, _, _ = strings.Cut(name, ")")
	switch id {
	case "":
		return absentCondition(condGovernor, "powercfg names no scheme")
	case highPerformance, ultimatePerformance:
		return newCondition(condGovernor, name, "", "")
	}
	return newCondition(condGovernor, name,
		"the clock follows the load: short runs and first runs are slower, and times spread",
		"powercfg /setactive "+highPerformance)
}
