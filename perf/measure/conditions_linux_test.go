package measure

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	// Other tests of the package may have the same flag.
	if flag.Lookup("update") == nil {
		flag.Bool("update", false, "write the golden files anew")
	}
}

// factTree puts files below a folder and returns the host that has them, on which
// perf events are as answer says.
func factTree(t *testing.T, files map[string]string, answer func(perfProbe) error) factHost {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return factHost{root: root, perfEvent: answer}
}

// recordedTree reads a file of testdata/facts.
func recordedTree(t *testing.T, name string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/facts", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for part := range strings.SplitSeq("\n"+string(b), "\n-- ") {
		if path, text, ok := strings.Cut(part, " --\n"); ok {
			files[path] = strings.TrimSuffix(text, "\n")
		} else if path, ok := strings.CutSuffix(part, " --"); ok {
			files[path] = ""
		}
	}
	if len(files) < 20 {
		t.Fatalf("%s holds %d files: cannot be right", name, len(files))
	}
	return files
}

// refusing is a kernel that answers every perf event with one error.
func refusing(err error) func(perfProbe) error { return func(perfProbe) error { return err } }

// counterless is a virtual machine's kernel: all but the CPU's own counters.
func counterless(p perfProbe) error {
	if p.cycles {
		return unix.ENOENT
	}
	return nil
}

// userOnly is the default of the kernel for users.
func userOnly(p perfProbe) error {
	if p.kernel {
		return unix.EACCES
	}
	return nil
}

func factAnswer(name string) func(perfProbe) error {
	switch name {
	case "laptop":
		return refusing(unix.EACCES)
	case "container":
		return refusing(unix.EPERM)
	}
	return counterless
}

func TestRecordedSystems(t *testing.T) {
	for _, name := range []string{"laptop", "container", "vm"} {
		t.Run(name, func(t *testing.T) {
			h := factTree(t, recordedTree(t, name), factAnswer(name))
			var got strings.Builder
			m, warnings := h.machine(t.Context())
			// What the running program brings in is not of the recorded system.
			m.Toolchain, m.Arch = nil, "amd64"
			m.Fingerprint = m.ComputeFingerprint()
			b, err := json.MarshalIndent(m, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%s\n%v\n\n", b, warnings)
			for _, c := range completeConditions(h.conditions(t.Context())) {
				fmt.Fprintf(&got, "%s = %s\n", c.Name, c.Value)
				if c.Effect != "" {
					fmt.Fprintf(&got, "  %s: %s\n", c.Kind, c.Effect)
				}
				if c.Remedy != "" {
					fmt.Fprintf(&got, "  $ %s\n", c.Remedy)
				}
			}
			compareFactGolden(t, filepath.Join("testdata/facts", name+".golden"), got.String())
		})
	}
}

func compareFactGolden(t *testing.T, path, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s; got:\n%s", path, got)
	}
}
