package container

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// A ReadyKind is a way in which a program in a container can show that it is ready.
type ReadyKind string

// The kinds of readiness.
const (
	ReadyLine   ReadyKind = ""       // a line that begins with Spec.Marker
	ReadyTCP    ReadyKind = "tcp"    // a port accepts a connection
	ReadyExec   ReadyKind = "exec"   // a command in the container ends with status 0
	ReadyLog    ReadyKind = "log"    // a line of the output matches
	ReadyHealth ReadyKind = "health" // the image's HEALTHCHECK passes
)

// A Ready is what shows that the program in a container can be used. The zero value is
// the line that begins with [Spec.Marker].
//
// What asking costs differs: a line and a port are seen within a millisecond or a
// fiftieth of the time that it took; each run of a command costs the engine as much as
// a quarter of a start; a health check is as coarse as its interval.
type Ready struct {
	Kind    ReadyKind
	Port    int            // ReadyTCP
	Command []string       // ReadyExec
	Pattern *regexp.Regexp // ReadyLog

	// Hello is sent on the connection of ReadyTCP; ready is then who answers, and not
	// with something that holds Busy. Servers listen before they can serve: PostgreSQL
	// refuses while it recovers, Redis while it loads.
	Hello, Busy string
}

// errReady says what ParseReady reads.
var errReady = errors.New("write tcp:PORT, exec:COMMAND, log:REGEX or health")

// ParseReady reads a readiness as a user writes it:
//
//	tcp:5432          the port accepts a connection
//	exec:pg_isready   the command ends with status 0, in the container (POSIX words, no shell)
//	log:ready to      a line of the output matches the regular expression (RE2)
//	health            the image's HEALTHCHECK says healthy
//
// Empty text is the zero value.
func ParseReady(text string) (Ready, error) {
	kind, rest, _ := strings.Cut(text, ":")
	r := Ready{Kind: ReadyKind(kind)}
	var err error
	switch r.Kind {
	case ReadyLine:
		if text != "" {
			err = errReady
		}
	case ReadyTCP:
		r.Port, err = parsePort(rest)
	case ReadyExec:
		r.Command, err = suite.SplitWords(rest)
		if err == nil && len(r.Command) == 0 {
			err = errors.New("the command is missing")
		}
	case ReadyLog:
		r.Pattern, err = regexp.Compile(rest)
		if err == nil && rest == "" {
			err = errors.New("the regular expression is missing: an empty one matches any line")
		}
	case ReadyHealth:
		if text != string(ReadyHealth) {
			err = errReady
		}
	default:
		err = errReady
	}
	if err != nil {
		return Ready{}, fmt.Errorf("readiness %q: %w", text, err)
	}
	return r, nil
}

func parsePort(text string) (int, error) {
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("%q is no port: one is from 1 to 65535", text)
	}
	return port, nil
}

// String is the readiness in the form that ParseReady reads, but for what is sent on
// a connection.
func (r Ready) String() string {
	switch r.Kind {
	case ReadyTCP:
		return "tcp:" + strconv.Itoa(r.Port)
	case ReadyExec:
		return "exec:" + suite.JoinWords(r.Command)
	case ReadyLog:
		return "log:" + r.Pattern.String()
	}
	return string(r.Kind)
}
