package targets_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// cleanupLimit is within how long everything must be gone.
const cleanupLimit = 5 * time.Second

// waiters accepts the connections of measured commands: one lives as long as its
// connection.
type waiters struct {
	listener net.Listener
	conns    []net.Conn
}

func newWaiters(t *testing.T) *waiters {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &waiters{listener: l}
}

// started waits until n commands have connected.
func (w *waiters) started(t *testing.T, n int) {
	t.Helper()
	for range n {
		_ = w.listener.(*net.TCPListener).SetDeadline(time.Now().Add(60 * time.Second))
		c, err := w.listener.Accept()
		if err != nil {
			t.Fatalf("waiting for the measured command: %v", err)
		}
		t.Cleanup(func() { _ = c.Close() })
		w.conns = append(w.conns, c)
	}
}

// gone checks that every command ends in time: its connection closes.
func (w *waiters) gone(t *testing.T, deadline time.Time) {
	t.Helper()
	for i, c := range w.conns {
		_ = c.SetReadDeadline(deadline)
		if _, err := c.Read(make([]byte, 1)); err != nil && os.IsTimeout(err) {
			t.Errorf("process %d of %d is still alive %s after the signal", i+1, len(w.conns), cleanupLimit)
		}
	}
}

// session is a call of the gate that goes on in the background.
type session struct {
	cmd    *exec.Cmd
	stdout *os.File // the read end: it ends when all who write to it have ended
	dir    string
}

// begin starts args in a process group of its own, in dir. A pipe tells when all of
// its processes are gone, also those that outlive the first.
func begin(t *testing.T, dir string, args ...string) *session {
	t.Helper()
	// Tests that run under nohup(1) hand its ignored SIGHUP on, unless they catch it.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &session{cmd: exec.Command(args[0], args[1:]...), stdout: r, dir: dir}
	s.cmd.Dir = dir
	s.cmd.Env = append(os.Environ(), playEnv+"=waiter")
	s.cmd.Stdout, s.cmd.Stderr = w, w
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		_ = r.Close()
	})
	_ = w.Close()
	return s
}

// ended waits until every process of the call has ended, and returns the status of
// the first and what was printed.
func (s *session) ended(t *testing.T, deadline time.Time) (status int, output string) {
	t.Helper()
	_ = s.stdout.SetReadDeadline(deadline)
	data, err := io.ReadAll(s.stdout)
	if err != nil {
		t.Errorf("the gate still runs %s after the signal: %v", cleanupLimit, err)
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // or Wait would take as long
	}
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode(), string(data)
}

// savedIncomplete checks that the run was saved, marked incomplete, and that no
// folder of work is left.
func savedIncomplete(t *testing.T, dir, output string) {
	t.Helper()
	list := results(t, dir)
	if len(list) != 1 {
		t.Fatalf("%d results, want one\n%s", len(list), output)
	}
	r := list[0]
	if r.Complete || r.Exit != perf.ExitFailure {
		t.Errorf("complete %v, exit %d; want an incomplete run of exit 1", r.Complete, r.Exit)
	}
	if w := r.Workloads; len(w) != 1 || w[0].State != perf.StateNotMeasured || !strings.Contains(w[0].Reason, "interrupted") {
		t.Errorf("workloads %+v, want one that was interrupted", w)
	}
	nothingLeft(t, dir)
}

// command is a measured command that starts another one in a session of its own; both
// ignore SIGTERM and wait.
func (w *waiters) command(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s spawn", self, w.listener.Addr())
}

// TestKillOfTheGate: the gate itself can do nothing about a SIGKILL. Its command dies with
// it, and what that had started in a session of its own is ended by the warden.
func TestKillOfTheGate(t *testing.T) {
	binary, _ := gate(t)
	for target, flag := range map[string]string{"time": "", "profile": "-cmd="} {
		t.Run(target, func(t *testing.T) {
			w := newWaiters(t)
			s := begin(t, t.TempDir(), binary, target, flag+w.command(t))
			w.started(t, 2)
			if err := s.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(2 * cleanupLimit)
			w.gone(t, deadline)
			s.ended(t, deadline)
		})
	}
}

func TestSignalsToTheGate(t *testing.T) {
	binary, _ := gate(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			dir, w := t.TempDir(), newWaiters(t)
			s := begin(t, dir, binary, "time", w.command(t))
			w.started(t, 2)
			deadline := time.Now().Add(cleanupLimit)
			if err := syscall.Kill(s.cmd.Process.Pid, sig); err != nil {
				t.Fatal(err)
			}
			status, output := s.ended(t, deadline)
			w.gone(t, deadline)
			if status != perf.ExitFailure {
				t.Errorf("exit status %d, want 1\n%s", status, output)
			}
			savedIncomplete(t, dir, output)
		})
	}
}

// A pipe that nobody writes into is as good as a disk that hangs: reading it does not end.
func TestSignalWhileReading(t *testing.T) {
	for _, target := range []string{"import", "fold", "flamegraph"} {
		t.Run(target, func(t *testing.T) { signalWhileReading(t, target) })
	}
}

func signalWhileReading(t *testing.T, target string) {
	t.Helper()
	binary, _ := gate(t)
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	s := begin(t, dir, binary, target, fifo)
	writer, err := os.OpenFile(fifo, os.O_WRONLY, 0) // returns when the gate has opened it
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	deadline := time.Now().Add(cleanupLimit)
	if err := syscall.Kill(s.cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	status, output := s.ended(t, deadline)
	if status != perf.ExitFailure || !strings.Contains(output, "interrupted") {
		t.Errorf("exit status %d, want 1 and the reason\n%s", status, output)
	}
	nothingLeft(t, dir)
}

// A self-test that was cut short has proved nothing, and must not look as if it had.
func TestSignalToTheSelfTest(t *testing.T) {
	binary, _ := gate(t)
	dir := t.TempDir()
	s := begin(t, dir, binary, "selfTest")
	begun := make([]byte, 1) // what it says when the first pair is made
	if _, err := io.ReadFull(s.stdout, begun); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	status, output := s.ended(t, time.Now().Add(cleanupLimit))
	if status != perf.ExitFailure || !strings.Contains(output, "interrupted") {
		t.Errorf("exit status %d, want 1\n%s", status, output)
	}
	if list := results(t, dir); len(list) != 1 || list[0].Complete || list[0].Exit != perf.ExitFailure {
		t.Errorf("results %+v, want an incomplete one of exit 1", list)
	}
	nothingLeft(t, dir)
}

// As in 2>&1 | head -1: what is printed after that has nobody to read it.
func TestReaderOfTheOutputIsGone(t *testing.T) {
	binary, _ := gate(t)
	dir, w := t.TempDir(), newWaiters(t)
	s := begin(t, dir, binary, "time", strings.TrimSuffix(w.command(t), " spawn"), "-runs=1", "-warmup=0")
	w.started(t, 1)
	_ = s.stdout.Close()
	_ = w.conns[0].Close() // the timed run ends, and the memory run is announced
	w.started(t, 1)
	_ = w.conns[1].Close()
	_ = s.cmd.Wait()
	if status := s.cmd.ProcessState.ExitCode(); status != perf.ExitFailure {
		t.Errorf("%s, want exit status 1, as the result could not be printed", s.cmd.ProcessState)
	}
	if list := results(t, dir); len(list) != 1 || !list[0].Complete {
		t.Errorf("results %+v, want a complete one", list)
	}
	nothingLeft(t, dir)
}

// In a terminal, Ctrl-C reaches the go command, mage and the targets at once.
func TestInterruptOfTheGroup(t *testing.T) {
	_, repo := gate(t)
	w := newWaiters(t)
	dir := runsOf(t, repo)
	s := begin(t, dir, "go", "tool", "mage", "time", w.command(t))
	w.started(t, 2)
	deadline := time.Now().Add(cleanupLimit)
	if err := syscall.Kill(-s.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	status, output := s.ended(t, deadline)
	w.gone(t, deadline)
	if status == 0 {
		t.Errorf("exit status 0 after Ctrl-C\n%s", output)
	}
	savedIncomplete(t, dir, output)
}

// The go command or mage above the targets dies by a signal that nobody can catch.
func TestDeathOfAProcessAbove(t *testing.T) {
	_, repo := gate(t)
	for _, tc := range []struct {
		name   string
		victim func(t *testing.T, s *session) int
		sig    syscall.Signal
	}{
		{"go killed", func(_ *testing.T, s *session) int { return s.cmd.Process.Pid }, syscall.SIGKILL},
		{"go terminated", func(_ *testing.T, s *session) int { return s.cmd.Process.Pid }, syscall.SIGTERM},
		{"mage killed", func(t *testing.T, s *session) int { return childOf(t, s.cmd.Process.Pid) }, syscall.SIGKILL},
		{"mage hung up", func(t *testing.T, s *session) int { return childOf(t, s.cmd.Process.Pid) }, syscall.SIGHUP},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, dir := newWaiters(t), runsOf(t, repo)
			s := begin(t, dir, "go", "tool", "mage", "time", w.command(t))
			w.started(t, 2)
			deadline := time.Now().Add(cleanupLimit)
			if err := syscall.Kill(tc.victim(t, s), tc.sig); err != nil {
				t.Fatal(err)
			}
			_, output := s.ended(t, deadline)
			w.gone(t, deadline)
			if !strings.Contains(output, "the process above this one is gone") {
				t.Errorf("the reason is not told:\n%s", output)
			}
			savedIncomplete(t, dir, output)
		})
	}
}

// runsOf returns the repository with no runs in it: these tests need one in which the
// go command finds mage.
func runsOf(t *testing.T, repo string) string {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(repo, ".perf")); err != nil {
		t.Fatal(err)
	}
	return repo
}

// childOf returns the only child of a process.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	fields := strings.Fields(string(data))
	if err != nil || len(fields) == 0 {
		// The thread that started it may be another one.
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
		for _, f := range files {
			data, _ := os.ReadFile(f)
			fields = append(fields, strings.Fields(string(data))...)
		}
	}
	if len(fields) != 1 {
		t.Fatalf("children of %d: %v, want one", pid, fields)
	}
	child, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return child
}
