//go:build !linux && !darwin && !windows

package measure

import "context"

// conditions of systems that nothing here knows how to ask.
func (factHost) conditions(context.Context) []Condition { return nil }
