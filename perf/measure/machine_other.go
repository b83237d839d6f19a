//go:build !linux

package measure

import (
	"context"
)

// A factHost is where facts come from. Systems other than Linux answer by calls
// and not by files, so there is nothing to put in its place.
type factHost struct{}

func factSystem() factHost { return factHost{} }

func (factHost) context(ctx context.Context) context.Context { return ctx }

func (factHost) kernel(ctx context.Context) (string, error) { return kernelRelease(ctx) }
