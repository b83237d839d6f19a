//go:build !linux

package profiler

import (
	"context"
	"runtime"
)

// recordEvents: only Linux has events of the kind.
func recordEvents(context.Context, Command, Options, Kind) (*Recording, error) {
	return nil, &refusal{reason: "the events of the kernel are Linux's, and this is " + runtime.GOOS, remedy: "record on Linux"}
}
