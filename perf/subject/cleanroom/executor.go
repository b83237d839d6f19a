package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// executor is where steps run. Whatever it starts has ended, and whatever it
// made is removed, when its methods (for a service: stop) have returned.
type executor interface {
	// image is what steps run in, as the line about the configuration shows it.
	image() string
	// runStep runs a command line and returns what it wrote to its standard
	// output; it tells stage what it begins, at the time. The error says why the
	// step failed, with the end of its complaints.
	runStep(ctx context.Context, command string, stage func(string)) (string, error)
	// startService brings a service up; handle identifies it.
	startService(ctx context.Context, s service) (handle string, stop func(), err error)
}

// newExecutor is the one place that chooses where steps run.
func newExecutor() (executor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the running program, which runs the steps: %w", err)
	}
	return &processExecutor{self: self, timeout: 30 * time.Second, maxOutput: 64 << 20}, nil
}

// The verbs of the processes that processExecutor starts.
const (
	verbStep    = "step"
	verbService = "service"
)

// stepDirPrefix names the directories of steps; a step whose runner has died
// removes its own directory only when it is so named.
const stepDirPrefix = "cleanroom-step-"

// processExecutor runs every step as a process of this program, in an empty
// directory with nothing in its environment but what points there.
type processExecutor struct {
	self      string        // path of this program
	timeout   time.Duration // for one step
	maxOutput int           // bytes that a step may write
}

func (e *processExecutor) image() string { return "none (steps are processes)" }

// startService starts a process that has its own directory and lives until stop
// or until this program ends. It counts as started when it has said so.
func (e *processExecutor) startService(ctx context.Context, s service) (string, func(), error) {
	dir, err := newStepDir()
	if err != nil {
		return "", nil, err
	}
	cmd := e.command(ctx, dir, verbService, s.name)
	hello, err := e.launch(cmd)
	if err == nil {
		_, err = io.ReadFull(hello, make([]byte, len(serviceReady)))
	}
	stop := func() {
		if cmd.Process != nil {
			_ = cmd.Cancel() // it may have ended already
			_ = cmd.Wait()   // it was killed: its status says no more
		}
		_ = os.RemoveAll(dir)
	}
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("start service %s: %w", s.name, err)
	}
	return fmt.Sprintf("process-%d", cmd.Process.Pid), stop, nil
}

// launch starts cmd with its lifeline and returns its standard output.
func (e *processExecutor) launch(cmd *exec.Cmd) (io.Reader, error) {
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return out, cmd.Start()
}

// runStep implements executor.
func (e *processExecutor) runStep(ctx context.Context, command string, stage func(string)) (_ string, err error) {
	stage("Starting process in an empty directory")
	dir, err := newStepDir()
	if err != nil {
		return "", err
	}
	defer func() {
		if e := os.RemoveAll(dir); err == nil && e != nil {
			err = fmt.Errorf("remove the step's directory: %w", e)
		}
	}()
	// Only the step is limited: the caller's context tells an interrupt apart.
	limited, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	cmd := e.command(limited, dir, verbStep, command)
	// Both streams are drained to the end whatever comes: a step that blocks on a
	// full pipe would be measured as a slow one.
	stdout := &boundedBuffer{limit: e.maxOutput}
	stderr := &tailBuffer{limit: 4096}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	// Wait closes the pipe; until then it tells the step that we are alive.
	if _, err := cmd.StdinPipe(); err != nil {
		return "", fmt.Errorf("start the step: %w", err)
	}
	runErr := cmd.Start()
	if runErr == nil {
		stage("Process started successfully, executing command")
		runErr = cmd.Wait()
	}
	if stdout.overflow { // the step itself reports a broken pipe
		runErr = fmt.Errorf("%w: more than %d bytes on standard output", errTooLarge, e.maxOutput)
	}
	return stdout.String(), e.stepError(ctx, limited, runErr, stderr.String())
}

// stepError says why a step failed, nil if it did not. The contexts come first:
// whoever is killed reports a signal, which is not the cause.
func (e *processExecutor) stepError(ctx, limited context.Context, err error, stderr string) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %w", ctx.Err())
	case limited.Err() != nil:
		return fmt.Errorf("timed out after %v; its processes were ended", e.timeout)
	case errors.Is(err, errTooLarge):
		return err
	case !errors.As(err, &exit):
		return fmt.Errorf("start the step: %w", err)
	}
	return fmt.Errorf("%w%s", exit, strings.TrimRight(": "+strings.TrimSpace(stderr), ": "))
}

// command prepares a process of this program in dir. Its standard input is a
// lifeline: nothing is ever written to it, and its end means that the runner is
// gone. Parent-death signals do the same on Linux alone.
func (e *processExecutor) command(ctx context.Context, dir, verb, arg string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.self, verb, arg)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + filepath.Dir(e.self), "HOME=" + dir, "TMPDIR=" + dir}
	inOwnGroup(cmd)
	cmd.WaitDelay = time.Second // for a process that left the group and kept the pipes
	return cmd
}

// newStepDir makes, in the system's temporary directory, an empty directory for one step.
func newStepDir() (string, error) {
	dir, err := os.MkdirTemp("", stepDirPrefix)
	if err != nil {
		return "", fmt.Errorf("make the step's directory: %w", err)
	}
	return dir, nil
}

// tailBuffer keeps the last limit bytes that are written to it.
type tailBuffer struct {
	data  []byte
	limit int
}

func (b *tailBuffer) Write(p []byte) (int, error) {
	b.data = append(b.data, p...)
	if over := len(b.data) - b.limit; over > 0 {
		b.data = append(b.data[:0], b.data[over:]...)
	}
	return len(p), nil
}

func (b *tailBuffer) String() string { return string(b.data) }
