package container

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// TestLivenessInNamespace judges a run in a process id namespace of its own, as one in
// a container has.
func TestLivenessInNamespace(t *testing.T) {
	if os.Getuid() != 0 {
		testenv.Missing(t, "root", "a process id namespace takes root")
	}
	if h := thisHost(); h.space != initSpace {
		testenv.Missing(t, "the host's namespace", "this test runs in a container")
	}
	unshare := testenv.Tool(t, "unshare")
	self := selfCommand(t)
	// The program replaces nothing: unshare stays its parent, and the first process of
	// the namespace is the run.
	cmd := exec.Command(unshare, "--pid", "--fork", "--mount-proc", "--kill-child", self.Path)
	run := startRunBy(t, cmd, runConfig{})
	if run.owner.Space == initSpace || run.owner.Space == 0 || run.owner.PID != 1 {
		t.Fatalf("%+v is not in a namespace of its own", run.owner)
	}
	if life, why := run.owner.Liveness(); life != Unclear {
		t.Errorf("seen from outside it is %v: %s", life, why)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_, _ = run.out.ReadString(0) // to the end
	_ = cmd.Wait()
	// Containers of others may have a process 1 as well, which keeps it unclear. An id
	// that no container reaches is dead.
	gone := run.owner
	gone.PID = 1 << 30
	waitFor(t, "the end of the namespace", time.Minute, func() bool {
		life, _ := gone.Liveness()
		return life == Dead
	})
}
