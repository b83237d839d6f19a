package measure

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"golang.org/x/sys/unix"
)

func init() {
	// Other tests of the package may have the same flag.
	if flag.Lookup("update") == nil {
		flag.Bool("update", false, "write the golden files anew")
	}
}

// factTree puts files below a folder and returns the host that has them, on which
// perf events are as answer says.
func factTree(t *testing.T, files map[string]string, answer func(perfProbe) error) factHost {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return factHost{root: root, perfEvent: answer}
}

// recordedTree reads a file of testdata/facts.
func recordedTree(t *testing.T, name string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/facts", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for part := range strings.SplitSeq("\n"+string(b), "\n-- ") {
		if path, text, ok := strings.Cut(part, " --\n"); ok {
			files[path] = strings.TrimSuffix(text, "\n")
		} else if path, ok := strings.CutSuffix(part, " --"); ok {
			files[path] = ""
		}
	}
	if len(files) < 20 {
		t.Fatalf("%s holds %d files: cannot be right", name, len(files))
	}
	return files
}

// refusing is a kernel that answers every perf event with one error.
func refusing(err error) func(perfProbe) error { return func(perfProbe) error { return err } }

// counterless is a virtual machine's kernel: all but the CPU's own counters.
func counterless(p perfProbe) error {
	if p.cycles {
		return unix.ENOENT
	}
	return nil
}

// userOnly is the default of the kernel for users.
func userOnly(p perfProbe) error {
	if p.kernel {
		return unix.EACCES
	}
	return nil
}

func factAnswer(name string) func(perfProbe) error {
	switch name {
	case "laptop":
		return refusing(unix.EACCES)
	case "container":
		return refusing(unix.EPERM)
	}
	return counterless
}

func TestRecordedSystems(t *testing.T) {
	for _, name := range []string{"laptop", "container", "vm"} {
		t.Run(name, func(t *testing.T) {
			h := factTree(t, recordedTree(t, name), factAnswer(name))
			var got strings.Builder
			m, warnings := h.machine(t.Context())
			// What the running program brings in is not of the recorded system.
			m.Toolchain, m.Arch = nil, "amd64"
			m.Fingerprint = m.ComputeFingerprint()
			b, err := json.MarshalIndent(m, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%s\n%v\n\n", b, warnings)
			for _, c := range completeConditions(h.conditions(t.Context())) {
				fmt.Fprintf(&got, "%s = %s\n", c.Name, c.Value)
				if c.Effect != "" {
					fmt.Fprintf(&got, "  %s: %s\n", c.Kind, c.Effect)
				}
				if c.Remedy != "" {
					fmt.Fprintf(&got, "  $ %s\n", c.Remedy)
				}
			}
			compareFactGolden(t, filepath.Join("testdata/facts", name+".golden"), got.String())
		})
	}
}

func compareFactGolden(t *testing.T, path, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s; got:\n%s", path, got)
	}
}

// factRow reads one condition of a tree.
func factRow(t *testing.T, name string, files map[string]string, answer func(perfProbe) error) Condition {
	t.Helper()
	if answer == nil {
		answer = counterless
	}
	for _, c := range completeConditions(factTree(t, files, answer).conditions(t.Context())) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no condition %q", name)
	return Condition{}
}

// A conditionCase is a tree with what one condition of it must say: Effect and
// Remedy by a part of them, "" for none.
type conditionCase struct {
	what, name            string
	files                 map[string]string
	answer                func(perfProbe) error
	value, effect, remedy string
}

func runConditionCases(t *testing.T, cases []conditionCase) {
	t.Helper()
	for _, c := range cases {
		got := factRow(t, c.name, c.files, c.answer)
		holds := func(text, part string) bool { return (part == "") == (text == "") && strings.Contains(text, part) }
		if got.Value != c.value || !holds(got.Effect, c.effect) || !holds(got.Remedy, c.remedy) {
			t.Errorf("%s:\n got %q, effect %q, remedy %q\nwant %q, effect …%s…, remedy …%s…",
				c.what, got.Value, got.Effect, got.Remedy, c.value, c.effect, c.remedy)
		}
	}
}

func TestCPUSettings(t *testing.T) {
	const cpus = "sys/devices/system/cpu/"
	const supply = "sys/class/power_supply/"
	runConditionCases(t, []conditionCase{
		{"governor of the older layout", condGovernor, map[string]string{cpus + "cpu0/cpufreq/scaling_governor": "ondemand"}, nil,
			"ondemand", "clock follows", "echo performance"},
		{"performance", condGovernor, map[string]string{cpus + "cpufreq/policy0/scaling_governor": "performance"}, nil, "performance", "", ""},
		{"Intel, turbo off", condTurbo, map[string]string{cpus + "intel_pstate/no_turbo": "1"}, nil, "off", "", ""},
		{"boost off", condTurbo, map[string]string{cpus + "cpufreq/boost": "0"}, nil, "off", "", ""},
		{"boost of one policy", condTurbo, map[string]string{cpus + "cpufreq/policy0/boost": "0", cpus + "cpufreq/policy1/boost": "1"}, nil,
			"on", "heat", "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/policy*/boost"},
		{"SMT off", condSMT, map[string]string{cpus + "smt/active": "0", cpus + "smt/control": "forceoff"}, nil, "off", "", ""},
		{"SMT in a guest that cannot switch it", condSMT, map[string]string{cpus + "smt/active": "1", cpus + "smt/control": "notsupported"}, nil,
			"on", "sibling", "pin the command"},
		{"mains", condPower, map[string]string{supply + "AC/type": "Mains", supply + "AC/online": "1",
			supply + "BAT0/type": "Battery", supply + "BAT0/status": "Full"}, nil, "mains", "", ""},
		{"a weak charger", condPower, map[string]string{supply + "AC/type": "USB", supply + "AC/online": "1",
			supply + "BAT0/type": "Battery", supply + "BAT0/status": "Discharging"}, nil, "battery", "saves power", "charger"},
		{"a mouse alone", condPower, map[string]string{supply + "m/type": "Battery", supply + "m/scope": "Device",
			supply + "m/status": "Discharging"}, nil, notOffered, "", ""},
	})
}

func TestSystemSettings(t *testing.T) {
	const sysctl = "proc/sys/kernel/"
	runConditionCases(t, []conditionCase{
		{"setarch -R", condASLR, map[string]string{sysctl + "randomize_va_space": "2", "proc/self/personality": "00040000"}, nil,
			"off for this process", "layout", "setarch -R"},
		{"no such file", condASLR, nil, nil, notOffered, "", ""},
		{"nonsense", condASLR, map[string]string{sysctl + "randomize_va_space": "x"}, nil, `/proc/sys/kernel/randomize_va_space says "x"`, "", ""},
		{"THP nonsense", condTHP, map[string]string{"sys/kernel/mm/transparent_hugepage/enabled": "x"}, nil,
			`/sys/kernel/mm/transparent_hugepage/enabled says "x"`, "", ""},
		{"no load", condLoad, nil, nil, notOffered, "cannot be seen", ""},
		{"load nonsense", condLoad, map[string]string{"proc/loadavg": "x"}, nil, `/proc/loadavg says "x"`, "cannot be seen", ""},
		{"steal on metal", condSteal, map[string]string{"proc/stat": "cpu 1 1 1 1 1 1 1 9 0 0", "proc/cpuinfo": metalCPU}, nil, notOffered, "", ""},
		{"little steal", condSteal, map[string]string{"proc/stat": "cpu 500 0 400 1 1 50 45 5 0 0", "proc/cpuinfo": guestCPU}, nil,
			"0.5 % of the CPU time wanted since boot", "", ""},
	})
	got := factRow(t, condPressure, map[string]string{"proc/pressure/cpu": "nothing"}, nil)
	if !strings.HasPrefix(got.Value, "not readable (/proc/pressure/cpu: no avg10") || got.Kind != perf.WarnNotMeasured {
		t.Errorf("unreadable pressure: %+v", got)
	}
}

func TestAccess(t *testing.T) {
	paranoid := map[string]string{"proc/sys/kernel/perf_event_paranoid": "2"}
	const scope = "proc/sys/kernel/yama/ptrace_scope"
	const suffix = ", kernel.perf_event_paranoid = 2"
	runConditionCases(t, []conditionCase{
		{"users by default", condPerfEvents, paranoid, userOnly, "may be sampled in user space only" + suffix, "no frames of the kernel", "sudo sysctl"},
		{"counters of users", condCounters, paranoid, userOnly, "offered", "", ""},
		{"all", condPerfEvents, paranoid, refusing(nil), "may be sampled, with the kernel" + suffix, "", ""},
		{"a filter", condPerfEvents, paranoid, refusing(unix.ENOSYS), notOffered, "cannot be sampled", ""},
		{"no counters then", condCounters, paranoid, refusing(unix.ENOSYS), notOffered, "not counted", ""},
		{"counters refused alone", condCounters, nil, func(p perfProbe) error {
			if p.cycles {
				return unix.EACCES
			}
			return nil
		}, "refused (perf_event_open: permission denied)", "not counted", "sudo sysctl"},
		{"counters in use", condCounters, nil, func(p perfProbe) error {
			if p.cycles {
				return unix.EBUSY
			}
			return nil
		}, "not available (perf_event_open: device or resource busy)", "not counted", ""},
		{"no Yama", condPtrace, nil, nil, "allowed for child processes", "", ""},
		{"administrators, and one of them", condPtrace, map[string]string{scope: "2", "proc/self/status": "CapEff:\t0000000000080000"}, nil,
			"allowed for child processes, kernel.yama.ptrace_scope = 2", "", ""},
		{"administrators", condPtrace, map[string]string{scope: "2", "proc/self/status": "CapEff:\t000000000007ffff"}, nil,
			"refused for child processes, kernel.yama.ptrace_scope = 2", "upper bound", "sudo sysctl kernel.yama.ptrace_scope=1"},
		{"nobody", condPtrace, map[string]string{scope: "3", "proc/self/status": "CapEff:\tffffffffffffffff"}, nil,
			"refused for child processes, kernel.yama.ptrace_scope = 3", "upper bound", "boot with"},
		{"a rollup without PSS", condPSS, map[string]string{"proc/self/smaps_rollup": "x\nRss: 1 kB"}, nil, notOffered, "cannot be divided", ""},
	})
}

func TestLimits(t *testing.T) {
	const v2 = "5 1 0:28 / /cg rw - cgroup2 cgroup2 rw"
	with := func(more map[string]string) map[string]string {
		files := map[string]string{
			"proc/meminfo":                  "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: 1 kB",
			"sys/devices/system/cpu/online": "0-7",
			"proc/self/status":              "Cpus_allowed_list:\t0-7",
			"proc/self/cgroup":              "0::/a.slice/b.service/c",
			"proc/self/mountinfo":           v2,
			"cg/a.slice/b.service/c/x":      "",
		}
		for k, v := range more {
			files[k] = v
		}
		return files
	}
	runConditionCases(t, []conditionCase{
		{"the tightest of three", condCPULimit, with(map[string]string{"cg/a.slice/cpu.max": "400000 100000",
			"cg/a.slice/b.service/cpu.max": "50000 20000", "cg/a.slice/b.service/c/cpu.max": "max 100000"}), nil,
			"2.5 CPUs", "20 ms", "sudo systemctl set-property --runtime b.service CPUQuota="},
		{"a plain cgroup", condCPULimit, with(map[string]string{"cg/a.slice/b.service/c/cpu.max": "100000 100000"}), nil,
			"1 CPU", "period", "echo max | sudo tee /cg/a.slice/b.service/c/cpu.max"},
		{"wider than the machine", condCPULimit, with(map[string]string{"cg/a.slice/cpu.max": "900000 100000"}), nil, "9 CPUs", "", ""},
		{"memory.high", condMemoryLimit, with(map[string]string{"cg/a.slice/memory.max": "2147483648", "cg/a.slice/memory.high": "1073741824"}), nil,
			"1 GiB (memory.high)", "killed", "set-property --runtime a.slice MemoryMax=infinity MemoryHigh=infinity"},
		{"as much as there is", condMemoryLimit, with(map[string]string{"cg/a.slice/memory.max": "8589934592"}), nil, "none", "", ""},
		{"a user's own unit", condCPULimit, with(map[string]string{"proc/self/cgroup": "0::/user@1000.service/t.scope",
			"cg/user@1000.service/t.scope/cpu.max": "100000 100000"}), nil,
			"1 CPU", "period", "systemctl --user set-property --runtime t.scope CPUQuota="},
		{"version 1 without a namespace", condCPULimit, with(map[string]string{"proc/self/cgroup": "3:cpuacct,cpu:/docker/4f/in\n0::/",
			"proc/self/mountinfo":     v2 + "\n6 1 0:29 /docker/4f /cpu rw - cgroup cgroup rw,cpuacct,cpu",
			"cpu/in/cpu.cfs_quota_us": "-1", "cpu/in/cpu.cfs_period_us": "100000",
			"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000", "cpu/cpu.stat": "nr_periods 9\nnr_throttled 3"}), nil,
			"2 CPUs, reached 3 times so far", "period", "update --cpu-quota=-1 CONTAINER"},
		{"a group outside of the namespace", condCPULimit, with(map[string]string{"proc/self/cgroup": "0::/../other",
			"cg/cpu.max": "100000 100000"}), nil, "1 CPU", "period", "echo max | sudo tee /cg/cpu.max"},
		{"affinity", condCPUSet, with(map[string]string{"proc/self/status": "Cpus_allowed_list:\t2,4-5"}), nil,
			"3 of 8 CPUs (2,4-5)", "fewer", "taskset -c 0-7 COMMAND"},
		{"a cpuset above", condCPUSet, with(map[string]string{"proc/self/status": "Cpus_allowed_list:\t0-3",
			"cg/a.slice/cpuset.cpus.effective": "0-3", "cg/a.slice/b.service/cpuset.cpus.effective": "0-3"}), nil,
			"4 of 8 CPUs (0-3)", "fewer", "sudo systemctl set-property --runtime a.slice AllowedCPUs=0-7"},
		{"no cgroups", condCPULimit, map[string]string{"proc/self/status": "Cpus_allowed_list:\t0"}, nil, notOffered, "", ""},
	})
}

func TestRemediesOfKubernetes(t *testing.T) {
	got := factRow(t, condCPULimit, map[string]string{
		"proc/self/cgroup": "3:cpu:/kubepods/pod1", "proc/self/mountinfo": "6 1 0:29 /kubepods/pod1 /cpu rw - cgroup cgroup rw,cpu",
		"sys/devices/system/cpu/online": "0-7", "cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000",
	}, nil)
	if got.Value != "2 CPUs" || !strings.Contains(got.Remedy, "resources.limits") {
		t.Errorf("got %+v; want a remedy for a pod", got)
	}
}

func TestCPUListLength(t *testing.T) {
	for list, want := range map[string]int{"0": 1, "0-3": 4, "0-3,8": 5, "0,2,4-5\n": 4, "": 0, "3-1": 0, "a": 0, "1,": 0, "0-9223372036854775807": 0} {
		if got := cpuListLength(list); got != want {
			t.Errorf("%q holds %d CPUs, want %d", list, got, want)
		}
	}
}

func FuzzCPUListLength(f *testing.F) {
	f.Add("0-3,8")
	f.Add("-1")
	f.Fuzz(func(t *testing.T, list string) {
		if n := cpuListLength(list); n < 0 {
			t.Errorf("%q holds %d CPUs", list, n)
		}
	})
}

// TestPerfEventOpen asks the kernel itself: whatever it answers must be an answer
// to the question, and not one to a malformed event.
func TestPerfEventOpen(t *testing.T) {
	for _, p := range []perfProbe{{}, {kernel: true}, {cycles: true}} {
		if err := perfEventOpen(p); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.E2BIG) || errors.Is(err, unix.EFAULT) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
