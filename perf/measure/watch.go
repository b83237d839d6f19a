package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Watch is a command that watches a folder and, whenever a file in it is saved,
// runs again what the file says and tells of it in lines. What it says is recognised
// by how a message begins: at the start of a line, or behind ": ", since programs put
// a time, a level and the place in their code before it. Control sequences of
// terminals do not matter.
//
// A rerun is what lies between a line that ends the first stage and one of End. It
// counts for a save only if it began after the save, names what was saved, and gives
// the result that what was saved must have.
type Watch struct {
	// Command is ended as by Ctrl-C. Its OnOutput and Timeout are not used.
	Command Command
	// File is saved again and again; the command watches its folder. Staging is a
	// folder outside of that one on the same file system, where each content is
	// written before it is renamed to File: so one save is one event of the system.
	File    string
	Staging string

	Ready      string // begins the message that the command can see changes
	Named      string // begins the message that what is run has the name behind it
	Pass, Fail string // begin the message with the result
	End        []string
	Stages     []Stage

	// Limit is how long the command may take to get ready, and one reload.
	Limit time.Duration
}

// A Stage is a part of a reload: from the end of the stage before it, the first from
// the save, to the first message of its rerun that begins with one of Ends. The last
// one ends with the result, and needs no Ends.
type Stage struct {
	Name string
	Ends []string
}

// A Save is one content of the watched file.
type Save struct {
	// Name is a word by which the lines of the command tell this content from every
	// other, see Watch.Named.
	Name    string
	Content []byte
	Pass    bool // what the result must be
}

// A Reload is what one save led to.
type Reload struct {
	// Total is the time from the rename to the reading of the result.
	Total time.Duration
	// Stages are the times of the stages, in their order; negative where one could
	// not be told from its neighbours, as a line was missing.
	Stages []time.Duration
	// RerunsBefore is how many reruns the save before this one led to in the end.
	RerunsBefore int

	// Pressure and Steal are as in Run, valid where Has says so.
	HasPressure, HasSteal bool
	Pressure, Steal       time.Duration
}

const (
	// settleTime is how long a watcher must have been silent before the next save.
	// What else one save leads to follows at once: the events are queued by then.
	settleTime = 50 * time.Millisecond
	// detectLimit is how long a watcher may take to see a save.
	detectLimit = 10 * time.Second
	// staleLimit is how long a watcher that has rerun something else than what was
	// saved is given to do better.
	staleLimit = 2 * time.Second
)

// errStopped is why the context of a watcher ends in Stop.
var errStopped = errors.New("stopped")

// A Watcher is a Watch that has been started. It is not for concurrent use.
//
// Until it is stopped, no other command is measured: Command.Run waits for it.
type Watcher struct {
	watch  Watch
	lines  *watchLines
	stop   context.CancelCauseFunc
	ended  chan struct{} // closed when the command is gone; then run and err are valid
	run    Run
	err    error
	reruns int // that had been seen when the last save was made
}

// Start starts the command, which the caller must stop in any case; the end of the
// context ends it as well. The error is that of a Watch that cannot be followed, and
// then nothing was started; what is wrong with the command, Ready says.
func (w Watch) Start(ctx context.Context) (*Watcher, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	r := &Watcher{watch: w, lines: newWatchLines(w), stop: stop, ended: make(chan struct{})}
	cmd := w.Command
	cmd.Interrupt, cmd.Timeout, cmd.OnOutput = true, 0, r.lines.output
	go func() {
		defer close(r.ended)
		r.run, r.err = cmd.Run(ctx)
	}()
	return r, nil
}

// Ready waits until the command sees changes. Its error is a *StartError, a *Failure
// if the command ended or was not ready in time, or that of the context.
func (r *Watcher) Ready(ctx context.Context) error {
	return r.await(ctx, r.watch.Limit, r.lines.isReady, func() string {
		return fmt.Sprintf("it was not ready after %v: none of its lines says %q", r.watch.Limit, r.watch.Ready)
	})
}

// Ended reports whether the command has ended without being stopped.
func (r *Watcher) Ended() bool {
	select {
	case <-r.ended:
		return !errors.Is(r.err, errStopped)
	default:
		return false
	}
}

// check refuses what could never see a reload, or would see one in every line.
func (w Watch) check() error {
	if len(w.Stages) < 2 {
		return fmt.Errorf("%s: a watch needs two stages, the change being seen and the result, not %d", w.Command, len(w.Stages))
	}
	beginnings := append([]string{w.Ready, w.Named, w.Pass, w.Fail}, w.End...)
	for i, s := range w.Stages {
		beginnings = append(beginnings, s.Ends...)
		if len(s.Ends) == 0 && i < len(w.Stages)-1 {
			return fmt.Errorf("%s: nothing ends the stage %s of a watch", w.Command, s.Name)
		}
	}
	if slices.Contains(beginnings, "") || len(w.End) == 0 {
		return fmt.Errorf("%s: a watch does not say by which lines it is followed", w.Command)
	}
	return nil
}

// Stop ends the command and everything that it started, and returns the run with the
// last of its output. The error is that of a command that cannot be ended.
func (r *Watcher) Stop() (Run, error) {
	r.stop(errStopped)
	<-r.ended
	if errors.Is(r.err, errStopped) || errors.Is(r.err, context.Canceled) || errors.Is(r.err, context.DeadlineExceeded) {
		return r.run, nil
	}
	return r.run, r.err
}

// Reload makes the save s and waits for its result. It waits first until the reruns of
// earlier saves have ended, and the command must be ready. A watcher that ends, that does not notice the save, that runs
// something else, or that gives the wrong result for it, is a *Failure.
func (r *Watcher) Reload(ctx context.Context, s Save) (Reload, error) {
	err := r.await(ctx, r.watch.Limit, r.lines.isQuiet, func() string {
		return fmt.Sprintf("it still ran %v after the last save, and nothing was saved meanwhile", r.watch.Limit)
	})
	if err != nil {
		return Reload{}, err
	}
	staged := filepath.Join(r.watch.Staging, filepath.Base(r.watch.File))
	if err := os.WriteFile(staged, s.Content, 0o644); err != nil {
		return Reload{}, fmt.Errorf("writing what is to be saved: %w", err)
	}
	reruns := r.lines.reruns()
	out := Reload{RerunsBefore: reruns - r.reruns}
	r.reruns = reruns

	before := readContention()
	r.lines.expect(s.Name)
	if err := os.Rename(staged, r.watch.File); err != nil {
		return Reload{}, fmt.Errorf("saving a file by a rename, which needs both folders on one file system: %w", err)
	}
	if err := r.await(ctx, r.watch.Limit, r.lines.isDone, r.lines.missing); err != nil {
		return Reload{}, err
	}
	var others Run
	before.until(readContention(), &others)
	passed := r.lines.take(&out)
	out.HasSteal, out.Steal = others.HasSteal, others.Steal
	// What was read after the result is none of the reload's.
	out.HasPressure, out.Pressure = others.HasPressure, min(others.Pressure, out.Total)
	if passed != s.Pass {
		return Reload{}, r.failure(fmt.Sprintf("it said %s of a file that must %s: it has not run what was saved", verdict(passed), verdict(s.Pass)))
	}
	return out, nil
}

func verdict(pass bool) string {
	if pass {
		return "pass"
	}
	return "fail"
}

// await waits until a question to the lines is answered with yes. later is when to ask
// again although no line has come: never, if it is zero. Whatever takes longer than
// limit, or what the lines have given up, is a failure which why words.
func (r *Watcher) await(ctx context.Context, limit time.Duration, ask func(now time.Time) (yes bool, later time.Time, givenUp bool), why func() string) error {
	deadline := time.Now().Add(limit)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		now := time.Now()
		yes, later, givenUp := ask(now)
		switch {
		case yes:
			return nil
		case givenUp || !now.Before(deadline):
			return r.failure(why())
		case later.IsZero() || later.After(deadline):
			later = deadline
		}
		timer.Reset(later.Sub(now))
		select {
		case <-r.lines.changed:
		case <-timer.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: ended while it was watching: %w", r.watch.Command, ctxErr(ctx))
		case <-r.ended:
			return r.gone(ctx)
		}
	}
}

// gone is the error for a command that has ended.
func (r *Watcher) gone(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: ended while it was watching: %w", r.watch.Command, ctxErr(ctx))
	}
	if r.err != nil {
		return r.err
	}
	if err := r.run.Err(); err != nil {
		return err
	}
	return &Failure{Args: r.watch.Command.Args, Cause: "it ended by itself, with exit status 0, and should have gone on watching",
		Tail: lastLines(r.run.Output, failureLines)}
}

// failure is the error for a command that is running still.
func (r *Watcher) failure(cause string) error {
	return &Failure{Args: r.watch.Command.Args, Cause: cause, Tail: lastLines(r.lines.recently(), failureLines)}
}

// stageNames joins the names of stages for a sentence.
func stageNames(stages []Stage) string {
	names := make([]string, len(stages))
	for i, s := range stages {
		names[i] = s.Name
	}
	return strings.Join(names, ", ")
}
