package container

import (
	"slices"
	"strings"
	"time"
)

// A Preset is what is known of a service's official image: how to start it, how to see
// that it can be used, and how to end it.
type Preset struct {
	Name       string // of the service and of the image's repository, such as "postgres"
	Image      string // repository:tag
	Env        []string
	Ready      Ready
	StopSignal string
	Grace      time.Duration // that the service may take to end
}

// Presets are the services that are known by name, in the order of their names.
func Presets() []Preset {
	return []Preset{
		{
			Name: "postgres", Image: "postgres:latest",
			// Without one of its own variables for a password the image refuses to start.
			Env: []string{"POSTGRES_HOST_AUTH_METHOD=trust"},
			// The image's first start runs a server for its own initialization, which says in
			// the log that it is ready, too, but listens on no port.
			Ready: Ready{Kind: ReadyTCP, Port: 5432, Hello: postgresHello, Busy: "C57P03"},
			// The fast shutdown, which does not wait for clients (postgres(1)).
			StopSignal: "SIGINT", Grace: 30 * time.Second,
		},
		{
			Name: "redis", Image: "redis:latest",
			Ready:      Ready{Kind: ReadyTCP, Port: 6379, Hello: "PING\r\n", Busy: "-LOADING"},
			StopSignal: "SIGTERM", Grace: 10 * time.Second,
		},
	}
}

// postgresHello is the message by which a client begins (PostgreSQL, Frontend/Backend
// Protocol, StartupMessage, version 3.0), as pg_isready sends it. The server answers
// with a request to authenticate, or an error: SQLSTATE 57P03 is "cannot connect now".
const postgresHello = "\x00\x00\x00\x29\x00\x03\x00\x00" + "user\x00postgres\x00database\x00postgres\x00\x00"

// FindPreset finds the preset of an image by its reference: postgres, postgres:16-alpine,
// docker.io/library/redis@sha256:... An image of another owner is not known.
func FindPreset(image string) (Preset, bool) {
	repository, _, _ := strings.Cut(image, "@")
	for _, prefix := range []string{"docker.io/", "library/"} {
		repository = strings.TrimPrefix(repository, prefix)
	}
	name, _, _ := strings.Cut(repository, ":")
	i := slices.IndexFunc(Presets(), func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return Preset{}, false
	}
	p := Presets()[i]
	if image != name {
		p.Image = image
	}
	return p, true
}

// Fill gives a spec what it leaves open.
func (p Preset) Fill(s *Spec) {
	c := &s.Config
	if c.Image == "" {
		c.Image = p.Image
	}
	// Variables of the user's come last, where they win.
	c.Env = slices.Concat(p.Env, c.Env)
	if s.Ready.Kind == ReadyLine && s.Marker == "" {
		s.Ready = p.Ready
	}
	// The user's tcp:5432 is the same port, and means the service behind it.
	if s.Ready.Kind == ReadyTCP && s.Ready.Port == p.Ready.Port && s.Ready.Hello == "" {
		s.Ready = p.Ready
	}
	if c.StopSignal == "" {
		c.StopSignal = p.StopSignal
	}
	if s.Grace <= 0 {
		s.Grace = p.Grace
	}
}
