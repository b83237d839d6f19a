package container

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// A proxy stands between a client and the real engine, so that the engine can be
// taken away in the middle without being touched.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	conns []net.Conn
	deaf  bool // nothing is passed on any more
	gone  bool
}

// behindProxy connects to the real engine through a proxy.
func behindProxy(t *testing.T) (Engine, *proxy) {
	t.Helper()
	real := realEngine(t).Info()
	if !strings.HasPrefix(real.Endpoint, "unix://") {
		testenv.Missing(t, "local-engine", "the proxy stands before a Unix socket; the engine is at "+real.Endpoint)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: strings.TrimPrefix(real.Endpoint, "unix://")}
	var served sync.WaitGroup
	served.Go(func() { p.serve(&served) })
	t.Cleanup(func() { p.vanish(); served.Wait() })
	e, err := Connect(t.Context(), Settings{Host: "tcp://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e, p
}

func (p *proxy) serve(served *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		engine, err := net.Dial("unix", p.target)
		if err != nil || !p.keep(client, engine) {
			client.Close()
			continue
		}
		served.Go(func() { p.pass(engine, client) })
		served.Go(func() { p.pass(client, engine) })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conns...)
	return !p.gone
}

// pass copies until one side ends, and then ends both.
func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		deaf := p.deaf
		p.mu.Unlock()
		if !deaf && n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// vanish is what an engine does that is killed.
func (p *proxy) vanish() {
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	for _, c := range p.conns {
		c.Close()
	}
}

// hang is what an engine does that is stopped.
func (p *proxy) hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
}

// sweep removes what a test has left on purpose.
func sweep(t *testing.T, e Engine) int {
	t.Helper()
	list, err := e.Containers(context.Background(), testLabel, nameLabel(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if err := e.Remove(context.Background(), c.ID); err != nil {
			t.Error(err)
		}
	}
	return len(list)
}

func TestLifecycleEngineGone(t *testing.T) {
	t.Parallel()
	real := realEngine(t)
	s := probeSpec(t, probeImage(t, real))
	for _, call := range []string{"create", "attach", "start", "stop", "remove"} {
		e, p := behindProxy(t)
		vanishing := interceptor{Engine: e, before: func(c string) {
			if c == call {
				p.vanish()
			}
		}}
		_, err := Lifecycle(t.Context(), vanishing, s)
		var failed *LifecycleError
		if !errors.As(err, &failed) || !errors.Is(err, ErrUnreachable) || failed.Phase != call || failed.LeftBehind == nil {
			t.Errorf("gone before %s: %v", call, err)
		}
		if err != nil && !strings.Contains(err.Error(), "may still be there") {
			t.Errorf("the reader does not learn that the container may be left: %v", err)
		}
		if n := sweep(t, real); n > 1 || n == 0 && call != "create" {
			t.Errorf("gone before %s: %d containers are left", call, n)
		}
	}
}

func TestLifecycleEngineHangs(t *testing.T) {
	t.Parallel()
	real := realEngine(t)
	s := probeSpec(t, probeImage(t, real))
	s.Timeout = time.Second
	for _, call := range []string{"create", "attach", "start", "stop"} {
		e, p := behindProxy(t)
		hanging := interceptor{Engine: e, before: func(c string) {
			if c == call {
				p.hang()
			}
		}}
		began := time.Now()
		_, err := Lifecycle(t.Context(), hanging, s)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("hanging in %s: it took %v", call, took)
		}
		if err == nil || !strings.Contains(err.Error(), "not come to an end with it within 1s") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("hanging in %s: %v", call, err)
		}
		p.vanish()
		sweep(t, real)
	}
}

// TestStreamsEndWithTheirContext holds the streams of an engine that hangs against a
// cancellation: the Docker client sets them up without regard to the context.
func TestStreamsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	e, p := behindProxy(t)
	p.hang()
	for name, call := range map[string]func(context.Context) error{
		"attach": func(ctx context.Context) error {
			_, err := e.Attach(ctx, "none", io.Discard, io.Discard)
			return err
		},
		"events": func(ctx context.Context) error {
			_, err := e.Events(ctx, EventFilter{})
			return err
		},
		"wait": func(ctx context.Context) error {
			_, err := e.Wait(ctx, "none")
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
