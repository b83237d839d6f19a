//go:build !linux

package measure

import "context"

// A Warden is nothing on this system: see its documentation for Linux.
type Warden struct{}

// WardenMain reports that this process is no warden.
func WardenMain(string) (status int, ok bool) { return 0, false }

// StartWarden starts nothing and returns nil: this system offers no way to find the
// processes of a run that is dead.
func StartWarden(context.Context) (*Warden, error) { return nil, nil }

// Env is empty.
func (*Warden) Env() []string { return nil }

// Close does nothing.
func (*Warden) Close() error { return nil }
