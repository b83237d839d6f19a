package container

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// overlap is how far before the last event a stream is taken up again. The engine's
	// threads put their events down in another order than they looked at the clock, and
	// it searches backwards until the first one that is too old.
	overlap = time.Second
	// The pauses between attempts to take a stream up again grow from the first to the
	// last.
	firstRetry = 20 * time.Millisecond
	lastRetry  = time.Second
)

// A Recorder follows what an engine does while a subject runs, and tells which
// containers the run caused ([Attribution]) and when each of their phases began. It
// must begin before the subject does.
//
// It reads every event of every container: the engine drops what a client does not take
// within 100 ms, so that nothing is done with an event here but to keep it.
type Recorder struct {
	engine  Engine
	rule    Attribution
	janitor *Janitor
	cancel  context.CancelFunc
	ended   chan struct{}

	mu      sync.Mutex
	began   time.Time // by the engine's clock
	seen    map[eventKey]bool
	last    Event // the newest one; zero Time: none yet
	tracks  map[string]*track
	order   []string // ids, by creation
	claimed []string
	lost    []string // sentences
}

// An eventKey tells events apart. One that comes twice, because a stream was taken up
// again or because it happened just as the stream began, has one key.
type eventKey struct {
	nano             int64
	action, id, exec string
}

func keyOf(e Event) eventKey {
	return eventKey{e.Time.UnixNano(), e.Action, e.ID, e.Attributes["execID"]}
}

// A track is what was heard of one container.
type track struct {
	created bool // while this recorder listened
	events  []Event
	labels  map[string]string
	name    string
	image   string
}

// StartRecorder begins to listen, and returns when no event can be missed any more. The
// janitor, if there is one, is told of what is claimed. Stop must be called.
func StartRecorder(ctx context.Context, engine Engine, rule Attribution, janitor *Janitor) (*Recorder, error) {
	began, err := clockOf(ctx, engine)
	if err != nil {
		return nil, fmt.Errorf("recording the containers of the subject: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &Recorder{engine: engine, rule: rule, janitor: janitor, cancel: cancel, ended: make(chan struct{}),
		began: began, seen: map[eventKey]bool{}, tracks: map[string]*track{}}
	stream, err := engine.Events(ctx, EventFilter{Since: began, Networks: true})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("recording the containers of the subject: %w", err)
	}
	go r.follow(ctx, stream)
	return r, nil
}

// clockOf is the time of the engine, for which it needs to be asked only where it is
// not the time of this machine.
func clockOf(ctx context.Context, engine Engine) (time.Time, error) {
	if engine.Info().SharesClock {
		return time.Now(), nil
	}
	return engine.Clock(ctx)
}

// follow reads a stream, and takes it up again where it broke off, until ctx ends.
func (r *Recorder) follow(ctx context.Context, stream *EventStream) {
	defer close(r.ended)
	check := false // the first stream continues nothing
	for pause := firstRetry; ; {
		if stream != nil {
			r.read(stream, check)
			check, pause = true, firstRetry
		}
		if ctx.Err() != nil {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(2*pause, lastRetry)
		stream, _ = r.engine.Events(ctx, EventFilter{Since: r.resume(), Networks: true}) // nil: it is tried again
	}
}

// resume is from when on events are asked for again.
func (r *Recorder) resume() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	// What was before the beginning was not kept, so that it cannot be known again.
	if since := r.last.Time.Add(-overlap); since.After(r.began) {
		return since
	}
	return r.began
}

// read keeps the events of a stream. Where it continues another one and does not begin
// with something that was heard before, the engine has forgotten what happened between.
func (r *Recorder) read(stream *EventStream, continues bool) {
	r.mu.Lock()
	check := continues && !r.last.Time.IsZero()
	r.mu.Unlock()
	for e := range stream.C {
		r.mu.Lock()
		known := r.seen[keyOf(e)]
		if check && !known {
			r.lost = append(r.lost, fmt.Sprintf("the stream of events broke off, and what happened between %s and %s may be missing: the engine no longer knew it",
				r.last.Time.Format(time.StampMilli), e.Time.Format(time.StampMilli)))
		}
		check = false
		if !known && !e.Time.Before(r.began) {
			r.keep(e)
		}
		r.mu.Unlock()
	}
}

// keep adds an event to its container. The caller holds the lock.
func (r *Recorder) keep(e Event) {
	r.seen[keyOf(e)] = true
	if e.Time.After(r.last.Time) {
		r.last = e
	}
	t := r.tracks[e.ID]
	if t == nil {
		t = &track{}
		r.tracks[e.ID] = t
		r.order = append(r.order, e.ID)
	}
	t.events = append(t.events, e)
	if e.Action == "create" {
		t.created, t.name, t.image, t.labels = true, e.Name, e.Image, labelsOf(e)
	}
}

// labelsOf are the labels of a container: what its creation has to say besides.
func labelsOf(e Event) map[string]string {
	labels := maps.Clone(e.Attributes)
	delete(labels, "name")
	delete(labels, "image")
	return labels
}

// Claim says that a container is the run's, on evidence that this package does not have.
func (r *Recorder) Claim(id string) error {
	r.mu.Lock()
	r.claimed = append(r.claimed, id)
	r.mu.Unlock()
	if r.janitor == nil {
		return nil
	}
	return r.janitor.Claim(id)
}

// A Recording is what a [Recorder] has heard.
type Recording struct {
	Containers []Timeline // of the run's containers, by creation
	// Doubtful are the containers that were created meanwhile and that may be the run's
	// as well as somebody else's.
	Doubtful []Timeline
	// Lost says when events may have been missed; empty: none were.
	Lost []string
}

// Stop ends the recording, after everything that happened until now has been heard.
// Call it when the subject has ended. Without an answer from the engine it returns what
// it has, with the error.
func (r *Recorder) Stop(ctx context.Context) (Recording, error) {
	err := r.catchUp(ctx)
	r.cancel()
	<-r.ended
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("the last events of the subject's containers: %w", err)
		r.lost = append(r.lost, err.Error())
	}
	return r.recording(), err
}

// catchUp hears what happened until now once more, from the engine's memory: the stream
// may be behind by what lies in its buffers.
func (r *Recorder) catchUp(ctx context.Context) error {
	now, err := clockOf(ctx, r.engine)
	if err != nil {
		return err
	}
	stream, err := r.engine.Events(ctx, EventFilter{Since: r.resume(), Until: now, Networks: true})
	if err != nil {
		return err
	}
	r.read(stream, true)
	return errors.Join(stream.Err(), ctx.Err())
}

// recording sorts out what was heard. The caller holds the lock.
func (r *Recorder) recording() Recording {
	rec := Recording{Lost: slices.Clone(r.lost)}
	for _, id := range r.order {
		t := r.tracks[id]
		if !t.created {
			continue // it was there before
		}
		l := t.timeline(id)
		if l.Evidence = r.rule.evidence(t.labels, t.image); l.Evidence == NoEvidence && slices.Contains(r.claimed, id) {
			l.Evidence = Claimed
		}
		switch {
		case l.Evidence != NoEvidence:
			rec.Containers = append(rec.Containers, l)
		case doubtful(t.labels):
			rec.Doubtful = append(rec.Doubtful, l)
		}
	}
	return rec
}

// RemoveCreated removes what is left of the run's containers, and reports those that
// are doubtful and still there. It may be called before Stop and after.
func (r *Recorder) RemoveCreated(ctx context.Context) (Swept, error) {
	r.mu.Lock()
	rec := r.recording()
	r.mu.Unlock()
	var ours []Leftover
	for _, l := range rec.Containers {
		if l.Destroy.IsZero() {
			ours = append(ours, Leftover{Kind: KindContainer, ID: l.ID, Name: l.Name, Run: r.rule.Owner.Run, Reason: string(l.Evidence)})
		}
	}
	removed, left, err := removeAll(ctx, r.engine, ours)
	s := Swept{removed, left}
	for _, l := range rec.Doubtful {
		if !l.Destroy.IsZero() {
			continue
		}
		stays := Leftover{Kind: KindContainer, ID: l.ID, Name: l.Name,
			Reason: "created while the subject ran, perhaps by it: a label that other users of Testcontainers share is all that it shows"}
		stays.Remedy = stays.remedy()
		s.Left = append(s.Left, stays)
	}
	if err != nil {
		return s, fmt.Errorf("removing the containers that the subject has left: %w", err)
	}
	return s, nil
}
