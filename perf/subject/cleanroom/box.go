package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// box is a container of ours, from its creation to its removal.
type box struct {
	room   *containerExecutor
	id     string
	output *container.Attachment
}

// create makes a container. It is not interrupted, only bounded: of a request that
// is broken off nobody knows whether it has made one.
func (e *containerExecutor) create(ctx context.Context, c container.Config) (*box, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(e.last, tidyTimeout)
	defer cancel()
	id, err := e.engine.Create(bounded, c)
	if errors.Is(err, container.ErrNotFound) {
		return nil, e.absent(c.Image)
	}
	if err != nil {
		return nil, err
	}
	return &box{room: e, id: id}, nil
}

// absent says that an image is not there. Our own was, until somebody tidied up.
func (e *containerExecutor) absent(image string) error {
	where := e.engine.Info().Endpoint
	if e.own != nil && image == e.own.name {
		e.own.forget()
		return fmt.Errorf("image %s was removed from the engine at %s meanwhile: run again, which makes it anew", image, where)
	}
	return fmt.Errorf("image %s is not on the engine at %s, and no image is pulled here: docker pull it, or name another", image, where)
}

// start starts the container, reading its output from the first byte on.
func (b *box) start(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if b.output, err = b.room.engine.Attach(ctx, b.id, stdout, stderr); err != nil {
		return err
	}
	return b.room.engine.Start(ctx, b.id)
}

// run starts the container, calls started, and waits for the end of its program and
// of its output. The writers are not called any more when it returns.
func (b *box) run(ctx context.Context, stdout, stderr io.Writer, started func()) (status int, err error) {
	err = b.start(ctx, stdout, stderr)
	if b.output != nil {
		defer func() { _ = b.output.Close() }() // what it has not read is of no use now
	}
	if err != nil {
		return 0, err
	}
	started()
	if status, err = b.room.engine.Wait(ctx, b.id); err != nil {
		return 0, err
	}
	select {
	case <-b.output.Done():
		return status, b.output.Err()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// remove ends the container and removes it; there is no need of a graceful stop,
// because nothing in it is kept. Its writers are not called any more.
func (b *box) remove() error {
	if b.output != nil {
		_ = b.output.Close() // what it has not read is of no use now
	}
	bounded, cancel := context.WithTimeout(b.room.last, tidyTimeout)
	defer cancel()
	err := b.room.engine.Remove(bounded, b.id)
	if errors.Is(err, container.ErrNotFound) {
		return nil // somebody has been faster
	}
	return err
}

// endingWriter writes to a buffer and ends the step when that refuses.
type endingWriter struct {
	to  *boundedBuffer
	end func()
}

func (w *endingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if err != nil {
		w.end()
	}
	return n, err
}

// readyWriter closes seen when what has been written to it starts with want.
type readyWriter struct {
	want string
	got  strings.Builder
	once sync.Once
	seen chan struct{}
}

func (w *readyWriter) Write(p []byte) (int, error) {
	if w.got.Len() < len(w.want) {
		w.got.Write(p[:min(len(p), len(w.want)-w.got.Len())])
		if w.got.String() == w.want {
			w.once.Do(func() { close(w.seen) })
		}
	}
	return len(p), nil
}
