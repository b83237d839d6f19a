package measure

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/shirou/gopsutil/v3/cpu"
)

func TestMachineIsTheSameTwice(t *testing.T) {
	first, warnings := Machine(t.Context())
	// Monitoring agents set these; they must not lead the facts elsewhere.
	t.Setenv("HOST_PROC", t.TempDir())
	t.Setenv("HOST_SYS", t.TempDir())
	second, _ := Machine(t.Context())
	if first.Fingerprint != second.Fingerprint {
		t.Errorf("fingerprints %s and %s: a machine must have one", first.Fingerprint, second.Fingerprint)
	}
	if first.Fingerprint != first.ComputeFingerprint() {
		t.Errorf("fingerprint %s is not that of the facts, %s", first.Fingerprint, first.ComputeFingerprint())
	}
	if first.OS != runtime.GOOS || first.Arch != runtime.GOARCH || first.Cores < runtime.NumCPU() {
		t.Errorf("%s/%s with %d cores; want %s/%s with %d or more", first.OS, first.Arch, first.Cores, runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	}
	if first.CPU == "" && len(warnings) == 0 {
		t.Error("no CPU model and no warning about it")
	}
	for _, w := range warnings {
		if w.Kind != perf.WarnNotMeasured {
			t.Errorf("warning %+v: want the kind %s", w, perf.WarnNotMeasured)
		}
	}
}

func TestMachineHoldsNoHostName(t *testing.T) {
	name, err := os.Hostname()
	if err != nil || len(name) < 4 || name == "localhost" {
		t.Skipf("the host name %q (%v) is too plain to look for", name, err)
	}
	m, _ := Machine(t.Context())
	for _, fact := range []string{m.Fingerprint, m.CPU, m.Kernel, m.Virtualisation} {
		if strings.Contains(fact, name) {
			t.Errorf("%q holds the host name %q", fact, name)
		}
	}
}

func TestMemoryClass(t *testing.T) {
	const gib = 1 << 30
	for total, want := range map[uint64]string{
		1: "1 GiB", gib: "1 GiB", gib + 1: "2 GiB", 2 * gib: "2 GiB", 3 * gib: "4 GiB",
		16167124 << 10: "16 GiB", 24669184 << 10: "32 GiB", 32 * gib: "32 GiB", 32*gib + 1: "64 GiB",
	} {
		if got := memoryClass(total); got != want {
			t.Errorf("%d bytes are of class %q, want %q", total, got, want)
		}
	}
}

func TestCPUName(t *testing.T) {
	for _, c := range []struct {
		info cpu.InfoStat
		want string
	}{
		{cpu.InfoStat{ModelName: "Intel(R)  Xeon(R) CPU @ 2.20GHz ", Model: "79"}, "Intel(R) Xeon(R) CPU @ 2.20GHz"},
		{cpu.InfoStat{ModelName: "Undefined", VendorID: "ARM", Model: "0xd4f"}, "ARM part 0xd4f"},
		{cpu.InfoStat{VendorID: "Apple", Model: "0x000"}, "Apple part 0x000"},
		{cpu.InfoStat{}, ""},
	} {
		if got := cpuName(c.info); got != c.want {
			t.Errorf("%+v is named %q, want %q", c.info, got, c.want)
		}
	}
}

func TestVirtVendor(t *testing.T) {
	for _, c := range []struct{ vendor, product, want string }{
		{"VMware, Inc.", "VMware7,1", "vmware"},
		{"innotek GmbH", "VirtualBox", "virtualbox"},
		{"Microsoft Corporation", "Virtual Machine", "hyperv"},
		{"Microsoft Corporation", "Surface Laptop 4", ""},
		{"Amazon EC2", "m5.large", "kvm"},
		{"Amazon EC2", "m5.metal", ""},
		{"Google", "Google Compute Engine", "kvm"},
		{"Google", "Eve", ""},
		{"QEMU", "Standard PC (Q35 + ICH9, 2009)", "kvm"},
		{"LENOVO", "20XW0055US", ""},
		{"", "", ""},
	} {
		if got := virtVendor(c.vendor, c.product); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.vendor, c.product, got, c.want)
		}
	}
}

func TestToolchain(t *testing.T) {
	fakePath(t, map[string]string{"go": "GOVERSION", "cargo": "version", "rustc": "fails"})
	got := Toolchain(t.Context(), "go", "cargo", "rustc", "absent")
	want := map[string]string{"go": "1.99.1", "cargo": "1.95.0"}
	if len(got) != len(want) || got["go"] != want["go"] || got["cargo"] != want["cargo"] {
		t.Errorf("got %v, want %v", got, want)
	}
	m, _ := Machine(t.Context())
	if m.Toolchain["go"] != "1.99.1" || !regexp.MustCompile(`^\d+\.\d+|^devel`).MatchString(m.Toolchain["runtime"]) {
		t.Errorf("the toolchain of the machine is %v; want go 1.99.1 and the release that built the test", m.Toolchain)
	}
}
