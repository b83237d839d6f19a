package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// How long a container, or an engine, may keep us when nobody has asked us to
// end, and when somebody has: who starts us gives us about 5 s then.
const (
	tidyTimeout      = 30 * time.Second
	interruptedLimit = 4 * time.Second
)

// network is that of every container: a clean room has nothing to talk to. It
// costs as much as a bridge; the host's own would save a third of a step's time,
// and show the step what listens on the host.
const network = "none"

// containerExecutor runs every step, and every service, in a fresh container: as
// its first process and not by an exec into a container that sleeps, as clnrm
// does it. A command means the same either way, and an exec costs 50 ms.
type containerExecutor struct {
	engine container.Engine
	owner  container.Owner
	base   string             // the image of steps that name none
	own    *ownImage          // base, where it is made of this program; else nil
	last   context.Context    // of what must not be broken off, see the func last
	done   context.CancelFunc // of last

	timeout   time.Duration // for one step
	maxOutput int           // bytes that a step may write
}

// baseVariable names another default image, as it does for clnrm.
const baseVariable = "CLEANROOM_CONTAINERS_DEFAULT_IMAGE"

// newContainerExecutor connects to the engine that the docker command would use.
func newContainerExecutor(ctx context.Context) (*containerExecutor, error) {
	engine, err := container.Connect(ctx, engineSettings())
	if err != nil {
		return nil, err
	}
	e := &containerExecutor{engine: engine, base: os.Getenv(baseVariable), timeout: stepTimeout, maxOutput: maxStepOutput}
	e.last, e.done = last(ctx, interruptedLimit)
	if err := e.prepare(ctx); err != nil {
		return nil, also(err, e.close())
	}
	return e, nil
}

// engineSettings are what the environment says of the engine, to us as to the docker
// command.
func engineSettings() container.Settings { return container.SettingsFrom(os.Getenv) }

// prepare settles whose everything is, and of what steps are made.
func (e *containerExecutor) prepare(ctx context.Context) error {
	owner, inherited, err := newOwner()
	if err != nil {
		return err
	}
	e.owner = owner
	if e.base == "" {
		if e.own, err = newOwnImage(e.engine, owner, inherited); err != nil {
			return err
		}
		e.base = e.own.name
	}
	if inherited {
		return nil // the run has swept, and its janitor will
	}
	_, err = container.Sweep(ctx, e.engine, owner) // what it leaves is not ours to judge
	return err
}

// close implements executor.
func (e *containerExecutor) close() error {
	defer e.done()
	var err error
	if e.own != nil {
		err = e.own.release(e.last)
	}
	return errors.Join(err, e.engine.Close())
}

// config is that of a container of image, or of the default image, for a step; its
// command line is the argument that is missing.
func (e *containerExecutor) config(ctx context.Context, image string) (container.Config, error) {
	c := container.Config{Image: cmp.Or(image, e.base), Network: network, Labels: e.owner.Labels()}
	c.Entrypoint = []string{"sh", "-c"}
	if image != "" || e.own == nil {
		return c, nil // as it is
	}
	c.Entrypoint = []string{imageProgram, "applet", "sh", "-c"}
	c.Dir = roomDir
	c.Env = []string{"PATH=" + path.Dir(imageProgram), "HOME=" + roomDir, "TMPDIR=" + roomDir}
	if err := e.own.ensure(ctx, e.last); err != nil {
		return c, fmt.Errorf("make the default image: %w", err)
	}
	return c, nil
}

// where implements executor.
func (e *containerExecutor) where() string {
	info := e.engine.Info()
	return fmt.Sprintf("in containers of %s (%s %s at %s)", e.base, info.Product, info.Version, info.Endpoint)
}

func (e *containerExecutor) image() string { return e.base }

// startService starts a container that lives until stop. One of the default image
// counts as started when it has said so, any other when the engine has started it:
// what a foreign image prints once it is ready nobody knows.
func (e *containerExecutor) startService(ctx context.Context, s service) (string, func() error, error) {
	limited, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	own := s.image == "" && e.own != nil
	c, err := e.config(limited, s.image)
	if err != nil {
		return "", nil, fmt.Errorf("start service %s: %w", s.name, e.cause(ctx, limited, err))
	}
	c.Entrypoint = nil // an image says itself what its service is
	if own {
		c.Entrypoint, c.Args = []string{imageProgram}, []string{verbContainerService, s.name}
	}
	b, err := e.create(limited, c)
	if err != nil {
		return "", nil, fmt.Errorf("start service %s: %w", s.name, e.cause(ctx, limited, err))
	}
	ready := &readyWriter{want: serviceReady, seen: make(chan struct{})}
	err = b.start(limited, ready, io.Discard)
	if err == nil && own {
		select {
		case <-ready.seen:
		case <-b.output.Done():
			err = errors.New("it ended before it was ready")
		case <-limited.Done():
		}
	}
	if err = e.cause(ctx, limited, err); err != nil {
		return "", nil, also(fmt.Errorf("start service %s: %w", s.name, err), b.remove())
	}
	return "container-" + b.id[:12], b.remove, nil
}

// runStep implements executor.
func (e *containerExecutor) runStep(ctx context.Context, st step, stage func(string)) (_ string, err error) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	c, err := e.config(limited, st.image)
	if err != nil {
		return "", e.cause(ctx, limited, err)
	}
	c.Args = []string{st.command}
	stage("Starting container with image " + c.Image)
	b, err := e.create(limited, c)
	if err != nil {
		return "", e.cause(ctx, limited, err)
	}
	defer func() { err = also(err, b.remove()) }()
	// A step that writes too much is ended, and not read to its end: where a pipe
	// would stop it, the engine reads on, and keeps what it has read.
	stdout := &boundedBuffer{limit: e.maxOutput}
	stderr := &tailBuffer{limit: 4096}
	status, err := b.run(limited, &endingWriter{stdout, cancel}, stderr, func() {
		stage("Container started successfully, executing command")
	})
	switch {
	case stdout.overflow:
		return "", fmt.Errorf("%w: more than %d bytes on standard output", errTooLarge, e.maxOutput)
	case err != nil || limited.Err() != nil:
		return "", e.cause(ctx, limited, err)
	case status != 0:
		return "", fmt.Errorf("exit status %d%s", status, complaint(stderr.String()))
	}
	stage("Command completed in " + millis(began))
	return stdout.String(), nil
}

// cause says why a container did not do its work: what ended our own waiting comes
// first, because every request then fails with it.
func (e *containerExecutor) cause(ctx, limited context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %w", ctx.Err())
	case limited.Err() != nil:
		return fmt.Errorf("timed out after %v; its container is ended", e.timeout)
	}
	return err
}

// last is the context of what must not be broken off, because of a request that is
// nobody knows what it has done: it outlives ctx, but by no more than limit in all. An
// engine that hangs must not keep us.
func last(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, func() { time.AfterFunc(limit, cancel) })
	return ending, func() { release(); cancel() }
}
