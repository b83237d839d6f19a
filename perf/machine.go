package perf

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Machine is where a result was made. What identifies it for comparisons is in
// Fingerprint; the rest is for the reader. It holds no host name and nothing that
// changes between two boots, such as the clock rate.
type Machine struct {
	Fingerprint string `json:"fingerprint"`
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	CPU         string `json:"cpu"`
	Cores       int    `json:"cores"`
	// MemoryClass is the memory rounded up to a power of two GiB, as "32 GiB".
	MemoryClass    string `json:"memory"`
	Virtualisation string `json:"virtualisation,omitempty"`
	Kernel         string `json:"kernel,omitempty"`
	// Toolchain maps a tool (go, cargo, ...) to its version. Versions are warned
	// about when they differ, and are not part of the fingerprint.
	Toolchain map[string]string `json:"toolchain"`
}

// ComputeFingerprint returns the name under which results of machines like m are
// comparable: a readable part and a hash over architecture, CPU model, cores,
// memory class, OS and virtualisation. It is a valid file name everywhere.
func (m Machine) ComputeFingerprint() string {
	key := strings.Join([]string{m.OS, m.Arch, m.CPU, fmt.Sprint(m.Cores), m.MemoryClass, m.Virtualisation}, "\x00")
	sum := sha256.Sum256([]byte(key))
	memory := strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(m.MemoryClass, "iB"), " ", ""))
	parts := []string{m.OS, m.Arch, fmt.Sprintf("%dc", m.Cores), memory, hex.EncodeToString(sum[:4])}
	return FileName(strings.Join(parts, "-"))
}
