package container

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// defaultPullTimeout is what a pull may take: a large image by a slow line.
const defaultPullTimeout = 15 * time.Minute

// A Pull says which image to get from its registry, if the engine does not have it.
type Pull struct {
	Image string // as the docker command names it; without a tag it is :latest
	// Timeout bounds it; 0: 15 minutes.
	Timeout time.Duration
	// Show, if set, is told in a sentence how far it is, at most five times a second, and
	// always by the one goroutine that called Run.
	Show func(progress string)
}

// Pulled is an image that the engine has, and what it took to get it.
type Pulled struct {
	Image Image
	// Warm says that the engine had the image, and that no registry was asked: the rest
	// says nothing then.
	Warm bool
	Took time.Duration
	// Download is until the last layer had arrived. Layers are unpacked meanwhile, one
	// after the other; what Took has beyond it is unpacking alone.
	Download time.Duration
	Bytes    int64 // that were downloaded, compressed, as far as the engine says
	Layers   int   // that were downloaded
	Had      int   // layers that the engine had from other images
}

// Run makes sure that the engine has the image. It is pulled only if the engine has
// none of that name; what a registry may have newer is not asked for. The image stays:
// whoever measures the cold case again removes it by RemoveImage before. Credentials
// are not looked for: what takes a login is pulled by the docker command before.
func (p Pull) Run(ctx context.Context, e Engine) (Pulled, error) {
	have, err := e.Image(ctx, p.Image)
	if err == nil {
		return Pulled{Image: have, Warm: true}, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return Pulled{}, err
	}
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = defaultPullTimeout
	}
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	f := newPullProgress(p)
	f.say(f.began)
	err = e.PullImage(within, p.Image, f.add)
	took := time.Since(f.began)
	if err != nil {
		if within.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("it is not there after %v (%s): %w", timeout, f.state(), err)
		}
		return Pulled{}, pullError(p.Image, err)
	}
	image, err := e.Image(ctx, p.Image)
	if err != nil {
		return Pulled{}, fmt.Errorf("after it was pulled: %w", err)
	}
	done := f.pulled()
	done.Image, done.Took = image, took
	return done, nil
}

// pullError adds what helps to what the engine says.
func pullError(image string, err error) error {
	text := err.Error()
	remedy := ""
	switch {
	case strings.Contains(text, "manifest unknown"), strings.Contains(text, "not found: manifest"):
		remedy = "the registry has no such tag"
	case strings.Contains(text, "denied"), strings.Contains(text, "unauthorized"), strings.Contains(text, "authentication required"):
		remedy = "see that the name is right; what takes a login is pulled by the docker command: docker pull " + image
	case strings.Contains(text, "no such host"), strings.Contains(text, "connection refused"), strings.Contains(text, "i/o timeout"),
		strings.Contains(text, "network is unreachable"), strings.Contains(text, "server misbehaving"):
		remedy = "the engine does not reach the registry: where there is no way to one, bring the image by docker save and docker load"
	}
	if remedy != "" {
		return fmt.Errorf("pulling %s: %w; %s", image, err, remedy)
	}
	return fmt.Errorf("pulling %s: %w", image, err)
}

// A PullEvent is what an engine says while it pulls, of one layer or of the whole.
type PullEvent struct {
	Layer       string // empty: of the whole
	Status      string // in the engine's words, such as "Downloading"
	Done, Total int64  // bytes; 0: unknown
}

// showEvery is between two sentences about a pull.
const showEvery = 200 * time.Millisecond

// pullProgress follows a pull by what the engine says of its layers.
type pullProgress struct {
	pull   Pull
	began  time.Time
	shown  time.Time
	loaded time.Time // when the last layer had arrived
	layers map[string]*pullLayer
}

type pullLayer struct {
	done, total            int64
	had, arrived, unpacked bool
}

func newPullProgress(p Pull) *pullProgress {
	return &pullProgress{pull: p, began: time.Now(), layers: map[string]*pullLayer{}}
}

// add hears an event.
func (f *pullProgress) add(e PullEvent) {
	now := time.Now()
	if e.Layer != "" {
		f.addLayer(e, now)
	}
	if now.Sub(f.shown) >= showEvery {
		f.say(now)
	}
}

// addLayer hears an event of a layer. The words are those of Docker since 1.10 and of
// Podman; others are no layer's.
func (f *pullProgress) addLayer(e PullEvent, now time.Time) {
	l := f.layers[e.Layer]
	if l == nil {
		switch e.Status {
		case "Pulling fs layer", "Already exists", "Waiting", "Downloading", "Download complete":
		default:
			return
		}
		l = &pullLayer{}
		f.layers[e.Layer] = l
	}
	switch e.Status {
	case "Already exists":
		l.had = true
	case "Downloading":
		l.done, l.total = max(l.done, e.Done), max(l.total, e.Total)
	case "Extracting", "Verifying Checksum", "Download complete", "Pull complete":
		if !l.arrived {
			l.arrived, f.loaded = true, now
		}
		// Of a small layer the first word is that it is unpacked, with its size.
		l.total = max(l.total, e.Total)
		l.done = l.total
		l.unpacked = l.unpacked || e.Status == "Pull complete"
	}
}

// pulled is what was heard in all.
func (f *pullProgress) pulled() Pulled {
	var p Pulled
	for _, l := range f.layers {
		if l.had {
			p.Had++
			continue
		}
		p.Layers++
		p.Bytes += l.done
	}
	if !f.loaded.IsZero() {
		p.Download = f.loaded.Sub(f.began)
	}
	return p
}

// state is how far it is.
func (f *pullProgress) state() string {
	p, unpacked, total := f.pulled(), 0, int64(0)
	for _, l := range f.layers {
		if l.had || l.unpacked {
			unpacked++
		}
		total += l.total
	}
	if len(f.layers) == 0 {
		return "the registry is asked"
	}
	return fmt.Sprintf("%d of %d layers, %.1f of %.1f MB", unpacked, len(f.layers), float64(p.Bytes)/1e6, float64(total)/1e6)
}

func (f *pullProgress) say(now time.Time) {
	f.shown = now
	if f.pull.Show != nil {
		f.pull.Show("pulling " + f.pull.Image + ": " + f.state())
	}
}
