package profiler

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// grace is how long a recorder may take to write what it has, once it is told to end.
const grace = 30 * time.Second

// patience is how long a subject may take to end by itself when the recorder is told to.
// It is less than Mage's five seconds after Ctrl-C.
const patience = time.Second

// keptOutput is how much of the end of a command's output is kept for errors.
const keptOutput = 16 << 10

// A tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	data []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	if n := len(t.data); n > 2*keptOutput {
		t.data = append(t.data[:0], t.data[n-keptOutput:]...)
	}
	return len(p), nil
}

// last returns the last lines, indented.
func (t *tail) last(lines int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := strings.Split(strings.TrimSpace(string(t.data)), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n  ")
}

// outcome is how a process ended.
type outcome struct {
	err   error         // nil: with exit status 0
	ended bool          // by us, as its time was up
	cpu   time.Duration // that it took, with its descendants that were waited for
	out   tail
}

// failure says what a process did that it was not to do.
func (o *outcome) failure(c Command) error {
	if o.err == nil || o.ended {
		return nil
	}
	return fmt.Errorf("%s, while it was recorded: %w\n  %s", c, o.err, o.out.last(12))
}

// run starts a process with all that belongs to it in a group of its own, and waits. After
// limit, if that is not 0, the group is told to end as by Ctrl-C; so it is when ctx ends,
// and killed where it does not obey. On Linux it also ends when this process dies.
func run(ctx context.Context, c Command, limit time.Duration) (*outcome, error) {
	return runAs(ctx, c, limit, false)
}

// runAs is run for a recorder around a subject, or for the subject alone, which has nothing
// to write when its time is up, and is killed where it goes on.
func runAs(ctx context.Context, c Command, limit time.Duration, alone bool) (*outcome, error) {
	timed, cancel := ctx, context.CancelFunc(func() {})
	if limit > 0 {
		timed, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	o := new(outcome)
	cmd := exec.CommandContext(timed, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.Dir, c.Env, &o.out, &o.out
	cmd.WaitDelay = grace
	if alone {
		cmd.WaitDelay = patience // of what it has left behind and holds its output
	}
	inGroup(cmd, alone)
	interrupt := cmd.Cancel
	gone := make(chan struct{})
	cmd.Cancel = func() error {
		if interrupt == nil {
			return cmd.Process.Kill()
		}
		// A subject can ignore what ends the recorder, which then waits for it. Nobody
		// reads what a recorder writes whose context has ended.
		go func() {
			select {
			case <-gone: // its number may be somebody else's by now
				return
			case <-time.After(patience):
			}
			killBelow(cmd.Process.Pid)
			if ctx.Err() != nil || alone {
				killGroup(cmd)
			}
		}()
		return interrupt()
	}
	// The kernel ends a child with the thread that has started it, and not with the
	// process, so the thread must not go before.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Args[0], err)
	}
	o.err = cmd.Wait()
	close(gone)
	killGroup(cmd)
	if st := cmd.ProcessState; st != nil {
		o.cpu = st.UserTime() + st.SystemTime()
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("recording %s: %w", c, err)
	}
	o.ended = timed.Err() != nil
	if errors.Is(o.err, exec.ErrWaitDelay) {
		o.err = nil // something that it has left behind holds its output; the group is gone now
	}
	return o, nil
}

// output runs a command to its end and returns its standard output.
func output(ctx context.Context, c Command) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = c.Dir, c.Env, patience
	var last tail
	cmd.Stderr = &last
	inGroup(cmd, false)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n  %s", c, err, last.last(12))
	}
	return out, nil
}
