package experiment

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// block runs count lifecycles, as many at once as the cell says. After the first that
// fails no other is begun, and those under way come to their end. So do they when ctx
// ends, for as long as a cleanup may take; what they have not removed by then they go on
// removing in the background, or leave to the janitor.
func (x *scaling) block(ctx context.Context, c *scaleCell, count int, progress func(done int)) visited {
	spec := patient(x.Spec, c.parallel)
	spec.Config.Network = c.network
	b := &blockRun{toBegin: count, progress: progress, cold: c.cold}
	return b.run(ctx, c.parallel, func() (container.Phases, error) { return x.once(ctx, c, spec) })
}

// What a lifecycle may take to be ready and to end where the spec does not say: those
// that are under way at once wait for each other.
const (
	firstReady, eachReady = 30 * time.Second, 5 * time.Second
	firstEnd, eachEnd     = 10 * time.Second, time.Second
)

func patient(s container.Spec, parallel int) container.Spec {
	s.ReadyTimeout = cmp.Or(s.ReadyTimeout, firstReady+time.Duration(parallel-1)*eachReady)
	s.Grace = cmp.Or(s.Grace, firstEnd+time.Duration(parallel-1)*eachEnd)
	return s
}

// run runs what it has to begin, so many at once.
func (b *blockRun) run(ctx context.Context, parallel int, life func() (container.Phases, error)) visited {
	count, done := b.toBegin, make(chan struct{})
	began := time.Now()
	var workers sync.WaitGroup
	for range min(parallel, count) {
		workers.Go(func() { b.work(ctx, life) })
	}
	go func() {
		workers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		patience := time.NewTimer(cleanupTime)
		defer patience.Stop()
		select {
		case <-done:
		case <-patience.C:
		}
	}
	v := b.end()
	if len(v.lives) == count {
		v.wall = b.last.Sub(began)
	}
	return v
}

// once runs one lifecycle of a cell.
func (x *scaling) once(ctx context.Context, c *scaleCell, spec container.Spec) (container.Phases, error) {
	if c.cold {
		return x.image.cold(ctx, x, spec)
	}
	return x.Life(ctx, spec)
}

// A blockRun is a block in progress.
type blockRun struct {
	cold     bool
	progress func(done int)

	mu      sync.Mutex
	toBegin int
	over    bool // nobody listens any more
	seen    visited
	last    time.Time // when the last lifecycle ended
}

// work runs lifecycles until all have been begun or one has failed.
func (b *blockRun) work(ctx context.Context, life func() (container.Phases, error)) {
	for b.take(ctx) {
		p, err := life()
		at := time.Now()
		b.note(ctx, p, err, at)
	}
}

// take claims the next lifecycle.
func (b *blockRun) take(ctx context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.toBegin == 0 || ctx.Err() != nil {
		return false
	}
	b.toBegin--
	return true
}

// note keeps what a lifecycle gave. One that was interrupted has not failed.
func (b *blockRun) note(ctx context.Context, p container.Phases, err error, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over:
		return
	case err != nil && ctx.Err() != nil:
		b.toBegin = 0
		return
	case err != nil:
		b.toBegin = 0
		if b.seen.bad++; b.seen.err == nil {
			b.seen.err = err
		}
		return
	}
	b.last = at
	b.seen.lives = append(b.seen.lives, observeLife(p, b.cold))
	b.seen.phases = append(b.seen.phases, p)
	b.progress(len(b.seen.lives))
}

// end returns what there is, and keeps nothing from then on.
func (b *blockRun) end() visited {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	return b.seen
}
