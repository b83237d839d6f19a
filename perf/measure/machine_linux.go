package measure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shirou/gopsutil/v3/common"
)

// A factHost is where facts come from: the files under root, and the few
// questions that only the running kernel answers. Tests put recorded trees and
// answers in their place.
type factHost struct {
	root string
	// superuser says that remedies need no sudo before them.
	superuser bool
	// perfEvent tries to open one perf event of this process and closes it.
	perfEvent func(perfProbe) error
}

func factSystem() factHost {
	return factHost{root: "/", superuser: os.Geteuid() == 0, perfEvent: perfEventOpen}
}

// read returns the contents of a file below the root, without white space around.
func (h factHost) read(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join(h.root, path))
	return strings.TrimSpace(string(b)), err
}

// text is read for files whose absence means the same as emptiness.
func (h factHost) text(path string) string {
	s, err := h.read(path)
	if err != nil {
		return ""
	}
	return s
}

// exists says whether there is a file, which is all that marker files say.
func (h factHost) exists(path string) bool {
	_, err := os.Stat(filepath.Join(h.root, path))
	return err == nil
}

// glob returns the paths that match, without the root before them.
func (h factHost) glob(pattern string) []string {
	// The only error is a malformed pattern, and the patterns are constants.
	found, _ := filepath.Glob(filepath.Join(h.root, pattern))
	for i, path := range found {
		found[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(path, h.root), "/")
	}
	return found
}

// context makes gopsutil read below the root. It is set on the real system too,
// so that HOST_PROC and its like in the environment, which monitoring agents use,
// cannot make results speak of another machine.
func (h factHost) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: filepath.Join(h.root, "proc"),
		common.HostSysEnvKey:  filepath.Join(h.root, "sys"),
	})
}

// kernel is uname -r, from the file that says the same.
func (h factHost) kernel(ctx context.Context) (string, error) {
	if release, err := h.read("/proc/sys/kernel/osrelease"); err == nil && release != "" {
		return release, nil
	}
	return kernelRelease(ctx)
}

// virtualisation names what stands between the process and the metal, as "none",
// "kvm", "docker" or "docker on kvm". gopsutil's answer is not used: it calls
// every host with the kvm module loaded kvm, finds nothing in guests without
// firmware tables, and reads files that only root may.
func (h factHost) virtualisation() (string, error) {
	machine, err := h.hypervisor()
	if err != nil {
		return "", err
	}
	container := h.container()
	switch {
	case container == "":
		return machine, nil
	case machine == virtNone:
		return container, nil
	}
	return container + " on " + machine, nil
}

// hypervisor looks first for whether there is one, by what a hypervisor cannot
// well hide, and then for its name, by what it happens to show.
func (h factHost) hypervisor() (string, error) {
	cpuinfo, err := h.read("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	if strings.Contains(strings.ToLower(h.text("/proc/sys/kernel/osrelease")), "microsoft") {
		return "wsl", nil
	}
	flags, isX86 := cpuFlags(cpuinfo)
	if isX86 && !slices.Contains(flags, "hypervisor") {
		return virtNone, nil
	}
	if name := h.hypervisorName(); name != "" {
		return name, nil
	}
	if isX86 {
		return virtUnknown, nil
	}
	return virtNone, nil
}

// hypervisorName looks at what is readable by everyone: Xen's own file, the
// firmware's strings, the clock that a hypervisor offers, the device tree.
func (h factHost) hypervisorName() string {
	if name := h.text("/sys/hypervisor/type"); name != "" {
		return name
	}
	if name := virtVendor(h.text("/sys/class/dmi/id/sys_vendor"), h.text("/sys/class/dmi/id/product_name")); name != "" {
		return name
	}
	// MicroVMs such as Firecracker bring no firmware tables, but a clock.
	clocks := h.text("/sys/devices/system/clocksource/clocksource0/available_clocksource")
	switch {
	case strings.Contains(clocks, "kvm-clock"):
		return "kvm"
	case strings.Contains(clocks, "hyperv"):
		return "hyperv"
	case strings.Contains(clocks, "xen"):
		return "xen"
	}
	// The first of a list of "maker,name-version", each ended by a zero byte.
	tree, _, _ := strings.Cut(h.text("/proc/device-tree/hypervisor/compatible"), "\x00")
	_, name, _ := strings.Cut(tree, ",")
	name, _, _ = strings.Cut(name, "-")
	return name
}

// cpuFlags returns the first flags line of /proc/cpuinfo. Only x86 has one; it
// holds "hypervisor" in a guest, because the hypervisor sets that CPUID bit.
func cpuFlags(cpuinfo string) ([]string, bool) {
	for line := range strings.Lines(cpuinfo) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == "flags" {
			return strings.Fields(value), true
		}
	}
	return nil, false
}

// container names the kind of container that the process runs in, or "". The
// environment of process 1, which says more, is only root's to read.
func (h factHost) container() string {
	if h.containerMounts() {
		switch {
		case h.exists("/.dockerenv"):
			return "docker"
		case h.exists("/run/.containerenv"):
			return "podman"
		}
	}
	if name := h.text("/run/systemd/container"); name != "" {
		return name
	}
	groups := h.text("/proc/self/cgroup")
	for _, mark := range []struct{ path, name string }{
		{"/kubepods", "kubernetes"}, {"/docker/", "docker"}, {"/docker-", "docker"},
		{"/libpod-", "podman"}, {"/lxc", "lxc"}, {"/machine.slice/machine-", "systemd-nspawn"},
	} {
		if strings.Contains(groups, mark.path) {
			return mark.name
		}
	}
	// A cgroup namespace hides those names. An overlay as the root, with the
	// process at the top of its own hierarchy, is then what is left to see; live
	// systems have such a root too, but put their sessions into slices.
	if groups == "0::/" && h.rootFileSystem() == "overlay" {
		return "container"
	}
	return ""
}

// containerMounts says whether the mounts look like those of a container. The
// marker files alone prove nothing: a virtual machine whose disk was made from an
// image keeps them. An engine mounts its own /etc/hosts over the image's.
func (h factHost) containerMounts() bool {
	mounts, err := h.mounts()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(mounts, func(m factMount) bool { return m.point == "/etc/hosts" }) ||
		h.rootFileSystem() == "overlay"
}

// rootFileSystem is the type of what is mounted on /, or "" if that is not known.
func (h factHost) rootFileSystem() string {
	mounts, err := h.mounts()
	if err != nil {
		return ""
	}
	for _, m := range slices.Backward(mounts) { // the topmost mount is the last
		if m.point == "/" {
			return m.kind
		}
	}
	return ""
}

// A factMount is a line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type factMount struct {
	root  string // the folder of the file system that forms the root of the mount
	point string // where it is mounted
	kind  string // the type of file system
	super string // options of the file system, among them v1's controllers
}

// mounts reads the mounts in the order in which they were made. A line that is not
// understood is an error: what would be skipped might be the one that matters.
func (h factHost) mounts() ([]factMount, error) {
	const path = "/proc/self/mountinfo"
	text, err := h.read(path)
	if err != nil {
		return nil, err
	}
	var mounts []factMount
	for line := range strings.Lines(text) {
		front, back, ok := strings.Cut(line, " - ")
		f, b := strings.Fields(front), strings.Fields(back)
		if !ok || len(f) < 5 || len(b) < 3 {
			return nil, fmt.Errorf("%s: cannot read the line %q", path, strings.TrimSpace(line))
		}
		mounts = append(mounts, factMount{root: unescapeMount(f[3]), point: unescapeMount(f[4]), kind: b[0], super: b[2]})
	}
	return mounts, nil
}

// unescapeMount undoes the octal escapes of white space and backslash.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// factAbsent tells a file that the system does not have from one that it has and
// keeps to itself.
func factAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
