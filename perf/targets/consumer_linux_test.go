package targets_test

import (
	"syscall"
	"testing"
	"time"
)

// hangs is a clnrm that tells the test that it runs, and never ends.
const hangs = `
use std::io::Read;

fn main() {
    let address = std::env::var("CLNRM_TEST_ADDRESS").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let _ = stream.read(&mut [0]);
}
`

// TestClnrmAtARefInterrupted ends a run while it measures a worktree. After an
// interruption nothing is left in the user's repository; what a killed run leaves goes
// with the next run.
func TestClnrmAtARefInterrupted(t *testing.T) {
	c := newCheckout(t)
	ref := c.commit(t, hangs)
	c.git(t, "reset", "--quiet", "--hard", "HEAD~1")
	before := c.state(t)
	t.Setenv("CLNRM_DIR", c.dir)
	t.Setenv("CLNRM_REF", ref)
	binary, _ := gate(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			dir, w := t.TempDir(), newWaiters(t)
			t.Setenv("CLNRM_TEST_ADDRESS", w.listener.Addr().String())
			s := begin(t, dir, binary, "benchmarks", "-only=cli startup")
			w.started(t, 1)
			if during := c.state(t); during == before {
				t.Error("there is no worktree while it is measured")
			}
			deadline := time.Now().Add(cleanupLimit)
			if err := syscall.Kill(s.cmd.Process.Pid, sig); err != nil {
				t.Fatal(err)
			}
			_, output := s.ended(t, deadline)
			w.gone(t, deadline)
			if sig == syscall.SIGKILL {
				call(t, dir, fakeClnrm(t), "time", "go version", "-runs=1", "-memory=0", "-warmup=0").want(t, 0)
				nothingLeft(t, dir)
			} else {
				savedIncomplete(t, dir, output)
			}
			if after := c.state(t); after != before {
				t.Errorf("the user's repository is not as it was:\n%s\nnow\n%s\n%s", before, after, output)
			}
		})
	}
}
