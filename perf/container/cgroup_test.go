package container

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tree writes files under a root of their own.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestCgroup(t *testing.T) {
	const id = "cafe"
	v2 := map[string]string{
		"proc/7/cgroup": "0::/system.slice/docker-cafe.scope\n",
		"sys/fs/cgroup/system.slice/docker-cafe.scope/memory.current": "1000\n",
		"sys/fs/cgroup/system.slice/docker-cafe.scope/memory.peak":    "2000\n",
		"sys/fs/cgroup/system.slice/docker-cafe.scope/cpu.stat":       "usage_usec 30\nuser_usec 20\n",
	}
	v1 := map[string]string{
		"proc/7/cgroup": "11:memory:/docker/cafe\n5:cpu,cpuacct:/docker/cafe\n1:name=systemd:/docker/cafe\n0::/system.slice/containerd.service\n",
		"sys/fs/cgroup/memory/docker/cafe/memory.usage_in_bytes":     "1000\n",
		"sys/fs/cgroup/memory/docker/cafe/memory.max_usage_in_bytes": "2000\n",
		"sys/fs/cgroup/cpuacct/docker/cafe/cpuacct.usage":            "30000\n",
	}
	for name, files := range map[string]map[string]string{"v2": v2, "v1": v1} {
		g, err := findCgroup(tree(t, files), 7, id)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var u Use
		g.fill(&u)
		if u.Memory != 1000 || u.Peak != 2000 || u.CPU != 30*time.Microsecond {
			t.Errorf("%s: %+v", name, u)
		}
		if !strings.Contains(u.PeakSource, "memory.") || !strings.Contains(u.CPUSource, "cpu") {
			t.Errorf("%s: the sources are %q and %q", name, u.PeakSource, u.CPUSource)
		}
	}
	// Before Linux 5.19 there is no memory.peak; what the engine has said stays.
	delete(v2, "sys/fs/cgroup/system.slice/docker-cafe.scope/memory.peak")
	g, err := findCgroup(tree(t, v2), 7, id)
	if err != nil {
		t.Fatal(err)
	}
	u := Use{Memory: 5, MemorySource: sourceStats, CPU: 6, CPUSource: sourceStats}
	g.fill(&u)
	u.explain("its cgroup does not tell it")
	if u.PeakSource != "" || u.Peak != 0 || u.Memory != 5 || u.CPU != 6 || len(u.Missing) != 1 || !strings.HasPrefix(u.Missing[0], "peak memory: ") {
		t.Errorf("without memory.peak: %+v", u)
	}
}

func TestCgroupIsNotTheContainers(t *testing.T) {
	root := tree(t, map[string]string{"proc/7/cgroup": "0::/user.slice/another\n"})
	for pid, says := range map[int]string{7: "does not name the container", 8: "not to be found", 0: "does not run"} {
		if g, err := findCgroup(root, pid, "cafe"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("process %d: %+v, %v", pid, g, err)
		}
	}
}
