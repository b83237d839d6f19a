package container

import (
	"context"
	"errors"
)

// A Run is a run's claim to what it makes on an engine, from the sweep before it to
// the cleaning up after it.
type Run struct {
	Owner Owner
	// Swept is what dead runs had left, and what others have on the engine.
	Swept Swept
	// Janitor cleans up if this process cannot. Nil: it could not be started, and
	// NoJanitor says why; a run that is killed then leaves its containers to the sweep
	// of the next one.
	Janitor   *Janitor
	NoJanitor error

	engine Engine
	rule   Attribution
}

// OpenRun sweeps what dead runs have left, and puts a janitor at its post. Call it
// before anything is created or measured; the settings are those by which the engine was
// connected. sessions are those of Attribution. The run goes on without a janitor where
// none can be started; only an engine that does not answer is an error.
func OpenRun(ctx context.Context, engine Engine, s Settings, id string, sessions ...string) (*Run, error) {
	owner, err := NewOwner(id)
	if err != nil {
		return nil, err
	}
	r := &Run{Owner: owner, engine: engine, rule: Attribution{Owner: owner, Sessions: sessions}}
	r.Janitor, r.NoJanitor = StartJanitor(ctx, r.rule, s, engine.Info())
	if r.Swept, err = Sweep(ctx, engine, owner); err != nil {
		if r.Janitor != nil {
			err = errors.Join(err, r.Janitor.Dismiss(ctx))
		}
		return nil, err
	}
	return r, nil
}

// Close removes what the run has made. regular says that every request to the engine
// was waited for; where some were given up, by a signal or a timeout, the engine may
// still carry them out, and the janitor stays until it has been quiet for a while. It
// stays too where something could not be removed or ctx ended, so that a run which has
// only a second left may use that second: ctx must not be the one that was cancelled.
func (r *Run) Close(ctx context.Context, regular bool) (Swept, error) {
	swept, err := RemoveRun(ctx, r.engine, r.rule)
	if r.Janitor == nil {
		return swept, err
	}
	if err != nil || len(swept.Left) > 0 || !regular {
		r.Janitor.Abandon()
		return swept, err
	}
	return swept, r.Janitor.Dismiss(ctx)
}
