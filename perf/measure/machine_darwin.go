package measure

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// virtualisation asks the kernel whether a hypervisor runs it (macOS 11 and up).
// It does not say which; Apple's own framework is the usual one, yet not the only.
func (factHost) virtualisation() (string, error) {
	guest, err := unix.SysctlUint32("kern.hv_vmm_present")
	if err != nil {
		return "", fmt.Errorf("sysctl kern.hv_vmm_present: %w", err)
	}
	if guest == 0 {
		return virtNone, nil
	}
	return virtUnknown, nil
}
