package measure

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	tail := " S 17 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3"
	for _, name := range []string{"cat", "a b", ") R 1 (", "((", ""} {
		got, err := parseStat("4242 (" + name + ")" + tail)
		if want := (procStat{state: 'S', parent: 17, start: 987654}); err != nil || got != want {
			t.Errorf("program %q: got %+v, %v; want %+v", name, got, err, want)
		}
	}
	for _, bad := range []string{"", "1 (x) S", "1 (x) S y" + tail[5:], "1 (x)" + tail[:50]} {
		if got, err := parseStat(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, got)
		}
	}
	own, err := readStat(os.Getpid())
	if err != nil || own.parent != os.Getppid() || own.state != 'R' && own.state != 'S' {
		t.Errorf("own status %+v, %v; want parent %d", own, err, os.Getppid())
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("4242 (cat) S 17 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3")
	f.Add("1 ()) S")
	f.Fuzz(func(t *testing.T, line string) {
		if got, err := parseStat(line); err == nil && got.state == 0 {
			t.Errorf("%q: accepted without a state", line)
		}
	})
}

func TestParseContention(t *testing.T) {
	text := "some avg10=0.00 avg60=0.12 avg300=0.05 total=1234567\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n"
	if got, ok := parsePressure(text); !ok || got != 1234567*time.Microsecond {
		t.Errorf("pressure %v, %v", got, ok)
	}
	if got, ok := parseSteal("cpu  1 2 3 4 5 6 7 80 9 10\ncpu0 1\n"); !ok || got != 800*time.Millisecond {
		t.Errorf("steal %v, %v", got, ok)
	}
	if got, ok := parseSchedstat("2560520 19439 189\n"); !ok || got != 19439 {
		t.Errorf("run delay %v, %v", got, ok)
	}
	// What is not there is not measured, instead of 0.
	for _, bad := range []string{"", "some total=\n", "full total=3\n", "some avg10=0\n"} {
		if got, ok := parsePressure(bad); ok {
			t.Errorf("pressure of %q: %v", bad, got)
		}
	}
	for _, bad := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8 9", "cpu 1 2 3 4 5 6 7 x 9"} {
		if got, ok := parseSteal(bad); ok {
			t.Errorf("steal of %q: %v", bad, got)
		}
	}
	for _, bad := range []string{"", "0 0 0", "1 2", "1 x 3"} {
		if got, ok := parseSchedstat(bad); ok {
			t.Errorf("run delay of %q: %v", bad, got)
		}
	}
}

func TestContentionDifference(t *testing.T) {
	before := contention{pressure: 5, hasPressure: true, steal: 9, hasSteal: true}
	var r Run
	// Steal may run backwards on some hypervisors.
	before.until(contention{pressure: 12, hasPressure: true, steal: 8, hasSteal: true}, &r)
	if !r.HasPressure || r.Pressure != 7 || !r.HasSteal || r.Steal != 0 {
		t.Errorf("got %+v", r)
	}
	r = Run{}
	before.until(contention{}, &r)
	if r.HasPressure || r.HasSteal {
		t.Errorf("measured without a second reading: %+v", r)
	}
}

func TestProcField(t *testing.T) {
	data := []byte("Rss:   100 kB\nPss:      42 kB\nPss_Dirty: 7 kB\nBad: x\nEmpty:\n")
	if got, ok := procField(data, "Pss:"); !ok || got != 42 {
		t.Errorf("Pss %d, %v", got, ok)
	}
	for _, key := range []string{"ss:", "Bad:", "Empty:", "Swap:"} {
		if got, ok := procField(data, key); ok {
			t.Errorf("%s %d", key, got)
		}
	}
}

func TestCPUList(t *testing.T) {
	for want, cpus := range map[string][]int{
		"unknown": nil, "3": {3}, "0-3,8": {8, 0, 1, 2, 3}, "0,2,4-5": {5, 4, 2, 0, 2},
	} {
		given := slices.Clone(cpus)
		if got := cpuList(cpus); got != want || !slices.Equal(cpus, given) {
			t.Errorf("%v: got %s, want %s; argument now %v", given, got, want, cpus)
		}
	}
}

// TestChildrenByParent holds the fallback for kernels without children files
// against these files.
func TestChildrenByParent(t *testing.T) {
	pid := os.Getppid()
	if got := childrenByParent(pid); !slices.Contains(got, os.Getpid()) {
		t.Errorf("children of %d are %v without this process, %d", pid, got, os.Getpid())
	}
	if !hasChildrenFiles() {
		t.Skip("kernel without /proc/PID/task/TID/children")
	}
	if got := children(pid); !slices.Contains(got, os.Getpid()) {
		t.Errorf("children of %d are %v without this process, %d", pid, got, os.Getpid())
	}
}

func TestProcessName(t *testing.T) {
	if got, want := processName(os.Getpid()), commandLine(os.Args); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := processName(2), "[kthreadd]"; got != want && got != fmt.Sprintf("[process %d]", 2) {
		if stat, err := readStat(2); err == nil && stat.parent == 0 { // else it is no kernel thread, in a container
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
