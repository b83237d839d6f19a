package measure

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// DefaultGrace is the time between SIGTERM and SIGKILL where a Command sets none.
const DefaultGrace = time.Second

// DefaultKeepOutput is the number of bytes of output that a Run keeps where a
// Command sets none.
const DefaultKeepOutput = 64 << 10

// patience is how long a process that outlived its command may take to end by
// itself. A pipeline's last reader or a shell's substitution is often a few
// microseconds behind; calling it left behind would cry wolf on every other run.
const patience = 20 * time.Millisecond

// killLimit bounds the wait for processes that were sent SIGKILL. One that
// hangs in the kernel (a dead network mount) does not end at all, and a
// measurement must not hang with it.
const killLimit = 2 * time.Second

// The streams of a command, as OnOutput names them.
const (
	Stdout = 1
	Stderr = 2
)

// A Command is a program with its arguments, and the conditions that it is run
// under. It is never handed to a shell. The zero value of each field but Args
// is a sensible default, and a Command may be run any number of times.
type Command struct {
	// Args holds the program and its arguments. A program without a slash is
	// looked up in the PATH of this process, not of Env; one with a slash is
	// relative to Dir, as execve sees it.
	Args []string
	Dir  string   // working directory; empty: that of this process
	Env  []string // "KEY=value"; nil: the environment of this process
	CPUs []int    // the only CPUs that the command may run on; empty: any

	// Timeout ends the command and all that it started; 0 means never.
	Timeout time.Duration
	// Grace is the time from SIGTERM to SIGKILL when the Timeout or the context
	// ends the command: DefaultGrace when 0, no SIGTERM when negative.
	Grace time.Duration
	// Interrupt makes the ending begin as Ctrl-C does, with SIGINT to the process group
	// of the command (on Windows with CTRL_BREAK, as always), and the Grace passes once
	// more before SIGTERM.
	Interrupt bool

	// OnOutput, if set, sees every piece of output in order of arrival with the
	// time at which it was read. It is called from the loop that drains the
	// pipes: p is valid only during the call, and a slow hook slows the command.
	OnOutput func(stream int, p []byte, at time.Time)
	// KeepOutput is how many of the last bytes of output Run.Output holds:
	// DefaultKeepOutput when 0, none when negative.
	KeepOutput int

	// Count fills Run.Counters where the hardware counts. It makes a timed run some 30 µs
	// longer, as what the command forks gets copies of the counters (BenchmarkCounting).
	Count bool
}

// Run starts the command once, waits for it, and reports what it used. The
// command reads an empty standard input and writes into pipes; all that it
// started and left running is ended with it.
//
// The error is nil whenever the command ran to an end of its own or to its
// Timeout; Run.Err judges how it ended. Otherwise it is a *StartError, or the
// context's error, and then the Run holds what was seen until the tree was ended.
//
// Calls are serialised: two measurements at once would measure each other. A
// context that ends while waiting for the turn returns at once.
func (c Command) Run(ctx context.Context) (Run, error) {
	path, r, err := c.ready(ctx)
	if err != nil {
		return Run{Args: c.Args}, err
	}
	defer r.release()
	return r.run(ctx, c, path)
}

// RunMemory runs the command once to see how much memory its process tree
// takes. Looking costs time, so the durations of Memory.Run are no measurement
// of the command; everything else is as for Run.
//
// On Linux the tree is traced (ptrace, from execve on), which a program can
// notice: a debugger or LeakSanitizer inside the command fails, a set-user-ID
// program gains no rights unless this process has them, and /proc/self/status shows
// a seccomp filter, which allows everything.
func (c Command) RunMemory(ctx context.Context) (Memory, error) {
	path, r, err := c.ready(ctx)
	if err != nil {
		return Memory{Run: Run{Args: c.Args}}, err
	}
	defer r.release()
	return r.runMemory(ctx, c, path)
}

// ready resolves the program and waits for this command's turn. The caller
// must release the runner.
func (c Command) ready(ctx context.Context) (path string, r *runner, err error) {
	if path, err = c.lookPath(); err != nil {
		return "", nil, err
	}
	// Asked first, because select picks at random when both are ready, and an
	// ended context must never start anything.
	if ctx.Err() == nil {
		select {
		case r = <-turn:
			return path, r, nil
		case <-ctx.Done():
		}
	}
	return "", nil, fmt.Errorf("%s: not started: %w", c, ctxErr(ctx))
}

// turn holds the runner while nothing is measured; whoever takes it out has the
// turn. A channel, because a context cannot end the wait for a sync.Mutex.
var turn = func() chan *runner {
	c := make(chan *runner, 1)
	c <- new(runner)
	return c
}()

func (r *runner) release() { turn <- r }

// ctxErr is why ctx ended: its error, with its cause where that says more.
func ctxErr(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w (%w)", cause, err)
}

func (c Command) lookPath() (string, error) {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return "", &StartError{Args: c.Args, Err: errors.New("the command is empty"), Remedy: "name a program"}
	}
	name := c.Args[0]
	// Windows finds no program without the extension that LookPath adds.
	if strings.Contains(name, "/") && runtime.GOOS != "windows" {
		return name, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &StartError{Args: c.Args, Dir: c.Dir, Err: err, Remedy: lookRemedy(name, err)}
	}
	return path, nil
}

func lookRemedy(name string, err error) string {
	if errors.Is(err, exec.ErrDot) {
		return "write ./" + name + " to run the file of the current directory"
	}
	return "install it, or name it by its path"
}

func (c Command) grace() time.Duration {
	switch {
	case c.Grace == 0:
		return DefaultGrace
	case c.Grace < 0:
		return 0
	}
	return c.Grace
}

func (c Command) keep() int {
	if c.KeepOutput == 0 {
		return DefaultKeepOutput
	}
	return max(c.KeepOutput, 0)
}

// String is the command as a person would type it, for messages: words that a
// shell would split are quoted.
func (c Command) String() string { return commandLine(c.Args) }

// maxCommandLine keeps a message readable when a command has a thousand files.
const maxCommandLine = 200

func commandLine(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = quote(a)
	}
	line := strings.Join(words, " ")
	if len(line) > maxCommandLine {
		line = strings.ToValidUTF8(line[:maxCommandLine], "") + "…"
	}
	return line
}

func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n\"'\\$&|;<>()*?`#~!{}[]") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
