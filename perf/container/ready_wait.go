package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// A check asks once whether the program is ready. An empty answer is yes, and any
// other says what is still missing. An error is that it can never be known.
type check func(ctx context.Context) (missing string, err error)

const (
	// The pause between two questions is a fiftieth of the time that has gone by, so that
	// the error of what is measured is 2 %, and at least what the last question took, so
	// that asking never takes more than half of the time of whoever answers.
	pausePart  = 50
	firstPause = time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// readyByAsking asks until the program is ready, has ended, or is out of time.
func (l *lifecycle) readyByAsking(ctx context.Context, a *Attachment) error {
	ask, end, err := l.check(ctx)
	if err != nil {
		return l.orEnded(ctx, a, err)
	}
	defer end()
	within, cancel := context.WithDeadline(ctx, l.started.Add(l.spec.ReadyTimeout))
	defer cancel()
	done, missing := a.Done(), ""
	for {
		asked := time.Now()
		answer, err := ask(within)
		answered := time.Now()
		switch {
		case within.Err() != nil:
			if ended := l.endedByState(ctx, answered.Add(settle)); ended != nil {
				return ended
			}
			return l.late(ctx, missing)
		case err != nil:
			return l.orEnded(ctx, a, err)
		case answer == "":
			l.readyAt = answered
			return nil
		}
		missing = answer
		timer := time.NewTimer(l.spec.Ready.pauseAfter(answered.Sub(l.started), answered.Sub(asked)))
		select {
		case <-timer.C:
		case <-within.Done():
		case <-done:
			if err := l.ended(ctx, a, unreadyYet); err != nil {
				timer.Stop()
				return err
			}
			done = nil // it has closed its output and lives on, as a service may
		}
		timer.Stop()
	}
}

// orEnded replaces an error of asking by the end of the program, where that is why. An
// engine on a busy machine learns of the end late, and tells it later: neither that the
// output goes on nor that waiting for the end takes long says that the program lives.
func (l *lifecycle) orEnded(ctx context.Context, a *Attachment, err error) error {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case <-a.Done():
		if ended := l.ended(ctx, a, unreadyYet); ended != nil {
			return ended
		}
	case <-timer.C: // what it has written has mostly arrived by now
	case <-ctx.Done():
		return err
	}
	until := time.Now() // it lives, as far as one answer tells
	if gone(err) {
		until = l.started.Add(l.spec.ReadyTimeout)
	}
	if ended := l.endedByState(ctx, until); ended != nil {
		return ended
	}
	return err
}

// unreadyYet is when a program has ended that asking was in vain for.
const unreadyYet = "before it was ready"

// gone reports whether an error of asking can only be that the first process of the
// container is no longer there.
func gone(err error) bool { return errors.Is(err, errNotRunning) || errors.Is(err, fs.ErrNotExist) }

// endedByState asks the engine for the container's state, again and again until then, and
// says how the program has ended; nil if it has not. The last answer may take a moment more.
func (l *lifecycle) endedByState(ctx context.Context, until time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, later(until, time.Now()).Add(settle))
	defer cancel()
	pause := time.NewTicker(statePause)
	defer pause.Stop()
	for {
		c, err := l.engine.Container(ctx, l.id)
		switch {
		case err != nil:
			return nil // what asking has said says more
		case c.State == StateExited && c.ExitCode == killed:
			l.phases.ExitCode = c.ExitCode
			return l.killed(ctx, unreadyYet)
		case c.State == StateExited:
			l.phases.ExitCode = c.ExitCode
			return &endedError{c.ExitCode, unreadyYet}
		case !time.Now().Before(until):
			return nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// statePause is between two questions for the state of a container.
const statePause = 50 * time.Millisecond

func (r Ready) pauseAfter(elapsed, took time.Duration) time.Duration {
	if r.Hello != "" {
		// The one who answers is the program itself, which is busy becoming ready, and
		// PostgreSQL makes a process for each client.
		took *= 4
	}
	return max(min(elapsed/pausePart, lastPause), took, firstPause)
}

// late says that the program is not ready in time, and what was missing to the last.
func (l *lifecycle) late(ctx context.Context, missing string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if missing == "" {
		missing = "the first question is still unanswered"
	}
	return fmt.Errorf("not ready after %v: %s", l.spec.ReadyTimeout, missing)
}

// check prepares the question for the kind of readiness that is asked for; end lets go
// of what it holds.
func (l *lifecycle) check(ctx context.Context) (_ check, end func(), err error) {
	switch l.spec.Ready.Kind {
	case ReadyTCP:
		return l.checkTCP(ctx)
	case ReadyExec:
		return l.checkExec(), func() {}, nil
	case ReadyHealth:
		return l.checkHealth, func() {}, nil
	}
	return nil, nil, fmt.Errorf("there is no readiness %q: %w", l.spec.Ready.Kind, errReady)
}

// checkExec runs the command in the container.
func (l *lifecycle) checkExec() check {
	command, before := l.spec.Ready.String(), false
	return func(ctx context.Context) (string, error) {
		result, err := l.engine.Exec(ctx, l.id, l.spec.Ready.Command)
		impossible := err == nil && (result.ExitCode == notFound || result.ExitCode == notExecutable)
		switch {
		case errors.Is(err, ErrConflict):
			return command + ": the container does not run", nil // its end is seen elsewhere
		case err != nil:
			return "", err
		case impossible && before:
			return "", fmt.Errorf("%s cannot be run in the container: %s", command, lastLine(result.Output))
		case result.ExitCode != 0:
			// A container that ends just now gives the same statuses once. No later attempt
			// finds a program that the image does not have.
			before = impossible
			return fmt.Sprintf("%s ends with exit status %d: %s", command, result.ExitCode, lastLine(result.Output)), nil
		}
		return "", nil
	}
}

// The exit statuses of a command that could not be run (POSIX, Shell Command
// Language, 2.8.2), which engines use for commands in containers, too.
const (
	notExecutable = 126
	notFound      = 127
)

// lastLine is the last line of an output, to be quoted.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	if last == "" {
		return "it wrote nothing"
	}
	if len(last) > tailWidth {
		last = strings.ToValidUTF8(last[:tailWidth], "") + "..."
	}
	return last
}

// checkHealth asks the engine what the image's own check says.
func (l *lifecycle) checkHealth(ctx context.Context) (string, error) {
	c, err := l.engine.Container(ctx, l.id)
	switch {
	case err != nil:
		return "", err
	case c.Health == "" || c.Health == "none":
		return "", errors.New("its image has no HEALTHCHECK, so that it never becomes healthy: choose another readiness (tcp:PORT, exec:COMMAND, log:REGEX)")
	case c.Health != "healthy":
		missing := "its health check says " + c.Health
		if c.HealthOutput != "" {
			missing += ": " + lastLine(c.HealthOutput)
		}
		return missing, nil
	}
	return "", nil
}
