//go:build !linux

package measure

import (
	"context"
	"errors"
)

// A Seat is the CPU on which single-threaded commands are run, and this process is not.
type Seat struct {
	CPU int
	All []int // this one and those that this process was moved to
}

// TakeSeat is for Linux: elsewhere no command can be bound to a CPU.
func TakeSeat(context.Context) (*Seat, error) {
	return nil, errors.New("pinning to a quiet CPU: this system offers no way to bind a command to a CPU")
}

// Release does nothing.
func (s *Seat) Release() error { return nil }
