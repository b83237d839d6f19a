//go:build unix

package measure_test

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestInterrupt checks the first step of an ending, and that there is a second.
func TestInterrupt(t *testing.T) {
	for _, row := range []struct{ role, signal string }{{"hang", "SIGINT"}, {"deaf", "SIGTERM"}} {
		c := role(row.role)
		c.Interrupt, c.Grace = true, 200*time.Millisecond
		ctx, cancel := context.WithCancel(t.Context())
		c.OnOutput = func(int, []byte, time.Time) { cancel() }
		run, err := c.Run(ctx)
		if !errors.Is(err, context.Canceled) || run.Signal != row.signal {
			t.Errorf("%s ended by %q (%v), want %s", row.role, run.Signal, err, row.signal)
		}
		cancel()
	}
}
