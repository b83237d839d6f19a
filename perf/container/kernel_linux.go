package container

import (
	"os"
	"strings"
)

// ownKernel is the release of the kernel that this process runs under, in the form
// in which an engine tells its own; empty if unknown.
func ownKernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(release))
}
