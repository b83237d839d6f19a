package container

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// A badEngine answers a lifecycle as a Docker engine does, but for one request, at which
// it misbehaves.
type badEngine struct {
	at    string // "create", "attach", "start", "stop", "inspect", "remove"
	fault func(w http.ResponseWriter, r *http.Request) (answered bool)

	ended chan struct{} // closed at the end of the test
	mu    sync.Mutex
	out   net.Conn // of the container
}

// startBadEngine connects to one.
func startBadEngine(t *testing.T, at, fault string) Engine {
	t.Helper()
	b := &badEngine{at: at, ended: make(chan struct{})}
	b.fault = b.faults()[fault]
	server := httptest.NewServer(b)
	t.Cleanup(func() {
		close(b.ended)
		if b.out != nil {
			b.out.Close()
		}
		server.CloseClientConnections()
		server.Close()
	})
	e, err := Connect(t.Context(), Settings{Host: "tcp://" + strings.TrimPrefix(server.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// faults are the ways in which it misbehaves.
func (b *badEngine) faults() map[string]func(http.ResponseWriter, *http.Request) bool {
	return map[string]func(http.ResponseWriter, *http.Request) bool{
		"500": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, `{"message":"the disk is on fire"}`)
			return true
		},
		"truncated": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "400")
			w.WriteHeader(http.StatusOK)
			io.WriteString(w, `{"Id":"abc","Sta`)
			return true
		},
		"garbage": func(w http.ResponseWriter, _ *http.Request) bool {
			io.WriteString(w, "<html>\x00\xff a router's page, and no engine's")
			return true
		},
		"hangs": func(_ http.ResponseWriter, r *http.Request) bool {
			select {
			case <-b.ended:
			case <-r.Context().Done():
			}
			return true
		},
		"hangs up": func(w http.ResponseWriter, _ *http.Request) bool {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
			return true
		},
		"slow": func(_ http.ResponseWriter, r *http.Request) bool {
			timer := time.NewTimer(30 * time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
			}
			return false // and then as it should
		},
	}
}

func (b *badEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	call := map[string]string{
		"POST containers/create": "create", "POST containers/abc/attach": "attach", "POST containers/abc/start": "start",
		"POST containers/abc/stop": "stop", "POST containers/abc/wait": "wait", "GET containers/abc/json": "inspect", "DELETE containers/abc": "remove",
	}[r.Method+" "+path]
	switch {
	case strings.HasSuffix(r.URL.Path, "/_ping"):
		w.Header().Set("Api-Version", "1.41")
	case strings.HasSuffix(r.URL.Path, "/version"):
		io.WriteString(w, `{"Version":"20.10.0","ApiVersion":"1.41","Os":"linux","Arch":"amd64"}`)
	case call == b.at && b.fault(w, r):
	case call == "":
		http.NotFound(w, r)
	default:
		b.answer(call, w)
	}
}

// answer answers as it should.
func (b *badEngine) answer(call string, w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	switch call {
	case "create":
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"Id":"abc"}`)
	case "attach":
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.out = conn // before the client can go on to the start
		b.mu.Unlock()
		b.write("HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	case "start":
		b.write(frame("READY\n"))
		w.WriteHeader(http.StatusNoContent)
	case "stop":
		b.mu.Lock()
		b.out.Close()
		b.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case "wait":
		io.WriteString(w, `{"StatusCode":0}`)
	case "inspect":
		io.WriteString(w, `{"Id":"abc","Name":"/x","State":{"Status":"exited","ExitCode":0},"Config":{}}`)
	case "remove":
		w.WriteHeader(http.StatusNoContent)
	}
}

func (b *badEngine) write(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	io.WriteString(b.out, text)
}

// frame is a piece of standard output (Docker Engine API, ContainerAttach, stream format).
func frame(text string) string {
	head := make([]byte, 8)
	head[0] = 1
	binary.BigEndian.PutUint32(head[4:], uint32(len(text)))
	return string(head) + text
}

// TestLifecycleBadEngine sees that each fault of an engine ends a lifecycle in time, in
// the phase in which it happens, with the engine's own words.
func TestLifecycleBadEngine(t *testing.T) {
	phases := map[string]string{"create": "create", "attach": "attach", "start": "start", "stop": "stop", "inspect": "stop", "remove": "remove"}
	says := map[string]string{"500": "the disk is on fire", "truncated": "broke the connection off", "garbage": "invalid character",
		"hangs": "has not come to an end with it within 1s", "hangs up": "broke the connection off"}
	for at, phase := range phases {
		for fault, text := range says {
			// Of these answers only the status is read.
			bodyless := at == "start" || at == "stop" || at == "remove"
			if bodyless && (fault == "truncated" || fault == "garbage") {
				continue
			}
			t.Run(at+" "+fault, func(t *testing.T) {
				t.Parallel()
				e := startBadEngine(t, at, fault)
				began := time.Now()
				s := Spec{Config: Config{Image: "x"}}
				if fault == "hangs" {
					s.Timeout = time.Second
				}
				_, err := Lifecycle(t.Context(), e, s)
				// The timeout, the patience for create, and the removal afterwards.
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("it took %v", took)
				}
				var failed *LifecycleError
				if !errors.As(err, &failed) || failed.Phase != phase {
					t.Fatalf("%v", err)
				}
				if at != "attach" && !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in: %v", text, err)
				}
				if (failed.LeftBehind != nil) != (at == "remove") && at != "create" {
					t.Errorf("left behind: %v", failed.LeftBehind)
				}
			})
		}
		t.Run(at+" slow", func(t *testing.T) {
			t.Parallel()
			p, err := Lifecycle(t.Context(), startBadEngine(t, at, "slow"), Spec{Config: Config{Image: "x"}})
			if err != nil {
				t.Fatal(err)
			}
			took := map[string]time.Duration{"create": p.Create, "attach": p.Attach, "start": p.Start, "stop": p.Stop, "remove": p.Remove}
			if d, ok := took[at]; ok && d < 30*time.Millisecond {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// TestLifecycleGarbageStream: an engine whose stream of output is no stream.
func TestLifecycleGarbageStream(t *testing.T) {
	b := &badEngine{at: "none", ended: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/attach") {
			b.write("READY main=1\nwithout any frame")
		}
	}))
	defer server.Close()
	e, err := Connect(t.Context(), Settings{Host: "tcp://" + strings.TrimPrefix(server.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	before := runtime.NumGoroutine()
	_, err = Lifecycle(t.Context(), e, Spec{Config: Config{Image: "x"}, Timeout: 5 * time.Second})
	var failed *LifecycleError
	if !errors.As(err, &failed) || failed.Phase != "ready" || !strings.Contains(err.Error(), "read the output of container") {
		t.Errorf("%v", err)
	}
	b.out.Close()
	e.Close()
	waitFor(t, fmt.Sprintf("no more than %d goroutines", before), time.Minute, func() bool { return runtime.NumGoroutine() <= before })
}
