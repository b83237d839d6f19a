package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"
)

// executor is where steps run. Whatever it starts has ended, and whatever it
// made is removed, when its methods (for a service: stop) have returned; if that
// could not be done, their error says so. Its methods may be called at once.
type executor interface {
	// where says in one line where steps run, and why not in containers.
	where() string
	// image is what steps run in, as the line about the configuration shows it.
	image() string
	// runStep runs a step's command line and returns what it wrote to its standard
	// output; it tells stage what it begins and has ended, at the time. The error
	// says why the step failed, with the end of its complaints.
	runStep(ctx context.Context, st step, stage func(string)) (string, error)
	// startService brings a service up; handle identifies it.
	startService(ctx context.Context, s service) (handle string, stop func() error, err error)
	// close lets go of what the executor itself holds.
	close() error
}

// The bounds of one step, wherever it runs.
const (
	stepTimeout   = 30 * time.Second
	maxStepOutput = 64 << 20 // bytes
)

// What the flag -steps and the variable CLEANROOM_STEPS, its default, can be.
const (
	stepsAuto       = "auto" // containers when an engine answers
	stepsContainers = "containers"
	stepsProcesses  = "processes"
)

// newExecutor is the one place that chooses where steps run.
func newExecutor(ctx context.Context, steps string) (executor, error) {
	switch steps = cmp.Or(steps, os.Getenv("CLEANROOM_STEPS"), stepsAuto); steps {
	case stepsProcesses:
		return newProcessExecutor("")
	case stepsContainers, stepsAuto:
	default:
		return nil, fmt.Errorf("%w: steps run as %q? It is %s, %s or %s", errUsage, steps, stepsAuto, stepsContainers, stepsProcesses)
	}
	ex, err := newContainerExecutor(ctx)
	if err == nil {
		return ex, nil
	}
	if steps == stepsContainers || ctx.Err() != nil {
		return nil, fmt.Errorf("run steps in containers: %w", err)
	}
	return newProcessExecutor(err.Error())
}

// also adds the error of tidying up to that of the work, which comes first.
func also(err, tidying error) error {
	switch {
	case tidying == nil:
		return err
	case err == nil:
		return fmt.Errorf("tidy up: %w", tidying)
	}
	return fmt.Errorf("%w; tidy up: %w", err, tidying)
}
