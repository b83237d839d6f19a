package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Control runs the program of an image as a plain process of this machine, by the
// kernel that the containers run under: what a lifecycle takes beyond it is the price of
// the container.
type Control struct {
	dir, program string
}

// NewControl writes the program to a temporary folder, which Close removes. An engine
// under another kernel has no control here.
func NewControl(i Info, program []byte) (_ *Control, err error) {
	if !i.SharesClock {
		return nil, errors.New("a process of this machine is no control for containers under another kernel")
	}
	dir, err := os.MkdirTemp("", "clnrm-perf-control-")
	if err != nil {
		return nil, fmt.Errorf("the control: %w", err)
	}
	c := &Control{dir: dir, program: filepath.Join(dir, "program")}
	if err := os.WriteFile(c.program, program, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("the control: %w", err), c.Close())
	}
	return c, nil
}

// Close removes the program.
func (c *Control) Close() error { return os.RemoveAll(c.dir) }

// Run starts the program with the arguments of a spec, waits for its line, and ends it,
// as Lifecycle does with a container. Of the phases, Start is what starting the process
// takes, Ready is from there to the line, Stop from the signal to the end; the others are
// zero. A readiness that is no line has no control.
func (c *Control) Run(ctx context.Context, s Spec) (Phases, error) {
	s = s.withDefaults()
	match := byPrefix(s.Marker)
	switch s.Ready.Kind {
	case ReadyLine:
	case ReadyLog:
		match = s.Ready.Pattern.MatchString
	default:
		return Phases{}, fmt.Errorf("the control knows of readiness by a line alone, and not by %s", s.Ready)
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, s.Config.Args...)
	cmd.Env, cmd.Dir = append([]string{}, s.Config.Env...), c.dir
	l := lifecycle{spec: s, out: newOutput(match)}
	stdout, stderr := &stream{out: l.out}, &stream{out: l.out}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	l.phases.Began = time.Now()
	l.started, l.phases.Started = l.phases.Began, l.phases.Began
	if err := timed(&l.phases.Start, cmd.Start); err != nil {
		return l.phases, fmt.Errorf("the control: %w", err)
	}
	ended := &processEnd{done: make(chan struct{})}
	go func() {
		ended.err = cmd.Wait()
		close(ended.done)
	}()
	err := l.control(ctx, cmd, ended)
	if err != nil {
		return l.phases, fmt.Errorf("the control, %s without a container: %w%s", filepath.Base(c.program), err, quoted([]byte(strings.Join(l.out.tail(), "\n"))))
	}
	return l.phases, nil
}

// A processEnd is the end of a process.
type processEnd struct {
	done chan struct{}
	err  error // valid once done is closed
}

// control sees a process to its end.
func (l *lifecycle) control(ctx context.Context, cmd *exec.Cmd, ended *processEnd) error {
	timeout := time.NewTimer(l.spec.ReadyTimeout)
	defer timeout.Stop()
	select {
	case <-l.out.ready:
	case <-ended.done:
		if err := errors.Join(ended.err, ctx.Err()); err != nil {
			return fmt.Errorf("it ended before it was ready: %w", err)
		}
		return &endedError{0, "before it was ready"}
	case <-timeout.C:
		_ = cmd.Process.Kill() // it may have ended just now
		<-ended.done
		return l.late(ctx, "it has written no line that "+l.line())
	}
	l.readyAt = l.out.at
	l.phases.Ready = l.readyAt.Sub(l.started)
	l.splitByMain(true)
	l.phases.Stopped = time.Now()
	return timed(&l.phases.Stop, func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return fmt.Errorf("ending it: %w", err)
		}
		grace := time.AfterFunc(l.spec.Grace, func() { _ = cmd.Process.Kill() }) // it may have ended just now
		<-ended.done
		l.phases.Killed = !grace.Stop()
		l.phases.ExitCode = cmd.ProcessState.ExitCode()
		if l.phases.Killed && ctx.Err() == nil {
			return nil // Killed says it
		}
		return errors.Join(ended.err, ctx.Err())
	})
}
