package targets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// doctorPatience is how long the doctor waits for an engine, which answers from memory.
const doctorPatience = 2 * time.Second

// askEngine asks the engine itself, by the way that the measuring targets go, because a
// client on PATH says nothing of whether containers can be started.
func askEngine(ctx context.Context, t measure.Tool) measure.Tool {
	settings := engineSettings()
	settings.Timeout = doctorPatience
	e, err := container.Connect(ctx, settings)
	if err == nil {
		i := e.Info()
		t.Found, t.Usable, t.Path, t.Version = true, true, i.Endpoint, i.Version
		t.Note = fmt.Sprintf("%s, API %s, %s/%s", i.Product, i.API, i.OS, i.Arch)
		if err := e.Close(); err != nil {
			t.Note += "; " + err.Error()
		}
		return t
	}
	client, lookErr := exec.LookPath("docker")
	t.Found, t.Path = lookErr == nil, client
	var c *container.ConnectError
	if !errors.As(err, &c) {
		t.Note = err.Error()
		return t
	}
	// No client, no socket, and nobody said that there is an engine: that is not a
	// fault to explain, it is simply not installed.
	if !t.Found && !settings.Named() && errors.Is(err, fs.ErrNotExist) {
		return t
	}
	what := "no client on PATH, and the engine"
	if t.Found {
		what = "client found, but the engine"
	}
	t.Note = fmt.Sprintf("%s does not answer at %s (%s): %s", what, c.Endpoint, c.From, c.Reason)
	// The command that reaches the engine is better than the one that installs it, where
	// there is an engine.
	if c.Remedy != "" && (t.Found || settings.Named()) {
		t.Install = c.Remedy
	}
	return t
}
