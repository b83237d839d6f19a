package measure

import (
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// TestConditionsOfThisSystem holds for every system that the tests run on.
func TestConditionsOfThisSystem(t *testing.T) {
	got := Conditions(t.Context())
	if len(got) != len(conditionTable) {
		t.Fatalf("%d conditions, want the %d of the table", len(got), len(conditionTable))
	}
	for i, c := range got {
		if c.Name != conditionTable[i].name {
			t.Errorf("condition %d is %q, want %q", i, c.Name, conditionTable[i].name)
		}
		if c.Value == "" || c.Kind == "" {
			t.Errorf("%s has value %q and kind %q: neither may be empty", c.Name, c.Value, c.Kind)
		}
		if c.Effect == "" && c.Remedy != "" {
			t.Errorf("%s has a remedy (%s) for nothing", c.Name, c.Remedy)
		}
	}
}

func TestCompleteConditionsSaysWhatIsAbsent(t *testing.T) {
	got := completeConditions([]Condition{newCondition(condSwap, "none", "", "")})
	for _, c := range got {
		switch c.Name {
		case condSwap:
			if c.Value != "none" {
				t.Errorf("swap was read as none and is shown as %q", c.Value)
			}
		case condPSS:
			if c.Value != notOffered || c.Effect == "" || c.Kind != perf.WarnNotMeasured {
				t.Errorf("absent %s: %+v; want a warning that it is not measured", c.Name, c)
			}
		case condGovernor:
			if c.Value != notOffered || c.Effect != "" {
				t.Errorf("absent %s: %+v; want no effect", c.Name, c)
			}
		}
	}
}

func TestConditionWarning(t *testing.T) {
	if w, ok := newCondition(condASLR, "on", "", "").Warning(); ok {
		t.Errorf("a condition without effect warns: %+v", w)
	}
	w, ok := newCondition(condLoad, "9", "times spread", "stop it").Warning()
	want := perf.Warning{Kind: perf.WarnContention, Text: "load (9): times spread; remedy: stop it"}
	if !ok || w != want {
		t.Errorf("got %+v, %v; want %+v", w, ok, want)
	}
}

func TestLoadCondition(t *testing.T) {
	for _, c := range []struct {
		load float64
		cpus int
		busy bool
	}{{0, 1, false}, {0.5, 1, false}, {0.51, 1, true}, {1, 2, false}, {4.1, 8, true}} {
		if got := loadCondition(c.load, c.cpus, "x"); (got.Effect != "") != c.busy {
			t.Errorf("load %v of %d CPUs: effect %q, want one: %v", c.load, c.cpus, got.Effect, c.busy)
		}
	}
}

func TestSwapCondition(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		used, size uint64
		value      string
		effect     bool
	}{
		{0, 0, "none", false},
		{10 * mib, 2048 * mib, "10 MiB of 2 GiB in use", false},
		{11 * mib, 2048 * mib, "11 MiB of 2 GiB in use", true},
	} {
		got := swapCondition(c.used, c.size, 1000*mib, "x")
		if got.Value != c.value || (got.Effect != "") != c.effect {
			t.Errorf("%d of %d: %+v; want %q, effect %v", c.used, c.size, got, c.value, c.effect)
		}
	}
}

func TestByteSize(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1<<20 - 1: "1 MiB", 512 << 20: "512 MiB", 3 << 29: "1.5 GiB", 1 << 50: "1024 TiB",
	} {
		if got := byteSize(n); got != want {
			t.Errorf("%d is printed as %q, want %q", n, got, want)
		}
	}
}

func TestPmset(t *testing.T) {
	for out, want := range map[string]string{
		"Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t100%; charged; 0:00 remaining\n":   "mains",
		"Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t80%; discharging; 3:10 rem\n": "battery",
	} {
		if c, ok := pmsetPower(out); !ok || c.Value != want || (c.Effect != "") != (want == "battery") {
			t.Errorf("%q: %+v, %v; want %s", out, c, ok, want)
		}
	}
	if c, ok := pmsetPower("nothing"); ok {
		t.Errorf("read power from nothing: %+v", c)
	}
	const settings = "System-wide power settings:\nCurrently in use:\n standby 1\n %s 1\n sleep 10\n"
	for _, key := range []string{"lowpowermode", "powermode"} {
		c, ok := pmsetGovernor(strings.Replace(settings, "%s", key, 1))
		if !ok || c.Effect == "" || c.Remedy != "sudo pmset -a "+key+" 0" {
			t.Errorf("%s 1: %+v, %v; want an effect with its remedy", key, c, ok)
		}
	}
	if c, ok := pmsetGovernor(strings.Replace(settings, "%s 1", "powermode 2", 1)); !ok || c.Effect != "" {
		t.Errorf("powermode 2: %+v, %v; want no effect", c, ok)
	}
	if c, ok := pmsetGovernor(" sleep 1\n"); ok {
		t.Errorf("read a mode from settings without one: %+v", c)
	}
}
