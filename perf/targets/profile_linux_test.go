package targets_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// When a recording is ended, the recorder and the subject go with it, also a subject
// that ignores signals; so it does when the process that records is killed. perf ends its
// command by SIGTERM then. And no folder of an unfinished profile stays where it could be removed.
func TestInterruptedRecording(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "perf")
	for _, tc := range []struct {
		sig       syscall.Signal
		part, via string
	}{
		{syscall.SIGINT, "waiter", "events"}, {syscall.SIGTERM, "waiter", "events"}, {syscall.SIGKILL, "waiter", "events"},
		{syscall.SIGINT, "waiter", "perf"}, {syscall.SIGKILL, "polite waiter", "perf"},
	} {
		t.Run(tc.via+"/"+tc.sig.String(), func(t *testing.T) {
			t.Parallel()
			binary, _ := gate(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), binary, "profile", "-cmd="+os.Args[0]+" "+l.Addr().String(), "-seconds=2", "-via="+tc.via)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), playEnv+"="+tc.part)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			first := accept(t, l) // the run as it is, which ends by -seconds
			waitClosed(t, first)
			second := accept(t, l) // the one that is recorded
			if err := cmd.Process.Signal(tc.sig); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // how it ends is not what this is about
			waitClosed(t, second)
			if left, _ := filepath.Glob(filepath.Join(dir, ".perf", "profiles", "*")); tc.sig != syscall.SIGKILL && len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

// accept waits for the next process. One that the profiler ends before it has connected
// never comes.
func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// waitClosed waits until the process at the other end is gone. That it is not would be
// the test's timeout.
func waitClosed(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := bufio.NewReader(c).ReadByte()
	if err == nil {
		t.Error("the waiter has written something")
	}
	_ = c.Close() // it was only read
}

// A command that watches is recorded while files are saved, and ends as it does by Ctrl-C.
func TestProfileOfHotReload(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "perf")
	o := call(t, t.TempDir(), fakeClnrm(t), "profile", "-workload=hot reload", "-seconds=500ms")
	o.want(t, 0, "from its start to its end, with ", " of cpu", " of off-cpu", "flamegraph.svg", "off-cpu/flamegraph.svg")
}
