package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A cgroup is the control group of a container, as this machine shows it: one
// directory with cgroup v2, one for each controller with v1.
type cgroup struct {
	unified    string // v2; empty: v1
	memory     string // v1
	accounting string // v1, cpuacct
}

// errNotRunning is a container without a process.
var errNotRunning = errors.New("the container does not run")

// findCgroup looks a process up under root ("/"; tests have one of their own). The
// path must name the container: where this program runs in a container itself, the
// process of that number is another one.
func findCgroup(root string, pid int, id string) (cgroup, error) {
	if pid <= 0 {
		return cgroup{}, errNotRunning
	}
	list := filepath.Join(root, "proc", strconv.Itoa(pid), "cgroup")
	text, err := os.ReadFile(list)
	if err != nil {
		return cgroup{}, fmt.Errorf("its cgroup is not to be found: %w", err)
	}
	base := filepath.Join(root, "sys/fs/cgroup")
	var g cgroup
	for line := range strings.Lines(string(text)) {
		// proc_pid_cgroup(5): hierarchy:controllers:path
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || !strings.Contains(fields[2], id) {
			continue
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			switch controller {
			case "": // v2, or beside v1 a hierarchy without controllers
				g.unified = filepath.Join(base, fields[2])
			case "memory":
				g.memory = filepath.Join(base, "memory", fields[2])
			case "cpuacct":
				g.accounting = filepath.Join(base, "cpuacct", fields[2])
			}
		}
	}
	if g == (cgroup{}) {
		return g, fmt.Errorf("%s does not name the container: it is not to be seen from here", list)
	}
	return g, nil
}

// fill reads what is absent in u and can be read here.
func (g cgroup) fill(u *Use) {
	if u.MemorySource == "" {
		u.Memory, u.MemorySource = first(filepath.Join(g.unified, "memory.current"), filepath.Join(g.memory, "memory.usage_in_bytes"))
	}
	if u.PeakSource == "" {
		u.Peak, u.PeakSource = first(filepath.Join(g.unified, "memory.peak"), filepath.Join(g.memory, "memory.max_usage_in_bytes"))
	}
	if u.CPUSource == "" {
		var n int64
		n, u.CPUSource = first(filepath.Join(g.accounting, "cpuacct.usage"))
		if u.CPU = time.Duration(n); u.CPUSource == "" {
			u.CPU, u.CPUSource = usageUsec(filepath.Join(g.unified, "cpu.stat"))
		}
	}
}

// first reads the first of the files that is there and holds a number; the path of
// a hierarchy that is not there is not absolute.
func first(paths ...string) (int64, string) {
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
			return n, path
		}
	}
	return 0, ""
}

// usageUsec reads the line usage_usec of a cpu.stat of cgroup v2.
func usageUsec(path string) (time.Duration, string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, ""
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "usage_usec "); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil && n > 0 {
				return time.Duration(n) * time.Microsecond, path
			}
		}
	}
	return 0, ""
}
