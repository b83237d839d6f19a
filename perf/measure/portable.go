//go:build !linux

package measure

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// notMeasured is the reason that goes with every peak of memory here.
const notMeasured = "the memory of a process tree is measured on Linux only"

// A runner owns what runs share.
type runner struct {
	mu   sync.Mutex // two goroutines drain
	tail tail
}

// runMemory runs the command, for its exit status and output.
func (r *runner) runMemory(ctx context.Context, c Command, path string) (Memory, error) {
	run, err := r.run(ctx, c, path)
	return Memory{Reason: notMeasured, Run: run}, err
}

// An attempt is one run in progress.
type attempt struct {
	*runner
	cmd   Command
	run   Run
	tree  *tree
	cause error
}

// run makes one timed run. The output is drained by two goroutines, as there is
// no one call that waits for pipes and a process on all these systems.
func (r *runner) run(ctx context.Context, c Command, path string) (Run, error) {
	a := &attempt{runner: r, cmd: c}
	a.run.Args, a.run.Timeout = slices.Clone(c.Args), c.Timeout
	if len(c.CPUs) > 0 {
		return a.run, &StartError{Args: c.Args, Dir: c.Dir, Err: fmt.Errorf("pin to CPUs %v: not possible on this system", c.CPUs), Remedy: "leave the CPUs out"}
	}
	r.tail.reset(c.keep())
	null, err := os.Open(os.DevNull)
	if err != nil {
		return a.run, a.setupError(err)
	}
	defer null.Close()
	out, outW, err := os.Pipe()
	if err != nil {
		return a.run, a.setupError(err)
	}
	defer out.Close()
	errs, errW, err := os.Pipe()
	if err != nil {
		outW.Close()
		return a.run, a.setupError(err)
	}
	defer errs.Close()

	start := time.Now()
	process, err := a.start(path, null, outW, errW)
	// Or the drains would never see the end of file.
	outW.Close()
	errW.Close()
	a.run.Start = start
	if err != nil {
		return a.run, err
	}
	defer a.tree.close()
	var drained sync.WaitGroup
	drained.Go(func() { a.drain(Stdout, out) })
	drained.Go(func() { a.drain(Stderr, errs) })
	err = a.wait(ctx, process)
	// Before the drains are waited for, as it may hold their pipes open.
	a.run.LeftBehind = a.tree.sweep()
	// A process that escaped from the tree may hold a pipe open for ever. Where
	// pipes have no deadlines (Windows), nothing can escape.
	_ = out.SetReadDeadline(time.Now().Add(patience))
	_ = errs.SetReadDeadline(time.Now().Add(patience))
	drained.Wait()
	a.run.Output, a.run.OutputBytes = r.tail.bytes(), r.tail.total
	if a.cause != nil {
		err = a.cause
	}
	return a.run, err
}

func (a *attempt) setupError(err error) error {
	return &StartError{Args: a.cmd.Args, Dir: a.cmd.Dir, Err: err, Remedy: "is this process out of file descriptors (ulimit -n)?"}
}

// start starts the command as the root of a tree of its own.
func (a *attempt) start(path string, files ...*os.File) (*os.Process, error) {
	process, err := os.StartProcess(path, a.cmd.Args, &os.ProcAttr{
		Dir: a.cmd.Dir, Env: a.cmd.environ(), Files: files, Sys: treeAttr(),
	})
	if err != nil {
		return nil, a.cmd.startError(path, underlying(err))
	}
	if a.tree, err = plant(process); err != nil {
		_ = process.Kill()
		_, _ = process.Wait()
		return nil, a.cmd.startError(path, err)
	}
	return process, nil
}

// drain reads one stream to its end. The hook is called under the lock, so that
// it sees one piece at a time.
func (a *attempt) drain(stream int, pipe io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := pipe.Read(buf)
		if n > 0 {
			now := time.Now()
			a.mu.Lock()
			a.tail.add(buf[:n])
			if a.cmd.OnOutput != nil {
				a.cmd.OnOutput(stream, buf[:n], now)
			}
			a.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// A waited is the end of the command as the waiting goroutine saw it.
type waited struct {
	state *os.ProcessState
	at    time.Time
	err   error
}

// wait waits for the command, and ends it when its time or the context is over.
func (a *attempt) wait(ctx context.Context, process *os.Process) error {
	exit := make(chan waited, 1) // buffered: nobody may be listening any more
	go func() {
		state, err := process.Wait()
		exit <- waited{state, time.Now(), err}
	}()
	var timeout <-chan time.Time
	if a.cmd.Timeout > 0 {
		timer := time.NewTimer(a.cmd.Timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case w := <-exit:
		return a.conclude(w)
	case <-timeout:
		a.run.TimedOut = true
	case <-ctx.Done():
		a.cause = fmt.Errorf("%s: ended after %v: %w", a.cmd, time.Since(a.run.Start).Round(time.Millisecond), ctxErr(ctx))
	}
	return a.end(exit)
}

// end asks the tree to end, first by an interrupt if that is wanted, and kills it
// after the grace.
func (a *attempt) end(exit <-chan waited) error {
	var ask []func()
	if a.cmd.Interrupt {
		ask = append(ask, a.tree.interrupt)
	}
	for _, signal := range append(ask, a.tree.terminate) {
		if a.cmd.grace() == 0 {
			break
		}
		signal()
		if w, ended := within(a.cmd.grace(), exit); ended {
			return a.conclude(w)
		}
	}
	a.tree.kill()
	w, ended := within(killLimit, exit)
	if !ended {
		return fmt.Errorf("%s: does not end %v after it was killed; it hangs in the kernel", a.cmd, killLimit)
	}
	return a.conclude(w)
}

// within waits for the end of the command, but no longer than d.
func within(d time.Duration, exit <-chan waited) (w waited, ended bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case w = <-exit:
		return w, true
	case <-timer.C:
		return w, false
	}
}

// conclude enters into the Run how the command ended.
func (a *attempt) conclude(w waited) error {
	a.run.Wall = w.at.Sub(a.run.Start)
	if w.err != nil {
		return fmt.Errorf("%s: wait: %w", a.cmd, w.err)
	}
	a.run.User, a.run.System = w.state.UserTime(), w.state.SystemTime()
	a.run.ExitCode = w.state.ExitCode()
	a.run.setSystemUsage(w.state)
	return nil
}
