package profiler

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobodyEnv names the program that the test binary records when it runs as nobody.
const nobodyEnv = "PROFILER_AS_NOBODY"

// TestWithoutRights records by perf as a user whom the kernel shows nothing of itself: at
// level 2 of kernel.perf_event_paranoid, events of the user side alone.
func TestWithoutRights(t *testing.T) {
	if program := os.Getenv(nobodyEnv); program != "" {
		recordAsNobody(t, program)
		return
	}
	needsPerf(t)
	if os.Geteuid() != 0 || paranoid() != 2 {
		t.Skipf("takes root, who can become nobody, and kernel.perf_event_paranoid=2; it is %d", paranoid())
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, program := filepath.Join(dir, "self"), filepath.Join(dir, "alloc")
	copyProgram(t, os.Args[0], self)
	copyProgram(t, alloc(t), program)
	scratch := filepath.Join(dir, "scratch")
	if err := os.Mkdir(scratch, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(scratch, 0o777); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestWithoutRights$", "-test.v")
	cmd.Dir, cmd.Env = scratch, append(os.Environ(), nobodyEnv+"="+program, "HOME="+scratch, "TMPDIR="+scratch)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "recorded as 65534") {
		t.Errorf("%v\n%s", err, out)
	}
}

// recordAsNobody is the part that has no rights.
func recordAsNobody(t *testing.T, program string) {
	o := options(t)
	o.Via = ViaPerf
	r, err := CPU(t.Context(), Command{Args: []string{program, "3", "400000000"}}, o)
	if err != nil {
		t.Fatal(err)
	}
	wantShare(t, r, "spin", 0.8)
	for _, s := range r.Profile.Sample {
		for _, l := range s.Location {
			if inKernel(l) {
				t.Fatal("the kernel shows nobody its own functions")
			}
		}
	}
	// Where a thread waits is not shown. That is said, and is no program that never waits.
	_, err = OffCPU(t.Context(), Command{Args: []string{program, "3", "1000", "200000"}}, o)
	if u, ok := errors.AsType[*UnavailableError](err); !ok || !strings.Contains(u.Error(), "perf_event_paranoid=1") {
		t.Errorf("off-CPU: %v, want what would let it be seen", err)
	}
	fmt.Println("recorded as", os.Geteuid())
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
