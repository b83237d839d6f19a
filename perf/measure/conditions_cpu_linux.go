package measure

import (
	"fmt"
	"slices"
	"strings"
)

// CPU settings, as the kernel shows them below this folder
// (Documentation/admin-guide/pm/cpufreq.rst).
const cpuFolder = "/sys/devices/system/cpu/"

// governor reads how the kernel chooses clocks. A machine can have a governor
// for each group of CPUs; all that differ are named.
func (h factHost) governor() Condition {
	files := h.glob(cpuFolder + "cpufreq/policy*/scaling_governor")
	if len(files) == 0 {
		files = h.glob(cpuFolder + "cpu[0-9]*/cpufreq/scaling_governor")
	}
	if len(files) == 0 {
		return absentCondition(condGovernor, notOffered)
	}
	names := h.distinct(files)
	if len(names) == 0 {
		return absentCondition(condGovernor, "not readable")
	}
	value := strings.Join(names, ", ")
	if driver := h.text(strings.TrimSuffix(files[0], "governor") + "driver"); driver != "" {
		value += " (" + driver + ")"
	}
	// "userspace" holds the clock where somebody has put it, as performance does.
	steady := func(name string) bool { return name == "performance" || name == "userspace" }
	if !slices.ContainsFunc(names, func(name string) bool { return !steady(name) }) {
		return newCondition(condGovernor, value, "", "")
	}
	return newCondition(condGovernor, value,
		"the clock follows the load: short runs and first runs are slower, and times spread",
		h.admin("echo performance | tee "+cpuFolder+"cpu*/cpufreq/scaling_governor"))
}

// distinct returns the different contents of files, sorted.
func (h factHost) distinct(files []string) []string {
	var values []string
	for _, file := range files {
		if v := h.text(file); v != "" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return values
}

// turboSwitches are the files that switch turbo (Intel) or boost (AMD, ARM), and
// what they hold when it is on: Intel's driver asks the question the other way.
var turboSwitches = []struct{ pattern, on, off string }{
	{"intel_pstate/no_turbo", "0", "1"},
	{"cpufreq/boost", "1", "0"},
	{"cpufreq/policy*/boost", "1", "0"},
}

// turbo reads the first of the switches that the machine has. Drivers with a switch
// for each policy count as on when one of them is.
func (h factHost) turbo() Condition {
	for _, s := range turboSwitches {
		files := h.glob(cpuFolder + s.pattern)
		if len(files) == 0 {
			continue
		}
		values := h.distinct(files)
		switch {
		case slices.Contains(values, s.on):
			return newCondition(condTurbo, "on",
				"the clock depends on heat and on how many cores are busy: it sinks during a long session and beside a neighbour",
				h.admin("echo "+s.off+" | tee "+cpuFolder+s.pattern))
		case slices.Contains(values, s.off):
			return newCondition(condTurbo, "off", "", "")
		}
		return absentCondition(condTurbo, fmt.Sprintf("%s holds neither 0 nor 1", files[0]))
	}
	return absentCondition(condTurbo, notOffered)
}

// smt reads whether cores run two threads. control says what may be, active what
// is: a machine may allow SMT and have no second threads.
func (h factHost) smt() Condition {
	active, err := h.read(cpuFolder + "smt/active")
	if err != nil {
		return unread(condSMT, err)
	}
	control := h.text(cpuFolder + "smt/control")
	if active != "1" {
		value := "off"
		if strings.HasPrefix(control, "not") {
			value = "not offered by this CPU"
		}
		return newCondition(condSMT, value, "", "")
	}
	remedy := h.admin("echo off | tee " + cpuFolder + "smt/control")
	if control == "notsupported" || control == "notimplemented" {
		remedy = "pin the command to one CPU and leave its sibling idle"
	}
	return newCondition(condSMT, "on",
		"two threads share a core: what runs on the sibling slows a run by up to half", remedy)
}

// power looks at the supplies of the system itself; a mouse has a battery too,
// and says that its scope is the device.
func (h factHost) power() Condition {
	mains, battery, discharging := false, false, false
	for _, file := range h.glob("/sys/class/power_supply/*/type") {
		folder := strings.TrimSuffix(file, "type")
		if h.text(folder+"scope") == "Device" {
			continue
		}
		switch h.text(file) {
		case "Battery":
			battery = true
			discharging = discharging || h.text(folder+"status") == "Discharging"
		case "Mains", "USB":
			mains = mains || h.text(folder+"online") == "1"
		}
	}
	if !mains && !battery {
		return absentCondition(condPower, notOffered)
	}
	// A charger that is too weak leaves the battery discharging, and the system
	// saves power all the same.
	return powerCondition(discharging || !mains && battery && !h.charging())
}

// charging says whether some battery is full or filling, which takes a charger
// even where the system shows none.
func (h factHost) charging() bool {
	for _, file := range h.glob("/sys/class/power_supply/*/status") {
		switch h.text(file) {
		case "Charging", "Full", "Not charging":
			return true
		}
	}
	return false
}
