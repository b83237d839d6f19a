package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Defaults of a Spec.
const (
	defaultMarker       = "READY"
	defaultGrace        = 10 * time.Second // as "docker stop" has it
	defaultReadyTimeout = 30 * time.Second
)

// A Spec says which lifecycle to time.
type Spec struct {
	Config Config // the container; without a name it gets one
	// Archive is the image, loaded if the engine has none of its content; it replaces
	// Config.Image. Its name stays on the engine, for the next lifecycle.
	Archive *Archive
	// Marker begins the line, on either stream, by which the program says that it is
	// ready; empty: "READY", which may be followed by " main=<unix nanoseconds>".
	Marker string
	// Ready is by what else the program shows that it is ready; the zero value is Marker.
	Ready        Ready
	ReadyTimeout time.Duration // from the start call; 0: 30 s
	Grace        time.Duration // between SIGTERM and SIGKILL, in whole seconds; 0: 10 s
	// Exec is one more command to run in the container, once it is ready: without a shell,
	// and to end with status 0. Empty: none.
	Exec []string
	// LookUp looks the image up before the create, as the docker command and the
	// Testcontainers libraries do, where there is no Archive.
	LookUp bool
	// Joins tells when the container joins its network; nil: nobody listens.
	Joins *NetworkRecorder
	// Use reads memory and processor time before the stop. Reading takes the engine
	// some milliseconds, which are in no phase.
	Use bool
	// Timeout bounds all of it, in case the engine hangs; 0: one minute more than the
	// two above together.
	Timeout time.Duration
}

// Phases is where the time of one lifecycle went. All but Image and BeforeMain,
// Program are parts of Total.
type Phases struct {
	ID    string    // of the container; empty before it was created
	Began time.Time // when create was called, with a monotonic reading

	Image     time.Duration // making sure of the image; not in Total
	ImageWarm bool          // the engine had it
	Create    time.Duration
	Attach    time.Duration // connecting to the output, before the start
	Start     time.Duration // the call; the program runs before it returns
	// Network is from the start call until the engine has joined the container to its
	// network, which is a part of Start. It is absent without Spec.Joins, and where the
	// engine's clock is not this process's.
	Network    time.Duration
	HasNetwork bool
	// Ready is from the start *call* to the arrival of the ready line, which can be
	// before Start is over. By another readiness it is seen after Start only, 2 % late at
	// most by the pauses between two questions, or by what one question takes.
	Ready   time.Duration
	Exec    time.Duration // running Spec.Exec, once the program was ready
	HasExec bool
	Stop    time.Duration // from the stop call until the program is dead
	Remove  time.Duration

	// Ready is made of BeforeMain, from the start call to the program's own first
	// moment, and Program, from there to when it was seen to be ready. Where the program
	// tells no time, or its clock is not this process's, they are absent.
	HasProgram          bool
	BeforeMain, Program time.Duration
	NoProgram           string // why they are absent
	// ProgramByEngine says that the program told nothing, and the division is by the
	// engine's word of when it ran, which comes some milliseconds late.
	ProgramByEngine bool

	// When the calls were made that Ready, Stop and Remove are from, by this process's
	// clock.
	Started, Stopped, Removed time.Time

	ExitCode int
	// Killed says that the program ignored the request to end and was killed after
	// the grace: Stop is then a timeout and no measure of anything.
	Killed bool

	Use *Use // nil unless asked for
}

// ContainerStart is create to ready.
func (p Phases) ContainerStart() time.Duration { return p.Create + p.Attach + p.Ready }

// Total is create to removed, without what is looked up between the phases.
func (p Phases) Total() time.Duration {
	return p.Create + p.Attach + max(p.Start, p.Ready) + p.Exec + p.Stop + p.Remove
}

// A LifecycleError is a lifecycle that did not come to its regular end. The
// container has been removed, unless LeftBehind says otherwise.
type LifecycleError struct {
	Phase string   // "image", "create", "attach", "start", "ready", "exec", "use", "stop", "remove"
	Name  string   // of the container
	Err   error    // what went wrong, as a sentence
	Tail  []string // the container's last lines, at most 10
	// LeftBehind is why the container could not be removed; nil: it is gone.
	LeftBehind error
}

func (e *LifecycleError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "container %s: %s: %v", e.Name, e.Phase, e.Err)
	if e.LeftBehind != nil {
		fmt.Fprintf(&b, "; it may still be there, as removing it failed too: %v", e.LeftBehind)
	}
	if len(e.Tail) > 0 {
		b.WriteString("; its last lines:")
		for _, line := range e.Tail {
			b.WriteString("\n\t" + line)
		}
	}
	return b.String()
}

// Unwrap gives the causes.
func (e *LifecycleError) Unwrap() []error {
	if e.LeftBehind == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.LeftBehind}
}

// Lifecycle runs one container from its creation to its removal and times each
// phase. The program is asked to end as soon as it has said that it is ready. The
// container is removed in every case, also when the context ends in the middle; then
// removing has a minute of its own. Errors are of type *LifecycleError.
func Lifecycle(ctx context.Context, e Engine, s Spec) (Phases, error) {
	l := lifecycle{engine: e, spec: s.withDefaults()}
	within, cancel := context.WithTimeout(ctx, l.spec.Timeout)
	defer cancel()
	err := l.run(within)
	var failed *LifecycleError
	if errors.As(err, &failed) && within.Err() != nil && ctx.Err() == nil {
		failed.Err = fmt.Errorf("the engine has not come to an end with it within %v: %w", l.spec.Timeout, failed.Err)
	}
	return l.phases, err
}

func (s Spec) withDefaults() Spec {
	if s.Marker == "" {
		s.Marker = defaultMarker
	}
	if s.Grace <= 0 {
		s.Grace = defaultGrace
	}
	if s.ReadyTimeout <= 0 {
		s.ReadyTimeout = defaultReadyTimeout
	}
	if s.Timeout <= 0 {
		s.Timeout = s.ReadyTimeout + s.Grace + time.Minute
	}
	if s.Config.Name == "" {
		// A name of ours finds the container again where the answer to create, with its
		// ID, is lost.
		var random [6]byte
		_, _ = rand.Read(random[:]) // never fails
		s.Config.Name = "clnrm-perf-" + hex.EncodeToString(random[:])
	}
	return s
}

// lifecycle is one in progress.
type lifecycle struct {
	engine Engine
	spec   Spec
	phases Phases

	id      string // once created
	out     *output
	started time.Time // when start was called
	readyAt time.Time // when it was seen to be ready
	stopped time.Time // when stop was called
}

func (l *lifecycle) run(ctx context.Context) (err error) {
	phase, removed := "image", false
	defer func() {
		if err == nil {
			return
		}
		e := &LifecycleError{Phase: phase, Name: l.spec.Config.Name, Err: err}
		if l.out != nil {
			e.Tail = l.out.tail()
		}
		if !removed {
			e.LeftBehind = l.cleanUp(ctx)
		}
		err = e
	}()
	if err = l.image(ctx); err != nil {
		removed = true // there is none
		return err
	}
	phase = "create"
	if err = l.create(ctx); err != nil {
		// Under a name that somebody else's container has, nothing is ours to remove.
		removed = errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound)
		return err
	}
	phase = "attach"
	if err = l.checkPortFree(ctx); err != nil {
		return err
	}
	attachment, streams, err := l.attach(ctx)
	if err != nil {
		return err
	}
	defer func() {
		_ = attachment.Close() // what it brought has been read; the engine may have closed it already
		for _, s := range streams {
			s.flush()
		}
	}()
	phase = "start"
	if err = l.start(ctx); err != nil {
		return err
	}
	phase = "ready"
	if err = l.ready(ctx, attachment, streams); err != nil {
		return err
	}
	if len(l.spec.Exec) > 0 {
		phase = "exec"
		if err = l.exec(ctx); err != nil {
			return err
		}
	}
	if l.spec.Use {
		phase = "use"
		use, err := ReadUse(ctx, l.engine, l.id)
		if err != nil {
			return err
		}
		l.phases.Use = &use
	}
	phase = "stop"
	if err = l.stop(ctx, attachment); err != nil {
		return err
	}
	phase = "remove"
	l.phases.Removed = time.Now()
	if err = timed(&l.phases.Remove, func() error { return l.engine.Remove(ctx, l.id) }); err != nil {
		return err
	}
	l.network()
	return nil
}

// exec runs the one more command.
func (l *lifecycle) exec(ctx context.Context) error {
	var result ExecResult
	err := timed(&l.phases.Exec, func() (err error) {
		result, err = l.engine.Exec(ctx, l.id, l.spec.Exec)
		return err
	})
	if err == nil && result.ExitCode != 0 {
		err = fmt.Errorf("%s ended with exit status %d%s", l.spec.Exec[0], result.ExitCode, quoted([]byte(result.Output)))
	}
	l.phases.HasExec = err == nil
	return err
}

// network takes what the engine's event said of the start, which has arrived long since.
func (l *lifecycle) network() {
	if l.spec.Joins == nil || !l.engine.Info().SharesClock {
		return
	}
	at, ok := l.spec.Joins.take(l.id)
	if took := at.Sub(l.started.Round(0)); ok && took > 0 && took <= max(l.phases.Start, l.phases.Ready) {
		l.phases.Network, l.phases.HasNetwork = took, true
	}
}

// timed adds what f takes to d.
func timed(d *time.Duration, f func() error) error {
	began := time.Now()
	err := f()
	*d = time.Since(began)
	return err
}

func (l *lifecycle) image(ctx context.Context) error {
	if l.spec.Archive == nil {
		if !l.spec.LookUp {
			return ctx.Err()
		}
		return timed(&l.phases.Image, func() error {
			image, err := l.engine.Image(ctx, l.spec.Config.Image)
			l.phases.ImageWarm = err == nil
			if err == nil {
				l.spec.Config.Image = image.ID
			}
			return err
		})
	}
	return timed(&l.phases.Image, func() error {
		image, warm, err := EnsureImage(ctx, l.engine, *l.spec.Archive)
		l.spec.Config.Image, l.phases.ImageWarm = image.ID, warm
		return err
	})
}

// patience is how long a request to create, once sent, is waited for although the
// context has ended: the engine goes on with it whether or not anybody listens, and
// the container that it makes must be removed.
const patience = 3 * time.Second

func (l *lifecycle) create(ctx context.Context) error {
	patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(patience, cancel) })
	defer stop()
	l.phases.Began = time.Now()
	err := timed(&l.phases.Create, func() (err error) {
		l.id, err = l.engine.Create(patient, l.spec.Config)
		l.phases.ID = l.id
		return err
	})
	if err != nil {
		return err
	}
	return ctx.Err()
}

func (l *lifecycle) attach(ctx context.Context) (a *Attachment, streams [2]*stream, err error) {
	match := byPrefix(l.spec.Marker)
	switch l.spec.Ready.Kind {
	case ReadyLine:
	case ReadyLog:
		match = l.spec.Ready.Pattern.MatchString
	default:
		match = func(string) bool { return false } // it shows otherwise that it is ready
	}
	l.out = newOutput(match)
	streams = [2]*stream{{out: l.out}, {out: l.out}}
	err = timed(&l.phases.Attach, func() error {
		a, err = l.engine.Attach(ctx, l.id, streams[0], streams[1])
		return err
	})
	return a, streams, err
}

func (l *lifecycle) start(ctx context.Context) error {
	l.started = time.Now()
	l.phases.Started = l.started
	return timed(&l.phases.Start, func() error { return l.engine.Start(ctx, l.id) })
}

// ready waits until the program is.
func (l *lifecycle) ready(ctx context.Context, a *Attachment, streams [2]*stream) error {
	wait := l.readyByLine
	if k := l.spec.Ready.Kind; k != ReadyLine && k != ReadyLog {
		wait = func(ctx context.Context, a *Attachment, _ [2]*stream) error { return l.readyByAsking(ctx, a) }
	}
	if err := wait(ctx, a, streams); err != nil {
		return err
	}
	l.phases.Ready = l.readyAt.Sub(l.started)
	l.split()
	return nil
}

// readyByLine waits for the line.
func (l *lifecycle) readyByLine(ctx context.Context, a *Attachment, streams [2]*stream) error {
	timeout := time.NewTimer(time.Until(l.started.Add(l.spec.ReadyTimeout)))
	defer timeout.Stop()
	select {
	case <-l.out.ready:
	case <-a.Done():
		for _, s := range streams {
			s.flush()
		}
		if err := l.unready(ctx, a); err != nil {
			return err
		}
	case <-timeout.C:
		return l.late(ctx, "it has written no line that "+l.line())
	case <-ctx.Done():
		return ctx.Err()
	}
	l.readyAt = l.out.at
	return nil
}

// line says which line is waited for.
func (l *lifecycle) line() string {
	if l.spec.Ready.Kind == ReadyLog {
		return fmt.Sprintf("matches %q", l.spec.Ready.Pattern)
	}
	return fmt.Sprintf("begins with %q", l.spec.Marker)
}

// An endedError is a program that ended by itself.
type endedError struct {
	code int
	when string
}

func (e *endedError) Error() string {
	return fmt.Sprintf("it ended by itself with exit status %d, %s", e.code, e.when)
}

// errOutOfMemory is a program that would take more than it may.
var errOutOfMemory = errors.New("the kernel killed it, because it wanted more memory than it may have")

// settle is how long the engine may take to know of the end of a program whose output
// has ended.
const settle = time.Second

// ended says what the end of the output means: an *endedError, nil if the program
// lives on and has closed its output only, or why neither is known.
func (l *lifecycle) ended(ctx context.Context, a *Attachment, when string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if a.Err() != nil {
		return a.Err()
	}
	within, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	code, err := l.engine.Wait(within, l.id)
	switch {
	case err == nil:
		l.phases.ExitCode = code
		if code == killed {
			return l.killed(ctx, when)
		}
		return &endedError{code, when}
	case within.Err() != nil && ctx.Err() == nil:
		return nil
	}
	return err
}

// killed says why a program was ended by SIGKILL that nobody had asked for here. An
// engine under load can lose the kernel's message: containerd 1.6 does where the
// container is taken down first.
func (l *lifecycle) killed(ctx context.Context, when string) error {
	within, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	if l.outOfMemory(within) {
		return errOutOfMemory
	}
	err := error(&endedError{killed, when})
	if limit := l.spec.Config.Memory; limit > 0 {
		err = fmt.Errorf("%w: it was killed, and may take %d bytes of memory; the engine does not say whether it wanted more memory than it may have", err, limit)
	}
	return err
}

// outOfMemory reports whether the kernel killed the program. The engine hears of that
// by another way than of the end, and may know it a moment later.
func (l *lifecycle) outOfMemory(ctx context.Context) bool {
	pause := time.NewTicker(oomPause)
	defer pause.Stop()
	for {
		c, err := l.engine.Container(ctx, l.id)
		if err != nil || c.OOMKilled {
			return err == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-pause.C:
		}
	}
}

// oomPause is between two questions whether a program was killed for its memory.
const oomPause = 50 * time.Millisecond

// killed is the exit status of a program that was ended by SIGKILL.
const killed = 128 + 9

// unready says why the output has ended without the line; nil if it has both.
func (l *lifecycle) unready(ctx context.Context, a *Attachment) error {
	select {
	case <-l.out.ready: // at once with the end: it was ready all the same
		return nil
	default:
	}
	if err := l.ended(ctx, a, "before it was ready"); err != nil {
		return err
	}
	return errors.New("it has closed its output without having said that it is ready")
}

// split divides the time to ready by what the program says of its own beginning.
func (l *lifecycle) split() { l.splitByMain(l.engine.Info().SharesClock) }

func (l *lifecycle) splitByMain(sharesClock bool) {
	_, text, found := strings.Cut(l.out.line, " main=")
	nanoseconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	main := time.Unix(0, nanoseconds)
	switch {
	case !found || err != nil:
		l.phases.NoProgram = "the program does not say when its main function began"
	case !sharesClock:
		l.phases.NoProgram = "the containers' clock is not this process's"
	// By the wall clock, as the program has no other in common; it may have been set.
	case main.UnixNano() < l.started.UnixNano() || main.UnixNano() > l.readyAt.UnixNano():
		l.phases.NoProgram = "the program says that it began before it was started or after it was ready"
	default:
		l.phases.BeforeMain = time.Duration(main.UnixNano() - l.started.UnixNano())
		l.phases.Program = l.phases.Ready - l.phases.BeforeMain
		l.phases.HasProgram = true
	}
}

// splitByEngine divides the time to ready by when the engine had started the program,
// where this says nothing itself. The engine knows of it some milliseconds late.
func (l *lifecycle) splitByEngine(at time.Time) {
	if l.phases.HasProgram || !l.engine.Info().SharesClock || at.Before(l.started.Round(0)) || at.After(l.readyAt.Round(0)) {
		return
	}
	l.phases.BeforeMain = at.Sub(l.started.Round(0))
	l.phases.Program = l.phases.Ready - l.phases.BeforeMain
	l.phases.HasProgram, l.phases.ProgramByEngine, l.phases.NoProgram = true, true, ""
}

// stop ends the program, and finds out whether it ended as it was asked to.
func (l *lifecycle) stop(ctx context.Context, a *Attachment) error {
	const early = "after it was ready and before it was asked to"
	select {
	case <-a.Done():
		if err := l.ended(ctx, a, early); err != nil {
			return err
		}
	default:
	}
	l.stopped = time.Now()
	l.phases.Stopped = l.stopped
	if err := timed(&l.phases.Stop, func() error { return l.engine.Stop(ctx, l.id, l.spec.Grace) }); err != nil {
		return err
	}
	c, err := l.engine.Container(ctx, l.id)
	if err != nil {
		return err
	}
	l.phases.ExitCode = c.ExitCode
	l.splitByEngine(c.StartedAt)
	switch {
	case c.OOMKilled:
		return errOutOfMemory
	case c.ExitCode == killed && l.phases.Stop >= l.spec.Grace:
		l.phases.Killed = true
	case l.engine.Info().SharesClock && c.FinishedAt.Before(l.stopped.Round(0)):
		return &endedError{c.ExitCode, early}
	}
	return nil
}

// cleanUpTimeout is what removing a container may take after the context has ended. An
// engine that removes two a second needs most of it for the hundred that were interrupted
// together.
const cleanUpTimeout = time.Minute

// cleanUp removes the container after a failure, by its name where its ID never
// arrived.
func (l *lifecycle) cleanUp(ctx context.Context) error {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(cleanUpTimeout, l.spec.Timeout))
	defer cancel()
	id := l.id
	if id == "" {
		id = l.spec.Config.Name
	}
	err := l.engine.Remove(within, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
