package measure

import "strings"

// pmsetPower reads what macOS's `pmset -g batt` prints first, as "Now drawing
// from 'AC Power'" (pmset(1)).
func pmsetPower(out string) (Condition, bool) {
	_, rest, ok := strings.Cut(out, "Now drawing from '")
	source, _, closed := strings.Cut(rest, "'")
	if !ok || !closed {
		return Condition{}, false
	}
	return powerCondition(source != "AC Power"), true
}

// pmsetGovernor reads the settings of `pmset -g`. Low Power Mode is the one choice
// of clocks that macOS leaves to its user.
func pmsetGovernor(out string) (Condition, bool) {
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "lowpowermode" && fields[0] != "powermode" {
			continue
		}
		// powermode, of newer machines, is 0 automatic, 1 low, 2 high.
		if fields[1] == "1" {
			return newCondition(condGovernor, "low power mode",
				"clocks are held low: times are longer than they have to be", "sudo pmset -a "+fields[0]+" 0"), true
		}
		return newCondition(condGovernor, "the system's own choice", "", ""), true
	}
	return Condition{}, false
}
