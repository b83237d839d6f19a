package measure_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// awaitEnd waits until a process that is no child of this one is no more, or is dead and
// whoever adopted it slow to reap it.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil || strings.Contains(string(status), "\nState:\tZ") {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}

// hanging starts a process that never ends, in a session of its own.
func hanging(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childEnv+"=hang"), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// A warden that is sent home ends nothing, and is no child of this process.
func TestWardenGoesHome(t *testing.T) {
	w, err := measure.StartWarden(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.PID))
	if err != nil || strings.Contains(string(status), fmt.Sprintf("PPid:\t%d\n", os.Getpid())) {
		t.Errorf("the warden is %s, %v", status, err)
	}
	marked := hanging(t, w.Env()...)
	defer marked.Wait()
	defer marked.Process.Kill()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, w.PID)
	if err := marked.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the marked process is gone: %v", err)
	}
}

// A warden whose run is gone without a word ends what carries its mark, in whatever
// session, and nothing else.
func TestWardenEndsWhatIsMarked(t *testing.T) {
	w, err := measure.StartWarden(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	marked, other := hanging(t, w.Env()...), hanging(t, w.Env()[0]+"x")
	defer other.Wait()
	defer other.Process.Kill()
	if err := w.Abandon(); err != nil { // as the end of this process would
		t.Fatal(err)
	}
	if err := marked.Wait(); err == nil || marked.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the marked process ended with %v", err)
	}
	awaitEnd(t, w.PID)
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("a process with another mark is gone: %v", err)
	}
}

// Nothing is marked, and nothing is to be closed, where there is no warden.
func TestNoWarden(t *testing.T) {
	var w *measure.Warden
	if w.Env() != nil || w.Close() != nil {
		t.Error("a warden that is none does something")
	}
}
