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

// The verbs of the processes that an executor starts.
const (
	verbStep             = "step"
	verbService          = "service"
	verbContainerService = "container-service"
)

// stepDirPrefix names the directories of steps; a step whose runner has died
// removes its own directory only when it is so named.
const stepDirPrefix = "cleanroom-step-"

// processExecutor runs every step as a process of this program, in an empty
// directory with nothing in its environment but what points there.
type processExecutor struct {
	self      string        // path of this program
	why       string        // why not in containers
	timeout   time.Duration // for one step
	maxOutput int           // bytes that a step may write
}

// newProcessExecutor makes the executor of processes; why says why there are no
// containers instead, empty where nobody wanted any.
func newProcessExecutor(why string) (*processExecutor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the running program, which runs the steps: %w", err)
	}
	return &processExecutor{self: self, why: why, timeout: stepTimeout, maxOutput: maxStepOutput}, nil
}

func (e *processExecutor) where() string {
	if e.why == "" {
		return "as processes"
	}
	return "as processes: " + e.why
}

func (e *processExecutor) image() string { return "none (steps are processes)" }

func (e *processExecutor) close() error { return nil }

// startService starts a process that has its own directory and lives until stop
// or until this program ends. It counts as started when it has said so.
func (e *processExecutor) startService(ctx context.Context, s service) (string, func() error, error) {
	if err := e.noImage(s.image); err != nil {
		return "", nil, fmt.Errorf("start service %s: %w", s.name, err)
	}
	dir, err := newStepDir()
	if err != nil {
		return "", nil, err
	}
	cmd := e.command(ctx, dir, verbService, s.name)
	hello, err := e.launch(cmd)
	if err == nil {
		_, err = io.ReadFull(hello, make([]byte, len(serviceReady)))
	}
	stop := func() error {
		if cmd.Process != nil {
			_ = cmd.Cancel() // it may have ended already
			_ = cmd.Wait()   // it was killed: its status says no more
		}
		return os.RemoveAll(dir)
	}
	if err != nil {
		return "", nil, also(fmt.Errorf("start service %s: %w", s.name, err), stop())
	}
	return fmt.Sprintf("process-%d", cmd.Process.Pid), stop, nil
}

// noImage refuses a file that asks for an image: whatever its step did as a process
// would tell nothing of that image.
func (e *processExecutor) noImage(image string) error {
	if image == "" {
		return nil
	}
	return fmt.Errorf("image %s is not there: steps run %s", image, e.where())
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
func (e *processExecutor) runStep(ctx context.Context, st step, stage func(string)) (_ string, err error) {
	if err := e.noImage(st.image); err != nil {
		return "", err
	}
	began := time.Now()
	stage("Starting process in an empty directory")
	dir, err := newStepDir()
	if err != nil {
		return "", err
	}
	defer func() { err = also(err, os.RemoveAll(dir)) }()
	// Only the step is limited: the caller's context tells an interrupt apart.
	limited, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	cmd := e.command(limited, dir, verbStep, st.command)
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
	if err := e.stepError(ctx, limited, runErr, stderr.String()); err != nil {
		return "", err
	}
	stage("Command completed in " + millis(began))
	return stdout.String(), nil
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
	return fmt.Errorf("%w%s", exit, complaint(stderr))
}

// complaint is the end of what a step wrote to its standard error, as it follows
// the status.
func complaint(stderr string) string {
	return strings.TrimRight(": "+strings.TrimSpace(stderr), ": ")
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
