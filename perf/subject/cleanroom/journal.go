package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// journal writes the marker lines in the shape of clnrm's log, which is that of
// the Rust crate tracing-subscriber:
//
//	2025-01-02T03:04:05.006007Z  INFO cleanroom::run: All tests passed!
//
// Each line is one write, so that a driver can take the time of a stage from
// when its line arrives as well as from the stamp in it. There is no colour,
// also on a terminal: escape sequences in the output of a tool that others read
// by machine have to be stripped again, and clnrm shows what that costs.
type journal struct {
	out io.Writer
	now func() time.Time // the clock; tests set their own
}

func newJournal(out io.Writer) *journal { return &journal{out: out, now: time.Now} }

// The parts of the program that its lines name, as clnrm's name its modules. A
// driver should look at the message alone.
const (
	fromRun   = "cleanroom::run"
	fromWatch = "cleanroom::watch"
	fromTest  = "cleanroom::test"
)

func (j *journal) info(from, format string, args ...any)  { j.line(" INFO", from, format, args) }
func (j *journal) warn(from, format string, args ...any)  { j.line(" WARN", from, format, args) }
func (j *journal) error(from, format string, args ...any) { j.line("ERROR", from, format, args) }

// line writes TIMESTAMP LEVEL FROM: MESSAGE, the time in UTC to the microsecond.
// A message stays on its line whatever it quotes: nobody takes a part of it for
// a marker.
func (j *journal) line(level, from, format string, args []any) {
	msg := strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(fmt.Sprintf(format, args...))
	stamp := j.now().UTC().Format("2006-01-02T15:04:05.000000Z")
	// The exit status still tells the result to whoever has lost the lines; a run of
	// which nobody reads the lines is ended by its readWriter.
	_, _ = io.WriteString(j.out, stamp+" "+level+" "+from+": "+msg+"\n")
}

// A readWriter writes to somebody who reads, and ends a context when he does not any
// more.
type readWriter struct {
	to   io.Writer
	lost context.CancelFunc
}

// whileRead makes a reader that is gone (| head) end ctx, as an interrupt does, and not
// this process by a signal in the middle of a step, whose container would be left.
func whileRead(ctx context.Context, out io.Writer) (context.Context, *readWriter) {
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(ctx)
	return ctx, &readWriter{out, cancel}
}

func (w *readWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if err != nil {
		w.lost()
	}
	return n, err
}
