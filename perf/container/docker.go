package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

// This is the only file that knows the Docker client. The client has no successor
// under its name: github.com/moby/moby/client speaks the same API by other words.

// oldestAPI is that of Docker 20.10 (2020) and Podman 4: the first with one-shot
// statistics.
const oldestAPI = "1.41"

// docker is an Engine by github.com/docker/docker/client.
type docker struct {
	client *client.Client
	info   Info
}

// openDocker makes a client of an endpoint. It sends nothing.
func openDocker(e endpoint, apiVersion string) (*docker, error) {
	// As many connections stay open as lifecycles usually run at once; a new one costs
	// 0.1 ms of the time that is measured.
	transport := &http.Transport{MaxIdleConns: 64, MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second, DisableCompression: true}
	c, err := client.NewClientWithOpts(
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithHost(e.host),
		// The connection itself does TLS, also for streams, which the client would
		// otherwise dial without regard to the context.
		client.WithScheme("http"),
		client.WithVersion(apiVersion),
		client.WithAPIVersionNegotiation(),
	)
	if err != nil {
		return nil, err
	}
	transport.Proxy = nil // an engine is never behind a proxy of the environment
	d := dialer{endpoint: e, dial: transport.DialContext}
	if d.dial == nil {
		d.dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	transport.DialContext = d.dialContext
	return &docker{client: c, info: Info{Endpoint: e.host, Local: e.local()}}, nil
}

// identify asks the engine what it is, and settles the version of the API.
func (d *docker) identify(ctx context.Context) error {
	ping, err := d.client.Ping(ctx)
	if err != nil {
		return err
	}
	if ping.APIVersion == "" {
		return errNoEngine
	}
	d.client.NegotiateAPIVersionPing(ping)
	if api := d.client.ClientVersion(); versions.LessThan(api, oldestAPI) {
		return apiError{has: api, needs: oldestAPI, demanded: !versions.LessThan(ping.APIVersion, oldestAPI)}
	}
	v, err := d.client.ServerVersion(ctx)
	if err != nil {
		return err
	}
	if v.Version == "" || v.Os == "" {
		return errNoEngine
	}
	d.info.Product = "Docker"
	for _, c := range v.Components {
		if strings.Contains(c.Name, "Podman") {
			d.info.Product = "Podman"
		}
	}
	d.info.Version, d.info.API = v.Version, d.client.ClientVersion()
	d.info.OS, d.info.Arch, d.info.Kernel = v.Os, v.Arch, v.KernelVersion
	d.info.SharesClock = d.info.Local && v.Os == "linux" && v.KernelVersion == ownKernel()
	return nil
}

func (d *docker) Info() Info { return d.info }

func (d *docker) Close() error { return d.client.Close() }

func (d *docker) LoadImage(ctx context.Context, archive io.Reader) error {
	const op, on = "load", "image"
	// Reading the archive fails only where it comes from; the engine's own complaint
	// about it arrives in the stream of messages.
	response, err := d.client.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return d.failed(op, on, err)
	}
	messages := json.NewDecoder(response.Body)
	for err == nil {
		var m struct{ Error string }
		if err = messages.Decode(&m); m.Error != "" {
			err = errors.New(m.Error)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return d.failed(op, on, errors.Join(err, response.Body.Close()))
}

func (d *docker) PullImage(ctx context.Context, ref string, heard func(PullEvent)) error {
	const op = "pull image"
	body, err := d.client.ImagePull(ctx, ref, image.PullOptions{})
	if err != nil {
		return d.failed(op, ref, err)
	}
	messages := json.NewDecoder(body)
	for err == nil {
		var m pullMessage
		switch err = messages.Decode(&m); {
		case err != nil:
		case m.Error != "":
			err = errors.New(m.Error)
		default:
			heard(PullEvent{Layer: m.ID, Status: m.Status, Done: m.Progress.Current, Total: m.Progress.Total})
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil // what became of it is seen by looking for the image
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return d.failed(op, ref, errors.Join(err, body.Close()))
}

// A pullMessage is a line of the stream that answers a pull. The client's own type for it
// comes with a terminal.
type pullMessage struct {
	ID, Status, Error string
	Progress          struct{ Current, Total int64 } `json:"progressDetail"`
}

func (d *docker) TagImage(ctx context.Context, ref, name string) error {
	return d.failed("tag image", ref, d.client.ImageTag(ctx, ref, name))
}

func (d *docker) Image(ctx context.Context, ref string) (Image, error) {
	i, err := d.client.ImageInspect(ctx, ref)
	if err != nil {
		return Image{}, d.failed("look up image", ref, err)
	}
	found := Image{ID: i.ID, Names: i.RepoTags, OS: i.Os, Arch: i.Architecture, Created: parseTime(i.Created)}
	if i.Config != nil {
		found.Labels = i.Config.Labels
	}
	return found, nil
}

func (d *docker) Images(ctx context.Context, labels ...string) ([]Image, error) {
	list, err := d.client.ImageList(ctx, image.ListOptions{Filters: labelled(labels)})
	if err != nil {
		return nil, d.failed("list images labelled", strings.Join(labels, ", "), err)
	}
	found := make([]Image, 0, len(list))
	for _, i := range list {
		names := i.RepoTags
		if len(names) == 1 && names[0] == "<none>:<none>" { // before API 1.43
			names = nil
		}
		found = append(found, Image{ID: i.ID, Names: names, Labels: i.Labels, Created: time.Unix(i.Created, 0)})
	}
	return found, nil
}

func (d *docker) RemoveImage(ctx context.Context, ref string) error {
	_, err := d.client.ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true})
	return d.failed("remove image", ref, err)
}

func (d *docker) Create(ctx context.Context, c Config) (string, error) {
	config := &container.Config{
		Image: c.Image, Entrypoint: c.Entrypoint, Cmd: c.Args, Env: c.Env, WorkingDir: c.Dir,
		Labels: c.Labels, StopSignal: c.StopSignal, AttachStdout: true, AttachStderr: true,
	}
	if h := c.Health; h != nil {
		config.Healthcheck = &container.HealthConfig{Test: append([]string{"CMD"}, h.Command...), Interval: h.Interval}
	}
	made, err := d.client.ContainerCreate(ctx, config, &container.HostConfig{
		NetworkMode: container.NetworkMode(c.Network), ReadonlyRootfs: c.ReadOnly, Tmpfs: c.Tmpfs,
		Resources: container.Resources{Memory: c.Memory},
	}, nil, nil, c.Name)
	on := "from image " + c.Image
	if c.Name != "" {
		on = c.Name + " " + on
	}
	return made.ID, d.failed("create container", on, err)
}

func (d *docker) Start(ctx context.Context, id string) error {
	return d.failed("start container", id, d.client.ContainerStart(ctx, id, container.StartOptions{}))
}

func (d *docker) Stop(ctx context.Context, id string, grace time.Duration) error {
	// Always explicit: without one, Podman 4.3 kills at once.
	seconds := int(math.Ceil(grace.Seconds()))
	return d.failed("stop container", id, d.client.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds}))
}

func (d *docker) Wait(ctx context.Context, id string) (int, error) {
	ended, failed := d.client.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	// One of both arrives always: the client's goroutine ends with the context.
	select {
	case e := <-ended:
		if e.Error != nil {
			return 0, d.failed("wait for container", id, errors.New(e.Error.Message))
		}
		return int(e.StatusCode), nil
	case err := <-failed:
		return 0, d.failed("wait for container", id, err)
	}
}

func (d *docker) Remove(ctx context.Context, id string) error {
	err := d.client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if errdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress") {
		err = d.removed(ctx, id)
	}
	return d.failed("remove container", id, err)
}

// removed waits until a container is gone that somebody else has begun to remove, or
// an earlier request of which nobody has awaited the answer.
func (d *docker) removed(ctx context.Context, id string) error {
	gone, failed := d.client.ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case <-gone:
		return nil
	case err := <-failed:
		if errdefs.IsNotFound(err) {
			return nil
		}
		return err
	}
}

func (d *docker) Container(ctx context.Context, id string) (Container, error) {
	i, err := d.client.ContainerInspect(ctx, id)
	if err != nil {
		return Container{}, d.failed("look up container", id, err)
	}
	if i.ContainerJSONBase == nil || i.State == nil {
		return Container{}, d.failed("look up container", id, errNoEngine)
	}
	c := Container{
		ID: i.ID, Name: strings.TrimPrefix(i.Name, "/"), Image: i.Image, Created: parseTime(i.Created),
		State: i.State.Status, ExitCode: i.State.ExitCode, OOMKilled: i.State.OOMKilled, PID: i.State.Pid,
		StartedAt: parseTime(i.State.StartedAt), FinishedAt: parseTime(i.State.FinishedAt), Error: i.State.Error,
	}
	if i.Config != nil {
		c.Labels, c.ImageName = i.Config.Labels, i.Config.Image
	}
	if i.NetworkSettings != nil {
		for _, n := range i.NetworkSettings.Networks {
			if n != nil && n.IPAddress != "" {
				c.Addresses = append(c.Addresses, n.IPAddress)
			}
		}
	}
	if h := i.State.Health; h != nil {
		c.Health = h.Status
		if n := len(h.Log); n > 0 && h.Log[n-1] != nil {
			c.HealthOutput = h.Log[n-1].Output
		}
	}
	return c, nil
}

func (d *docker) Containers(ctx context.Context, labels ...string) ([]Container, error) {
	list, err := d.client.ContainerList(ctx, container.ListOptions{All: true, Filters: labelled(labels)})
	if err != nil {
		return nil, d.failed("list containers labelled", strings.Join(labels, ", "), err)
	}
	found := make([]Container, 0, len(list))
	for _, c := range list {
		name := ""
		if len(c.Names) > 0 {
			name = strings.TrimPrefix(c.Names[0], "/")
		}
		found = append(found, Container{ID: c.ID, Name: name, Image: c.ImageID, ImageName: c.Image, Labels: c.Labels, State: c.State, Created: time.Unix(c.Created, 0)})
	}
	return found, nil
}

func (d *docker) Exec(ctx context.Context, id string, command []string) (ExecResult, error) {
	const op = "run a command in container"
	made, err := d.client.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: command, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return ExecResult{}, d.failed(op, id, err)
	}
	var out tailBuffer
	stream, err := d.client.ContainerExecAttach(streaming(ctx), made.ID, container.ExecAttachOptions{})
	if err == nil {
		_, err = stdcopy.StdCopy(&out, &out, stream.Reader)
		stream.Close()
	}
	if ctx.Err() != nil {
		err = ctx.Err() // the connection was closed for it
	}
	if err != nil {
		return ExecResult{}, d.failed(op, id, err)
	}
	code, err := d.execEnded(ctx, made.ID)
	return ExecResult{code, out.String()}, d.failed(op, id, err)
}

// execEnded is the exit status of a command whose output has ended. The engine hears of
// the end of the program a moment after that of its output.
func (d *docker) execEnded(ctx context.Context, exec string) (int, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, lastPause) {
		i, err := d.client.ContainerExecInspect(ctx, exec)
		if err != nil || !i.Running {
			return i.ExitCode, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return 0, ctx.Err()
		}
	}
}

func (d *docker) Stats(ctx context.Context, id string) (Stats, error) {
	response, err := d.client.ContainerStatsOneShot(ctx, id)
	if err != nil {
		return Stats{}, d.failed("read statistics of container", id, err)
	}
	var s container.StatsResponse
	err = json.NewDecoder(response.Body).Decode(&s)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return Stats{}, d.failed("read statistics of container", id, err)
	}
	return accounting(s, response.OSType == "windows"), nil
}

// accounting takes from a container's statistics what they hold. Where the
// container does not run, they hold zeros and no time.
func accounting(s container.StatsResponse, windows bool) Stats {
	if s.Read.IsZero() {
		return Stats{}
	}
	a := Stats{Time: s.Read, CPU: time.Duration(s.CPUStats.CPUUsage.TotalUsage), HasCPU: s.CPUStats.CPUUsage.TotalUsage > 0}
	if windows {
		a.CPU *= 100 // its unit there
		a.Memory, a.HasMemory = int64(s.MemoryStats.PrivateWorkingSet), s.MemoryStats.PrivateWorkingSet > 0
		return a
	}
	a.Memory, a.HasMemory = int64(s.MemoryStats.Usage), s.MemoryStats.Usage > 0
	// The name of cgroup v1 first: it has inactive_file too, which leaves out children.
	for _, cache := range []string{"total_inactive_file", "inactive_file"} {
		if inactive, ok := s.MemoryStats.Stats[cache]; ok {
			if int64(inactive) < a.Memory {
				a.Memory -= int64(inactive)
			}
			break
		}
	}
	a.Peak, a.HasPeak = int64(s.MemoryStats.MaxUsage), s.MemoryStats.MaxUsage > 0
	return a
}

func (d *docker) Attach(ctx context.Context, id string, stdout, stderr io.Writer) (*Attachment, error) {
	if err := ctx.Err(); err != nil {
		return nil, d.failed("attach to container", id, err)
	}
	stream, err := d.client.ContainerAttach(streaming(ctx), id, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // the connection was closed for it
		}
		return nil, d.failed("attach to container", id, err)
	}
	return newAttachment(ctx, stream.Conn.Close, func() error {
		_, err := stdcopy.StdCopy(stdout, stderr, stream.Reader)
		return d.failed("read the output of container", id, err)
	}), nil
}

func (d *docker) Clock(ctx context.Context) (time.Time, error) {
	i, err := d.client.Info(ctx)
	if err != nil {
		return time.Time{}, d.failed("ask for the time", "of the engine", err)
	}
	now := parseTime(i.SystemTime)
	if now.IsZero() {
		return now, d.failed("ask for the time", "of the engine", fmt.Errorf("it says %q", i.SystemTime))
	}
	return now, nil
}

func (d *docker) Events(ctx context.Context, f EventFilter) (*EventStream, error) {
	wanted := labelled(f.Labels)
	wanted.Add("type", string(events.ContainerEventType))
	if f.Networks {
		wanted.Add("type", string(events.NetworkEventType))
	}
	options := events.ListOptions{Filters: wanted, Since: timestamp(f.Since), Until: timestamp(f.Until)}
	messages, failed := d.client.Events(ctx, options) // returns when the engine has answered
	select {
	case err := <-failed:
		return nil, d.failed("follow", "events", err)
	default:
		// The client lets go of its caller before it hands its error over.
		if err := ctx.Err(); err != nil {
			return nil, d.failed("follow", "events", err)
		}
	}
	out := make(chan Event)
	s := &EventStream{C: out}
	go func() {
		defer close(out)
		for {
			select {
			case m := <-messages:
				e, ok := event(m)
				if !ok {
					continue
				}
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			case err := <-failed:
				// The engine ends a stream that it was given an end for.
				if ctx.Err() == nil && (f.Until.IsZero() || !errors.Is(err, io.EOF)) {
					s.err = d.failed("follow", "events", err)
				}
				return
			}
		}
	}()
	return s, nil
}

// timestamp is a time as the engine reads it; empty if there is none.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

// event says what happened to a container; ok is false if it happened to something
// else, such as to a network without regard to any container.
func event(m events.Message) (e Event, ok bool) {
	e = Event{
		Time: time.Unix(0, m.TimeNano), Action: string(m.Action), ID: m.Actor.ID,
		Name: m.Actor.Attributes["name"], Image: m.Actor.Attributes["image"], Attributes: m.Actor.Attributes,
	}
	if m.Type == events.NetworkEventType {
		// The actor is the network, and its name the network's.
		e.ID, e.Name, e.Action = m.Actor.Attributes["container"], "", "network "+e.Action
	}
	return e, e.ID != ""
}

// failed says what went wrong in this package's words; nil stays nil.
func (d *docker) failed(op, on string, err error) error {
	if err == nil {
		return nil
	}
	var dial *dialError
	e := &EngineError{Op: op, On: on, Err: err}
	switch {
	case errors.As(err, &dial):
		e.Kind, e.Err = ErrUnreachable, fmt.Errorf("%s: %w", d.info.Endpoint, dial)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case client.IsErrConnectionFailed(err), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Kind, e.Err = ErrUnreachable, fmt.Errorf("the engine at %s broke the connection off: %w", d.info.Endpoint, err)
	case errdefs.IsNotFound(err):
		e.Kind, e.Err = ErrNotFound, daemonError{err}
	case errdefs.IsConflict(err):
		e.Kind, e.Err = ErrConflict, daemonError{err}
	default:
		e.Err = daemonError{err}
	}
	return e
}

// daemonError leaves out the words that the client puts before every answer.
type daemonError struct{ error }

func (e daemonError) Error() string {
	return strings.TrimPrefix(e.error.Error(), "Error response from daemon: ")
}

func (e daemonError) Unwrap() error { return e.error }

func labelled(labels []string) filters.Args {
	args := filters.NewArgs()
	for _, l := range labels {
		args.Add("label", l)
	}
	return args
}

// parseTime reads a time of the engine; one that it does not have is zero.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}

var _ Engine = (*docker)(nil)
