package container

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

func TestParseReady(t *testing.T) {
	for text, want := range map[string]Ready{
		"":                           {},
		"health":                     {Kind: ReadyHealth},
		"tcp:5432":                   {Kind: ReadyTCP, Port: 5432},
		"exec:pg_isready -U 'a b'":   {Kind: ReadyExec, Command: []string{"pg_isready", "-U", "a b"}},
		"exec:sh -c 'test -e /a:b'":  {Kind: ReadyExec, Command: []string{"sh", "-c", "test -e /a:b"}},
		`log:(?i)ready to accept: .`: {Kind: ReadyLog},
	} {
		got, err := ParseReady(text)
		if err != nil || got.Kind != want.Kind || got.Port != want.Port || !slices.Equal(got.Command, want.Command) {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
			continue
		}
		if got.String() != text {
			t.Errorf("%q is written as %q", text, got.String())
		}
	}
	if r, err := ParseReady("log:^up: \\d+$"); err != nil || !r.Pattern.MatchString("up: 3") || r.Pattern.MatchString("up: x") {
		t.Errorf("the pattern is %v, %v", r.Pattern, err)
	}
	for _, text := range []string{"tcp", "tcp:", "tcp:0", "tcp:65536", "tcp:http", "exec:", "exec: ", "exec:'open", "log:", "log:(", "health:5s", "http:80", ":x", "ready"} {
		if r, err := ParseReady(text); err == nil {
			t.Errorf("%q is %+v", text, r)
		}
	}
}

// TestLifecycleReady waits for a program that listens after 300 ms, by every kind of
// readiness and in every network of the engine.
func TestLifecycleReady(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	a := probeImage(t, e)
	const delay = 300 * time.Millisecond
	flags := []string{"-listen=127.0.0.1:7531", "-delay=300ms"}
	for _, tt := range []struct {
		name, ready string
		network     string
		silent      bool
		health      *HealthCheck
	}{
		{name: "tcp", ready: "tcp:7531", network: "none", silent: true},
		{name: "tcp, bridge", ready: "tcp:7531", network: "bridge", silent: true},
		{name: "exec", ready: "exec:/probe -dial=127.0.0.1:7531", silent: true},
		{name: "log", ready: `log:^READY main=\d+$`},
		{name: "health", ready: "health", silent: true,
			health: &HealthCheck{Command: []string{"/probe", "-dial=127.0.0.1:7531"}, Interval: 100 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			needsNetns(t, e, tt.ready)
			s := probeSpec(t, a, flags...)
			if tt.silent {
				s.Config.Args = append(slices.Clone(flags), "-silent")
			}
			if tt.network != "" {
				s.Config.Network = tt.network
			}
			s.Config.Health = tt.health
			var err error
			if s.Ready, err = ParseReady(tt.ready); err != nil {
				t.Fatal(err)
			}
			p, err := Lifecycle(t.Context(), e, s)
			if tt.network == "bridge" && err != nil && strings.Contains(err.Error(), "network bridge not found") {
				t.Skip(err) // an engine can be told to have none
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Ready < delay || p.ExitCode != 0 || p.Killed {
				t.Errorf("%+v", p)
			}
			if e.Info().SharesClock && (!p.HasProgram || p.BeforeMain+p.Program != p.Ready || p.Program < delay/2 || p.ProgramByEngine == (tt.ready[:3] == "log")) {
				t.Errorf("of %v until ready, %v are the program's (%s)", p.Ready, p.Program, p.NoProgram)
			}
		})
	}
}

// needsNetns skips what takes entering the network namespace of a container.
func needsNetns(t testing.TB, e Engine, ready string) {
	t.Helper()
	if strings.HasPrefix(ready, "tcp:") && (runtime.GOOS != "linux" || os.Geteuid() != 0 || !e.Info().SharesClock) {
		testenv.Missing(t, "local-engine", "only root enters the network of a container, on the same kernel")
	}
}

// TestLifecycleNeverReady sees that each kind of readiness ends at its deadline, and
// tells what was missing.
func TestLifecycleNeverReady(t *testing.T) {
	e := realEngine(t)
	a := probeImage(t, e)
	const soon = 5 * time.Second
	for _, tt := range []struct {
		ready   string
		flags   []string
		says    string
		timeout time.Duration
		health  *HealthCheck
	}{
		{ready: "tcp:7532", timeout: soon, says: "not ready after 5s: port 7532 does not answer (127.0.0.1:7532: nothing listens"},
		{ready: "exec:/probe -dial=127.0.0.1:7532", timeout: soon, says: "exit status 1: dial tcp 127.0.0.1:7532: connect: connection refused"},
		{ready: "exec:/no/such program", says: "cannot be run in the container"},
		{ready: "log:^never$", timeout: soon, says: `it has written no line that matches "^never$"`},
		{ready: "health", says: "its image has no HEALTHCHECK"},
		{ready: "health", timeout: soon, health: &HealthCheck{Command: []string{"/probe", "-say=still loading", "-exit=1"}, Interval: 50 * time.Millisecond},
			says: "its health check says"},
		{ready: "tcp:7532", flags: []string{"-say=no configuration", "-exit=3"}, says: "exit status 3, before it was ready"},
		{ready: "exec:/probe -dial=127.0.0.1:7532", flags: []string{"-exit=4"}, says: "exit status 4, before it was ready"},
		{ready: "log:^never$", flags: []string{"-exit=5"}, says: "exit status 5, before it was ready"},
	} {
		t.Run(tt.ready, func(t *testing.T) {
			t.Parallel()
			// A container that has ended has no network namespace left to be entered.
			needsNetns(t, e, tt.ready)
			s := probeSpec(t, a, tt.flags...)
			s.ReadyTimeout = tt.timeout
			s.Config.Health = tt.health
			var err error
			if s.Ready, err = ParseReady(tt.ready); err != nil {
				t.Fatal(err)
			}
			_, err = Lifecycle(t.Context(), e, s)
			var failed *LifecycleError
			if !errors.As(err, &failed) || failed.Phase != "ready" || failed.LeftBehind != nil || !strings.Contains(err.Error(), tt.says) && !unanswered(err, tt.timeout) {
				t.Errorf("%v\nwant: %s", err, tt.says)
			}
		})
	}
}

// hardPressed is an engine that tells late what has happened: it goes on with the output of
// a container that has ended, and does not answer who waits for that.
type hardPressed struct{ Engine }

func (e hardPressed) Attach(ctx context.Context, id string, stdout, stderr io.Writer) (*Attachment, error) {
	a, err := e.Engine.Attach(ctx, id, stdout, stderr)
	if err != nil {
		return nil, err
	}
	closed := make(chan struct{})
	return newAttachment(ctx, func() error { close(closed); return a.Close() }, func() error { <-closed; return nil }), nil
}

func (hardPressed) Wait(ctx context.Context, _ string) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// TestLifecycleEndsUnnoticed: that the network of a container cannot be entered which has
// ended is no fault of the network.
func TestLifecycleEndsUnnoticed(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	needsNetns(t, e, "tcp:")
	s := probeSpec(t, probeImage(t, e), "-say=no configuration", "-exit=3")
	s.Ready, s.ReadyTimeout = Ready{Kind: ReadyTCP, Port: 7533}, 8*time.Second
	p, err := Lifecycle(t.Context(), hardPressed{e}, s)
	if err == nil || !strings.Contains(err.Error(), "it ended by itself with exit status 3, before it was ready") || !strings.Contains(err.Error(), "no configuration") || p.ExitCode != 3 {
		t.Errorf("%+v, %v", p, err)
	}
}

// unanswered reports whether an engine on a busy machine has not even answered the first
// question until the deadline, which is then said.
func unanswered(err error, timeout time.Duration) bool {
	return timeout > 0 && strings.Contains(err.Error(), "not ready after 5s: the first question is still unanswered")
}

// TestLifecyclePortTaken: in the host's network somebody else's server would be taken
// for the container's.
func TestLifecyclePortTaken(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	if !e.Info().SharesClock {
		testenv.Missing(t, "local-engine", "the engine's host is another one")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := probeSpec(t, probeImage(t, e), "-silent")
	s.Config.Network = "host"
	s.Ready = Ready{Kind: ReadyTCP, Port: l.Addr().(*net.TCPAddr).Port}
	if _, err := Lifecycle(t.Context(), e, s); err == nil || !strings.Contains(err.Error(), "answers before the container is started") {
		t.Errorf("%v", err)
	}
}

// TestReadyExchange asks servers as the presets do.
func TestReadyExchange(t *testing.T) {
	answers := make(chan string)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer := <-answers
			if answer != "" {
				buffer := make([]byte, 6)
				if _, err := io.ReadFull(conn, buffer); err != nil || string(buffer) != "PING\r\n" {
					t.Errorf("it was asked %q, %v", buffer, err)
				}
				conn.Write([]byte(answer))
			}
			conn.Close()
		}
	})
	defer served.Wait()
	defer l.Close()
	redis, _ := FindPreset("redis")
	port := l.Addr().(*net.TCPAddr).Port
	for answer, says := range map[string]string{
		"+PONG\r\n":                            "",
		"-NOAUTH Authentication required.\r\n": "",
		"-LOADING Redis is loading the dataset in memory\r\n": "not ready yet",
		"": "without an answer|reset",
	} {
		go func() { answers <- answer }()
		r := redis.Ready
		r.Port = port
		g := lifecycle{spec: Spec{Ready: r}}
		connected, err := g.greet(t.Context(), route{dialHere, g.loopback("127.0.0.1")})
		if !connected || (err == nil) != (says == "") || err != nil && !regexp.MustCompile(says).MatchString(err.Error()) {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

func TestFindPreset(t *testing.T) {
	for image, want := range map[string]string{
		"postgres": "postgres:latest", "postgres:16-alpine": "postgres:16-alpine", "docker.io/library/redis:7": "docker.io/library/redis:7",
		"redis@sha256:0123": "redis@sha256:0123", "library/postgres": "library/postgres",
		"bitnami/redis": "", "mysql": "", "": "", "127.0.0.1:5000/postgres": "",
	} {
		p, ok := FindPreset(image)
		if ok != (want != "") || p.Image != want {
			t.Errorf("%q is %q, %v", image, p.Image, ok)
		}
	}
	p, _ := FindPreset("postgres:16")
	s := Spec{Config: Config{Env: []string{"POSTGRES_HOST_AUTH_METHOD=md5"}}, Ready: Ready{Kind: ReadyTCP, Port: 5432}}
	p.Fill(&s)
	if s.Config.Image != "postgres:16" || s.Config.Env[1] != "POSTGRES_HOST_AUTH_METHOD=md5" || s.Ready.Hello == "" || s.Config.StopSignal != "SIGINT" || s.Grace == 0 {
		t.Errorf("%+v", s)
	}
	s = Spec{Ready: Ready{Kind: ReadyLog}, Grace: time.Second, Config: Config{StopSignal: "SIGTERM"}}
	p.Fill(&s)
	if s.Ready.Kind != ReadyLog || s.Grace != time.Second || s.Config.StopSignal != "SIGTERM" {
		t.Errorf("the user's word is lost: %+v", s)
	}
}

// TestPause: a question that takes long is not asked more often for that.
func TestPause(t *testing.T) {
	for _, tt := range []struct{ elapsed, took, want time.Duration }{
		{0, 0, time.Millisecond},
		{time.Second, 2 * time.Millisecond, 20 * time.Millisecond},
		{time.Minute, 2 * time.Millisecond, 250 * time.Millisecond},
		{time.Second, 3 * time.Second, 3 * time.Second},
	} {
		if got := (Ready{}).pauseAfter(tt.elapsed, tt.took); got != tt.want {
			t.Errorf("after %v, when asking took %v, it waits %v", tt.elapsed, tt.took, got)
		}
	}
	if got := (Ready{Hello: "PING"}).pauseAfter(0, 5*time.Millisecond); got != 20*time.Millisecond {
		t.Errorf("a program that is asked itself has %v to go on", got)
	}
}

// TestGreetWaits: a server that accepts and is slow to answer is asked once, and not
// again and again until it can do nothing but answer.
func TestGreetWaits(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := lifecycle{spec: Spec{Ready: Ready{Kind: ReadyTCP, Port: l.Addr().(*net.TCPAddr).Port, Hello: "PING\r\n"}}}
	ctx, cancel := context.WithTimeout(t.Context(), connectPatience+200*time.Millisecond)
	defer cancel()
	// Nobody accepts: the kernel does, and there is no answer until the time is up.
	connected, err := g.greet(ctx, route{dialHere, g.loopback("127.0.0.1")})
	if !connected || err == nil || ctx.Err() == nil || greetReason(err) != "no answer in time" {
		t.Errorf("connected %v, %v (%v)", connected, err, ctx.Err())
	}
}
