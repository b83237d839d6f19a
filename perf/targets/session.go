package targets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
)

// console is where a target writes: results to out, all that is about the run to
// err. Mage gives targets the real streams.
type console struct {
	out, err io.Writer
	style    report.Style // of out
	status   *report.Status
}

func stdConsole() console {
	terminal := report.IsTerminal(os.Stderr)
	return console{out: os.Stdout, err: os.Stderr, style: report.Style{Color: colours()}, status: report.NewStatus(os.Stderr, terminal)}
}

// render prints a result.
type render func(w io.Writer, r *perf.Result, st report.Style) error

// show prints a result to stdout: as JSON and nothing else, or for people.
func (c console) show(r *perf.Result, json bool, show render) error {
	if !json {
		return show(c.out, r, c.style)
	}
	data, err := r.Encode()
	if err == nil {
		_, err = c.out.Write(data)
	}
	return err
}

// colours follows the conventions: NO_COLOR and TERM=dumb switch colours off,
// FORCE_COLOR switches them on, else a terminal has them.
func colours() bool {
	switch {
	case os.Getenv("NO_COLOR") != "":
		return false
	case os.Getenv("FORCE_COLOR") != "":
		return true
	}
	return os.Getenv("TERM") != "dumb" && report.IsTerminal(os.Stdout)
}

// endings are the signals that end a run. SIGHUP is none where it is ignored, as nohup(1)
// makes it: to ask for it would undo that.
func endings() []os.Signal {
	list := []os.Signal{syscall.SIGTERM, syscall.SIGQUIT, os.Interrupt}
	if !signal.Ignored(syscall.SIGHUP) {
		list = append(list, syscall.SIGHUP)
	}
	return list
}

// guarded returns a context that ends with ctx, on the signals that end a run, which
// Mage does not pass on, and when the go or mage process above this one dies. stop must
// be called.
func guarded(ctx context.Context) (context.Context, func()) {
	surviveBrokenPipes()
	ctx, restore := signal.NotifyContext(ctx, endings()...)
	ctx, unwatch := measure.WithAncestors(ctx, "mage", "go")
	return ctx, func() {
		unwatch()
		restore()
	}
}

// surviveBrokenPipes makes a write to a pipe that nobody reads fail, as in 2>&1 | head.
// By default Go lets SIGPIPE kill the process where the pipe is its stdout or stderr,
// and what the run has built would stay. It holds to the end of the process, as Mage
// writes once more after the target. Ignoring the signal would not do: the measured
// commands would inherit that, and would write on where they end otherwise.
func surviveBrokenPipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// ended turns the exit status of a target into the error that Mage exits with; nil
// for 0. text is what Mage prints behind "Error: ".
func ended(status int, format string, args ...any) error {
	if status == perf.ExitOK {
		return nil
	}
	return &perf.StatusError{Status: status, Err: fmt.Errorf(format, args...)}
}

// bare returns err in the form that Mage takes a status from: it looks at the
// outermost error only.
func bare(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*perf.StatusError); ok { //nolint:errorlint // the outermost error is what matters here
		return err
	}
	return &perf.StatusError{Status: perf.ExitStatus(err), Err: err}
}

// interrupted describes why the context ended.
func interrupted(ctx context.Context) string {
	cause := context.Cause(ctx)
	if _, ok := errors.AsType[*measure.AncestorError](cause); ok {
		return cause.Error()
	}
	return "interrupted"
}
