package perf

import (
	"errors"
	"fmt"
)

// Exit statuses. They are the same for every target.
const (
	ExitOK       = 0 // all well
	ExitFailure  = 1 // the tool, its data or a subject failed, or nothing was compared
	ExitUsage    = 2 // an argument that makes no sense
	ExitGate     = 3 // a regression or a breached objective
	ExitUnjudged = 4 // the gate could not judge
)

// severity orders exit statuses for [WorstExit]: usage, gate, failure, unjudged.
var severity = map[int]int{ExitOK: 0, ExitUnjudged: 1, ExitFailure: 2, ExitGate: 3, ExitUsage: 4}

// WorstExit returns the status that wins when several apply: 2 over 3 over 1 over
// 4 over 0. A status that is none of these counts as a failure.
func WorstExit(statuses ...int) int {
	worst := ExitOK
	for _, s := range statuses {
		if _, known := severity[s]; !known {
			s = ExitFailure
		}
		if severity[s] > severity[worst] {
			worst = s
		}
	}
	return worst
}

// A StatusError is an error that says which exit status it deserves. An error is
// never a success: a Status of 0, as in a StatusError that somebody left half filled,
// counts as [ExitFailure].
type StatusError struct {
	Status int
	Err    error
}

func (e *StatusError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.ExitStatus())
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *StatusError) Unwrap() error { return e.Err }

// ExitStatus is the method by which Mage takes the status from an error.
func (e *StatusError) ExitStatus() int {
	if e.Status == ExitOK {
		return ExitFailure
	}
	return e.Status
}

// Usagef returns an error of status [ExitUsage].
func Usagef(format string, args ...any) error {
	return &StatusError{ExitUsage, fmt.Errorf(format, args...)}
}

// ExitStatus returns the status that err carries: 0 for nil, that of the first
// [StatusError] in its chain, else [ExitFailure].
func ExitStatus(err error) int {
	if err == nil {
		return ExitOK
	}
	if se, ok := errors.AsType[*StatusError](err); ok {
		return se.ExitStatus()
	}
	return ExitFailure
}
