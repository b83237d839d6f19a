package measure

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os/exec"
	"runtime"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/mem"
)

// Machine describes the machine that the program runs on, with its fingerprint.
//
// Cores are the logical CPUs that are online; what a cgroup or an affinity mask
// leaves of them is a condition of a run (see [Conditions]) and does not name the
// machine. Nothing that changes between two boots enters it, and nothing that root
// sees and a user does not: both have to get the same fingerprint.
//
// A fact that the system does not give is left empty and warned about, because it
// makes the fingerprint another one. Toolchain holds the go command on PATH and
// the Go release that built this program; other tools are added by [Toolchain].
func Machine(ctx context.Context) (perf.Machine, []perf.Warning) {
	return factSystem().machine(ctx)
}

// machine collects the facts one by one, so that one that is missing costs no
// other, and warns about each that is.
func (h factHost) machine(ctx context.Context) (perf.Machine, []perf.Warning) {
	m := perf.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH}
	var warnings []perf.Warning
	missing := func(fact string, err error) {
		warnings = append(warnings, perf.Warning{Kind: perf.WarnNotMeasured, Text: fmt.Sprintf(
			"the %s of this machine could not be read (%v): its fingerprint differs from one that holds it", fact, err)})
	}
	var err error
	if m.CPU, err = h.cpuModel(ctx); err != nil {
		missing("CPU model", err)
	}
	if m.Cores, err = cpu.CountsWithContext(h.context(ctx), true); err == nil && m.Cores < 1 {
		err = errors.New("the system counts none")
	}
	if err != nil {
		// The count that the scheduler gives this process is the best one left.
		m.Cores = runtime.NumCPU()
		missing("number of CPUs", err)
	}
	if m.MemoryClass, err = h.memoryClass(ctx); err != nil {
		missing("memory size", err)
	}
	if m.Virtualisation, err = h.virtualisation(); err != nil {
		missing("virtualisation", err)
	}
	if m.Kernel, err = h.kernel(ctx); err != nil {
		missing("kernel release", err)
	}
	m.Toolchain = Toolchain(ctx, "go")
	m.Toolchain["runtime"] = strings.TrimPrefix(runtime.Version(), "go")
	m.Fingerprint = m.ComputeFingerprint()
	return m, warnings
}

// Toolchain returns the version of each of the tools (go, cargo, rustc, cc, ...)
// that is on PATH and says one within five seconds; the others are not in the
// map. The go command is asked in the working directory, where a toolchain line
// of go.mod may choose another release than the one installed.
func Toolchain(ctx context.Context, tools ...string) map[string]string {
	versions := map[string]string{}
	for _, name := range tools {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		args := []string{"--version"}
		if name == "go" {
			args = []string{"env", "GOVERSION"}
		}
		out, err := toolOutput(ctx, toolTimeout, path, args...)
		if err != nil {
			continue
		}
		if v := toolVersion(out); v != "" {
			versions[name] = v
		}
	}
	return versions
}

// memoryClass is the class of all memory of the machine, also where a cgroup leaves
// the process less of it.
func (h factHost) memoryClass(ctx context.Context) (string, error) {
	memory, err := mem.VirtualMemoryWithContext(h.context(ctx))
	if err == nil && memory.Total == 0 {
		err = errors.New("the system names no size")
	}
	if err != nil {
		return "", err
	}
	return memoryClass(memory.Total), nil
}

// memoryClass is a memory size in bytes, rounded up to a power of two GiB. The
// kernel keeps some of the memory for itself and firmware some more, so that
// equal machines show different totals; of the class they show one.
func memoryClass(total uint64) string {
	const gib = 1 << 30
	n := (total + gib - 1) / gib
	if n <= 1 {
		return "1 GiB"
	}
	return fmt.Sprintf("%d GiB", uint64(1)<<bits.Len64(n-1))
}

// cpuModel returns the distinct models of the CPUs, joined by " + ": machines
// with performance and efficiency cores of their own models exist.
func (h factHost) cpuModel(ctx context.Context) (string, error) {
	infos, err := cpu.InfoWithContext(h.context(ctx))
	var models []string
	seen := map[string]bool{}
	for _, info := range infos {
		model := cpuName(info)
		if model != "" && !seen[model] {
			seen[model] = true
			models = append(models, model)
		}
	}
	if len(models) > 0 {
		return strings.Join(models, " + "), nil
	}
	if err == nil {
		err = errors.New("the system names no model")
	}
	return "", err
}

// cpuName is the model of one CPU. The rated clock that some makers write into
// the name stays in: it is the same at every boot, and in virtual machines it is
// often all that tells two generations apart.
func cpuName(info cpu.InfoStat) string {
	name := strings.Join(strings.Fields(info.ModelName), " ")
	if name != "" && name != "Undefined" {
		return name
	}
	if info.Model == "" {
		return ""
	}
	// ARM kernels print numbers in the place of names, and the table that turns
	// them into names does not know the newest.
	return strings.TrimSpace(info.VendorID + " part " + info.Model)
}

// kernelRelease asks the running system, for hosts that have no file of it.
func kernelRelease(ctx context.Context) (string, error) {
	release, err := host.KernelVersionWithContext(ctx)
	if err == nil && release == "" {
		err = errors.New("the system names no release")
	}
	return release, err
}

// Names of virtualisation that more than one system detects.
const (
	virtNone = "none"
	// virtUnknown is a virtual machine of a kind that nothing names.
	virtUnknown = "vm"
)

// virtVendors maps the start of "VENDOR PRODUCT", as the firmware (SMBIOS, system
// information) names a machine, to a hypervisor.
var virtVendors = []struct{ prefix, name string }{
	{"VMware", "vmware"},
	{"innotek GmbH", "virtualbox"},
	{"Oracle Corporation VirtualBox", "virtualbox"},
	{"Microsoft Corporation Virtual Machine", "hyperv"},
	{"Parallels", "parallels"},
	{"Apple Inc. Apple Virtualization", "apple"},
	{"Xen", "xen"},
	{"Amazon EC2", "kvm"},
	{"Google Google Compute Engine", "kvm"},
	{"QEMU", "kvm"},
	{"KVM", "kvm"},
	{"Bochs", "kvm"},
	{"OpenStack", "kvm"},
	{"Alibaba Cloud", "kvm"},
	{"DigitalOcean", "kvm"},
	{"Hetzner vServer", "kvm"},
	{"Scaleway SCW", "kvm"},
}

// virtVendor returns the hypervisor that the firmware's strings speak of, or "".
func virtVendor(vendor, product string) string {
	if strings.Contains(product, ".metal") {
		return "" // a whole machine of a cloud, under the cloud's name
	}
	full := strings.TrimSpace(vendor) + " " + strings.TrimSpace(product)
	for _, v := range virtVendors {
		if strings.HasPrefix(full, v.prefix) {
			return v.name
		}
	}
	return ""
}
