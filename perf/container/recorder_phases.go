package container

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Timeline is when the phases of one container began, by the engine's clock, as its
// events tell. A zero time is something that did not happen, or was not heard.
type Timeline struct {
	ID, Name string
	Image    string // as its creator named it
	Labels   map[string]string
	Evidence Evidence

	Create     time.Time
	Connect    time.Time // to its first network, while it starts
	Start      time.Time
	Execs      []Exec
	Kill       time.Time // the first signal that it was sent
	KillSignal string    // such as "15"
	Die        time.Time
	ExitCode   int  // valid if Die is set
	OOM        bool // the kernel ended a process of it for want of memory
	Stop       time.Time
	Destroy    time.Time

	Events []Event // all of them, by time
}

// An Exec is one more program that was run in a container.
type Exec struct {
	ID, Command        string
	Create, Start, Die time.Time
	ExitCode           int // valid if Die is set
}

// timeline sorts the events of a container into its phases.
func (t *track) timeline(id string) Timeline {
	l := Timeline{ID: id, Name: t.name, Image: t.image, Labels: t.labels, Events: slices.Clone(t.events)}
	// Stable: what has one time stays in the order of its arrival.
	slices.SortStableFunc(l.Events, func(a, b Event) int { return a.Time.Compare(b.Time) })
	for _, e := range l.Events {
		l.add(e)
	}
	return l
}

func (l *Timeline) add(e Event) {
	// exec_create and exec_start carry their command behind a colon.
	action, detail, _ := strings.Cut(e.Action, ": ")
	switch action {
	case "create":
		setOnce(&l.Create, e.Time)
	case ActionConnect:
		setOnce(&l.Connect, e.Time)
	case "start":
		setOnce(&l.Start, e.Time)
	case "kill":
		if setOnce(&l.Kill, e.Time) {
			l.KillSignal = e.Attributes["signal"]
		}
	case "oom":
		l.OOM = true
	case "die", "died": // Podman
		l.Die = e.Time
		l.ExitCode = exitCode(e)
	case "stop":
		l.Stop = e.Time
	case "destroy", "remove": // Podman
		setOnce(&l.Destroy, e.Time)
	case "exec_create", "exec_start", "exec_die":
		l.addExec(action, detail, e)
	}
}

func (l *Timeline) addExec(action, command string, e Event) {
	id := e.Attributes["execID"]
	i := slices.IndexFunc(l.Execs, func(x Exec) bool { return x.ID == id })
	if i < 0 {
		i = len(l.Execs)
		l.Execs = append(l.Execs, Exec{ID: id})
	}
	x := &l.Execs[i]
	switch action {
	case "exec_create":
		x.Create, x.Command = e.Time, command
	case "exec_start":
		x.Start, x.Command = e.Time, command
	case "exec_die":
		x.Die, x.ExitCode = e.Time, exitCode(e)
	}
}

// setOnce sets a time that is not yet set, and reports whether it did.
func setOnce(t *time.Time, at time.Time) bool {
	if !t.IsZero() {
		return false
	}
	*t = at
	return true
}

// exitCode reads what the event says of it; -1 if that is nothing.
func exitCode(e Event) int {
	for _, key := range []string{"exitCode", "containerExitCode"} {
		if code, err := strconv.Atoi(e.Attributes[key]); err == nil {
			return code
		}
	}
	return -1
}
