package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// An Engine is a container engine that answers. Its methods may be called at
// once from any number of goroutines. Each makes the requests that its comment
// names, no other, so that what is timed around it is the engine's time; each ends
// when its context does. Errors wrap ErrNotFound, ErrConflict or ErrUnreachable
// where these apply.
type Engine interface {
	// Info says what the engine was when Connect asked it. It makes no request.
	Info() Info

	// LoadImage loads an archive as "docker save" writes it.
	LoadImage(ctx context.Context, archive io.Reader) error
	// PullImage gets an image from its registry, without credentials. The function is told
	// what the engine says meanwhile, by the goroutine that called PullImage. An engine
	// gives a pull up whose context ends.
	PullImage(ctx context.Context, ref string, heard func(PullEvent)) error
	// TagImage gives an image one more name of the form repository:tag. An image is
	// deleted with its last name, and the engine counts them: a name for each owner is
	// how several share one image.
	TagImage(ctx context.Context, image, name string) error
	// Image looks an image up by its ID or one of its names.
	Image(ctx context.Context, ref string) (Image, error)
	// Images lists the images that carry all the labels, each "key" or "key=value".
	Images(ctx context.Context, labels ...string) ([]Image, error)
	// RemoveImage takes a name from an image, and deletes it with its last name. By ID
	// it deletes an image that has at most one name. An image in use stays: ErrConflict.
	RemoveImage(ctx context.Context, ref string) error

	// Create makes a container without starting it, and returns its ID. A taken name is
	// ErrConflict, a missing image ErrNotFound; nothing is pulled from anywhere.
	Create(ctx context.Context, c Config) (id string, err error)
	// Attach copies what the container writes from now on to stdout and stderr, until it
	// ends. Attach before Start misses nothing. The writers are called from one
	// goroutine, as the bytes arrive.
	Attach(ctx context.Context, id string, stdout, stderr io.Writer) (*Attachment, error)
	// Start starts a container. Its program runs before Start returns.
	Start(ctx context.Context, id string) error
	// Stop asks the program to end (SIGTERM, unless the Config has another), kills it
	// after grace, which is rounded up to whole seconds, and returns when it is dead.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// Wait returns the exit status as soon as a started container has ended.
	Wait(ctx context.Context, id string) (exitCode int, err error)
	// Remove kills a container if it runs, removes it with its anonymous volumes, and
	// returns when it is gone.
	Remove(ctx context.Context, id string) error
	// Container looks a container up by its ID or name.
	Container(ctx context.Context, id string) (Container, error)
	// Containers lists the containers, ended ones too, that carry all the labels, each
	// "key" or "key=value". Their ExitCode, PID,
	// times, addresses and health are not filled in.
	Containers(ctx context.Context, labels ...string) ([]Container, error)
	// Exec runs a command in a running container, without a shell, and returns when it has
	// ended. A container that does not run is ErrConflict; a command that is not there has
	// the status 127 or 126. It takes three requests, and one more as often as the engine
	// does not know of the end yet. The command outlives a context that ends before it.
	Exec(ctx context.Context, id string, command []string) (ExecResult, error)
	// Stats reads the accounting of a running container once, without the second that
	// the engine otherwise waits for a rate.
	Stats(ctx context.Context, id string) (Stats, error)

	// Clock asks the engine for its time, to the nanosecond.
	Clock(ctx context.Context) (time.Time, error)
	// Events follows what happens to containers from now on, until its context ends.
	Events(ctx context.Context, f EventFilter) (*EventStream, error)

	// Close lets the connections go. Streams that are open end by their contexts.
	Close() error
}

// What an error of an Engine can mean to its caller, by errors.Is.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("in conflict with what the engine has")
	ErrUnreachable = errors.New("the engine does not answer")
)

// Info is what an engine says of itself.
type Info struct {
	Endpoint string // where it listens, such as unix:///var/run/docker.sock
	Product  string // "Docker" or "Podman"
	Version  string // of the engine, such as 20.10.24
	API      string // the version of the API that is spoken, at most the client's own
	OS, Arch string // of the programs that its containers run, in Go's words
	Kernel   string
	// Local says that the engine is reached by a socket of this machine. Its kernel can
	// still be another one (a virtual machine, as on macOS): see SharesClock.
	Local bool
	// SharesClock says that containers run under this machine's own kernel, so that
	// their clock is this process's clock and their cgroups can be read here.
	SharesClock bool
}

// An Image is an image that the engine has.
type Image struct {
	ID       string   // "sha256:..." of its configuration
	Names    []string // repository:tag
	Labels   map[string]string
	OS, Arch string // not filled in by Images
	Created  time.Time
}

// A Config says what container to create. Zero values leave the image's.
type Config struct {
	Name       string // empty: the engine invents one
	Image      string // ID or name of an image that the engine has
	Entrypoint []string
	Args       []string // replaces the image's command; appended to the entry point
	Env        []string // "KEY=value", added to the image's
	Dir        string   // working directory
	Labels     map[string]string
	Network    string // "none", "host", "bridge"; empty: the engine's default
	StopSignal string
	ReadOnly   bool  // the root file system cannot be written
	Memory     int64 // limit in bytes; 0: none
	// Health replaces the image's HEALTHCHECK.
	Health *HealthCheck
	// Temporary file systems by path, with mount options such as "size=64m".
	Tmpfs map[string]string
}

// A HealthCheck is a command that the engine runs in a container to see whether its
// program is well.
type HealthCheck struct {
	Command  []string      // without a shell
	Interval time.Duration // 0: the engine's, 30 s
}

// The states of a container, as the engine names them.
const (
	StateCreated = "created"
	StateRunning = "running"
	StateExited  = "exited"
	StateDead    = "dead"
)

// A Container is what the engine knows of one.
type Container struct {
	ID    string
	Name  string // without the leading slash
	Image string // ID of its image
	// ImageName is the image as the container's creator named it; its ID where the
	// engine's list no longer finds it by that name.
	ImageName string
	Labels    map[string]string
	State     string
	Created   time.Time

	ExitCode              int  // valid in StateExited
	OOMKilled             bool // the kernel ended a process for want of memory
	PID                   int  // of its first process in the engine's kernel; 0: not running
	StartedAt, FinishedAt time.Time
	Addresses             []string // its IP addresses in the engine's networks, while it runs
	Health                string   // "starting", "healthy", "unhealthy"; empty or "none": it has no check
	HealthOutput          string   // what the last check wrote
	Error                 string   // why it could not be started, as the engine says
}

// An ExecResult is what became of a command in a container.
type ExecResult struct {
	ExitCode int
	Output   string // of both streams, at most its last 4 KiB
}

// Stats is the accounting of a container by its cgroup. What the engine does not
// report is absent: its Has field is false.
type Stats struct {
	Time time.Time // by the engine's clock

	// Memory is what the container takes now, in bytes, without the page cache that
	// can be dropped ("docker stats" shows the same).
	Memory    int64
	HasMemory bool
	// Peak is the most it ever took, page cache included. The engine knows it with
	// cgroup v1 only.
	Peak    int64
	HasPeak bool
	// CPU is the processor time of all its processes since the start.
	CPU    time.Duration
	HasCPU bool
}

// An EventFilter says which events of containers to follow. Fields that are set
// must all match.
type EventFilter struct {
	Labels []string // each "key" or "key=value"
	// Since asks also for what happened from then on, by the engine's clock, as far as
	// it still knows: Docker keeps its last 256 events. Where clocks of several of its
	// threads disagreed, what it delivers can begin a little later.
	Since time.Time
	// Until ends the stream with what happened then. Where that is past, the stream
	// holds what the engine still knows, and ends.
	Until time.Time
	// Networks adds what happens to a container's networks: the actions
	// [ActionConnect] and [ActionDisconnect]. They bear no labels of the container.
	Networks bool
}

// The actions of an Event that come with EventFilter.Networks.
const (
	ActionConnect    = "network connect"
	ActionDisconnect = "network disconnect"
)

// An Event is something that happened to a container.
type Event struct {
	Time   time.Time // by the engine's clock, to the nanosecond
	Action string    // "create", "start", "kill", "die", "stop", "destroy", "attach", ...
	ID     string    // of the container
	Name   string
	Image  string // as the container's creator named it
	// Attributes holds the container's labels and what the action has to say, such as
	// "exitCode" (die) and "signal" (kill).
	Attributes map[string]string
}

// An EventStream delivers events in the order in which they happened.
type EventStream struct {
	C   <-chan Event // closed at the end
	err error
}

// Err says why the stream ended, once C is closed. It is nil if the context did it.
func (s *EventStream) Err() error { return s.err }

// An Attachment is the stream of what a container writes.
type Attachment struct {
	done   chan struct{}
	err    error // valid once done is closed
	close  func() error
	closed atomic.Bool
}

// newAttachment runs the function that copies a stream until it ends; the other
// function makes it end.
func newAttachment(ctx context.Context, end, run func() error) *Attachment {
	a := &Attachment{done: make(chan struct{}), close: end}
	go func() {
		defer close(a.done)
		err := run()
		switch {
		case a.closed.Load():
			return // closed from this side: nothing has failed
		case ctx.Err() != nil:
			err = ctx.Err()
		}
		a.err = err
		a.closed.Store(true)
		_ = end() // the other side has ended the stream; there is nothing left to lose
	}()
	return a
}

// Done is closed when the container has written its last byte or the stream broke.
func (a *Attachment) Done() <-chan struct{} { return a.done }

// Err says why the stream ended, once Done is closed: nil if the container ended it,
// or Close did.
func (a *Attachment) Err() error { return a.err }

// Close ends the stream, and returns when the writers will not be called again.
func (a *Attachment) Close() error {
	var err error
	if !a.closed.Swap(true) {
		err = a.close()
	}
	<-a.done
	return err
}

// An EngineError is a request that an engine refused or did not answer.
type EngineError struct {
	Op   string // what was asked, such as "create container"
	On   string // of what
	Kind error  // ErrNotFound, ErrConflict, ErrUnreachable, or nil
	Err  error  // what the engine or the connection said
}

func (e *EngineError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Op, e.On, e.Err)
}

// Unwrap gives what the error means and what caused it.
func (e *EngineError) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}
