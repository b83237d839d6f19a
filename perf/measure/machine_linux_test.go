package measure

import (
	"strings"
	"testing"
)

const (
	guestCPU    = "processor\t: 0\nmodel name\t: X\nflags\t\t: fpu hypervisor"
	metalCPU    = "processor\t: 0\nmodel name\t: X\nflags\t\t: fpu vmx"
	armCPU      = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c"
	clockFile   = "sys/devices/system/clocksource/clocksource0/available_clocksource"
	overlayRoot = "1 0 0:61 / / rw - overlay overlay rw"
	diskRoot    = "1 0 254:0 / / rw - ext4 /dev/vda rw"
	engineHosts = "2 1 254:0 /c/hosts /etc/hosts rw - ext4 /dev/vda rw"
)

func TestVirtualisation(t *testing.T) {
	const mountinfo = "proc/self/mountinfo"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"metal": {map[string]string{"proc/cpuinfo": metalCPU, clockFile: "tsc kvm-clock", mountinfo: diskRoot}, "none"},
		// A cloud names its whole machines as its virtual ones, and the CPU tells.
		"metal with a cloud's name": {map[string]string{"proc/cpuinfo": metalCPU, "sys/class/dmi/id/sys_vendor": "Google",
			"sys/class/dmi/id/product_name": "Google Compute Engine"}, "none"},
		"microVM":       {map[string]string{"proc/cpuinfo": guestCPU, clockFile: "tsc kvm-clock"}, "kvm"},
		"Hyper-V clock": {map[string]string{"proc/cpuinfo": guestCPU, clockFile: "hyperv_clocksource_tsc_page"}, "hyperv"},
		"Xen":           {map[string]string{"proc/cpuinfo": guestCPU, "sys/hypervisor/type": "xen"}, "xen"},
		"VMware":        {map[string]string{"proc/cpuinfo": guestCPU, "sys/class/dmi/id/sys_vendor": "VMware, Inc."}, "vmware"},
		"WSL":           {map[string]string{"proc/cpuinfo": guestCPU, "proc/sys/kernel/osrelease": "5.15.153.1-microsoft-standard-WSL2"}, "wsl"},
		"nameless":      {map[string]string{"proc/cpuinfo": guestCPU}, "vm"},
		"ARM metal":     {map[string]string{"proc/cpuinfo": armCPU}, "none"},
		"ARM guest":     {map[string]string{"proc/cpuinfo": armCPU, "proc/device-tree/hypervisor/compatible": "linux,kvm\x00"}, "kvm"},
		"Xen on ARM":    {map[string]string{"proc/cpuinfo": armCPU, "proc/device-tree/hypervisor/compatible": "xen,xen-4.17\x00xen,xen\x00"}, "xen"},
		"Docker": {map[string]string{"proc/cpuinfo": metalCPU, ".dockerenv": "", mountinfo: overlayRoot},
			"docker"},
		"Docker on another storage driver": {map[string]string{"proc/cpuinfo": guestCPU, clockFile: "kvm-clock", ".dockerenv": "",
			mountinfo: diskRoot + "\n" + engineHosts}, "docker on kvm"},
		"a disk made from an image": {map[string]string{"proc/cpuinfo": guestCPU, clockFile: "kvm-clock", ".dockerenv": "",
			mountinfo: diskRoot}, "kvm"},
		"Podman":     {map[string]string{"proc/cpuinfo": metalCPU, "run/.containerenv": "", mountinfo: overlayRoot}, "podman"},
		"LXC":        {map[string]string{"proc/cpuinfo": metalCPU, "run/systemd/container": "lxc"}, "lxc"},
		"Kubernetes": {map[string]string{"proc/cpuinfo": metalCPU, "proc/self/cgroup": "4:cpu:/kubepods/burstable/pod1/2"}, "kubernetes"},
		"containerd": {map[string]string{"proc/cpuinfo": metalCPU, "proc/self/cgroup": "0::/", mountinfo: overlayRoot}, "container"},
		"live system": {map[string]string{"proc/cpuinfo": metalCPU, "proc/self/cgroup": "0::/user.slice/session-1.scope",
			mountinfo: overlayRoot}, "none"},
	} {
		got, err := factTree(t, c.files, nil).virtualisation()
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	if got, err := factTree(t, nil, nil).virtualisation(); err == nil {
		t.Errorf("without any file: %q; want an error", got)
	}
}

// TestMachineWithoutFiles is a system that shows nothing: each fact that is
// missing is warned about.
func TestMachineWithoutFiles(t *testing.T) {
	m, warnings := factTree(t, nil, nil).machine(t.Context())
	var text strings.Builder
	for _, w := range warnings {
		text.WriteString(w.Text + "\n")
	}
	for _, fact := range []string{"CPU model", "number of CPUs", "memory size", "virtualisation"} {
		if !strings.Contains(text.String(), "the "+fact+" of this machine could not be read (") {
			t.Errorf("no warning about the %s:\n%s", fact, &text)
		}
	}
	if strings.Contains(text.String(), "(<nil>)") {
		t.Errorf("a warning without a reason:\n%s", &text)
	}
	if m.Cores < 1 || m.Fingerprint == "" {
		t.Errorf("%d cores and fingerprint %q: want what is left to know", m.Cores, m.Fingerprint)
	}
}

func TestMachineWithTwoKindsOfCPU(t *testing.T) {
	h := factTree(t, map[string]string{"proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n" +
		"processor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\nprocessor\t: 2\nCPU implementer\t: 0x41\nCPU part\t: 0xd05"}, nil)
	got, err := h.cpuModel(t.Context())
	if want := "Cortex-A76 + Cortex-A55"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestMountsRejectsWhatItCannotRead(t *testing.T) {
	h := factTree(t, map[string]string{"proc/self/mountinfo": `1 0 0:1 / /a\040b rw - ext4 /dev/a rw` + "\n2 0 0:1 no dash"}, nil)
	if _, err := h.mounts(); err == nil || !strings.Contains(err.Error(), `"2 0 0:1 no dash"`) {
		t.Errorf("got %v; want an error that quotes the line", err)
	}
	h = factTree(t, map[string]string{"proc/self/mountinfo": `1 0 0:1 / /a\040b rw - ext4 /dev/a rw`}, nil)
	if got, err := h.mounts(); err != nil || got[0].point != "/a b" {
		t.Errorf("got %+v, %v; want the point /a b", got, err)
	}
}
