package container

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A NetworkRecorder notes when the engine joins containers to their networks, by its
// events. These are the only word of when, in a start, that happens.
type NetworkRecorder struct {
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	joined map[string]time.Time // by the ID of the container
}

// StartNetworkRecorder begins to listen. Stop must be called. A stream that breaks off
// leaves the containers after it without a time.
func StartNetworkRecorder(ctx context.Context, engine Engine) (*NetworkRecorder, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := engine.Events(ctx, EventFilter{Networks: true})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("following when containers join their networks: %w", err)
	}
	r := &NetworkRecorder{cancel: cancel, ended: make(chan struct{}), joined: map[string]time.Time{}}
	go func() {
		defer close(r.ended)
		for e := range stream.C {
			if e.Action == ActionConnect {
				r.mu.Lock()
				r.joined[e.ID] = e.Time
				r.mu.Unlock()
			}
		}
	}()
	return r, nil
}

// take returns when a container has joined its first network, and forgets it.
func (r *NetworkRecorder) take(id string) (at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok = r.joined[id]
	delete(r.joined, id)
	return at, ok
}

// Stop ends the listening.
func (r *NetworkRecorder) Stop() {
	r.cancel()
	<-r.ended
}
