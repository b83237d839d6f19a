package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// journal writes the marker lines in the shape of clnrm's log, each with one
// write, so that a driver can take the time of a stage from when a line arrives
// as well as from the line.
type journal struct {
	out    io.Writer
	colour bool
	now    func() time.Time
}

// newJournal returns a journal on out, in colour if that is a terminal and
// NO_COLOR (no-color.org) is not set.
func newJournal(out io.Writer) *journal {
	return &journal{out: out, colour: os.Getenv("NO_COLOR") == "" && isTerminal(out), now: time.Now}
}

// isTerminal reports whether out is a character device, as far as the standard
// library can tell; /dev/null is one too and does not mind.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// The parts of the program that its lines name, as clnrm's name its modules.
const (
	fromRun   = "cleanroom::run"
	fromWatch = "cleanroom::watch"
	fromTest  = "cleanroom::test"
)

func (j *journal) info(from, format string, args ...any) {
	j.line("\x1b[32m INFO\x1b[0m", " INFO", from, format, args)
}

func (j *journal) warn(from, format string, args ...any) {
	j.line("\x1b[33m WARN\x1b[0m", " WARN", from, format, args)
}

func (j *journal) error(from, format string, args ...any) {
	j.line("\x1b[31mERROR\x1b[0m", "ERROR", from, format, args)
}

// line writes TIMESTAMP LEVEL FROM: MESSAGE, the time in UTC to the microsecond.
// A message stays on its line whatever it quotes: nobody takes a part of it for
// a marker. Where the reader of the journal is gone, the run goes on without.
func (j *journal) line(coloured, plain, from, format string, args []any) {
	level := plain
	if j.colour {
		level = coloured
	}
	msg := strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(fmt.Sprintf(format, args...))
	stamp := j.now().UTC().Format("2006-01-02T15:04:05.000000Z")
	_, _ = io.WriteString(j.out, stamp+" "+level+" "+from+": "+msg+"\n")
}
