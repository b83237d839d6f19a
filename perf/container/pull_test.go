package container

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// An imageRegistry serves one image by the OCI Distribution Specification, on the loopback
// interface, from where engines pull without TLS.
type imageRegistry struct {
	server   *httptest.Server
	manifest []byte
	blobs    map[string][]byte // by digest
	// hold keeps requests for layers waiting until the end of the test: an engine does not
	// end them when it gives a pull up.
	hold  bool
	ended chan struct{}

	mu    sync.Mutex
	asked []string // paths
}

const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// newRegistry makes an image of the layers, each a tar archive.
func newRegistry(t *testing.T, path string, layers ...[]byte) *imageRegistry {
	t.Helper()
	r := &imageRegistry{blobs: map[string][]byte{}, ended: make(chan struct{})}
	add := func(kind string, b []byte) map[string]any {
		sum := "sha256:" + digest(b)
		r.blobs[sum] = b
		return map[string]any{"mediaType": kind, "size": len(b), "digest": sum}
	}
	var ids []string
	var described []map[string]any
	for _, l := range layers {
		ids = append(ids, "sha256:"+digest(l))
		var packed bytes.Buffer
		// Stored: to compress takes seconds with the race detector, and the engine does not mind.
		w, err := gzip.NewWriterLevel(&packed, gzip.NoCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(l); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		described = append(described, add(layerType, packed.Bytes()))
	}
	config := encoded(t, map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{path}, "Labels": testLabels()},
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids},
	})
	r.manifest = encoded(t, map[string]any{"schemaVersion": 2, "mediaType": manifestType, "config": add(configType, config), "layers": described})
	r.server = httptest.NewServer(r)
	t.Cleanup(func() {
		close(r.ended)
		r.server.CloseClientConnections()
		r.server.Close()
	})
	return r
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ServeHTTP answers what an engine asks that pulls.
func (r *imageRegistry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	path := request.URL.Path
	r.mu.Lock()
	r.asked = append(r.asked, path)
	r.mu.Unlock()
	switch {
	case path == "/v2/":
	case strings.HasPrefix(path, "/v2/test/secret/"):
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
	case strings.HasSuffix(path, "/manifests/latest"), strings.HasSuffix(path, "/manifests/sha256:"+digest(r.manifest)):
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Docker-Content-Digest", "sha256:"+digest(r.manifest))
		serveBytes(w, request, r.manifest)
	case strings.Contains(path, "/blobs/"):
		blob, ok := r.blobs[path[strings.LastIndex(path, "/")+1:]]
		if !ok {
			http.NotFound(w, request)
			return
		}
		if r.hold && !json.Valid(blob) {
			<-r.ended
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		serveBytes(w, request, blob)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)) // the client may be gone
	}
}

func serveBytes(w http.ResponseWriter, request *http.Request, b []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	if request.Method == http.MethodGet {
		_, _ = w.Write(b) // the client may be gone
	}
}

// requests is how many requests there were since the last call.
func (r *imageRegistry) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.asked)
	r.asked = nil
	return n
}

// image is a name by which the engine pulls from the registry.
func (r *imageRegistry) image(name string) string {
	return strings.TrimPrefix(r.server.URL, "http://") + "/test/" + name
}

// probeRegistry serves an image of the probe, with some MB that do not compress.
func probeRegistry(t *testing.T, e Engine) *imageRegistry {
	t.Helper()
	if !e.Info().SharesClock {
		testenv.Missing(t, "local-engine", "the loopback interface of the engine's host is another one")
	}
	program, err := probeBinary()
	if err != nil {
		t.Fatal(err)
	}
	// No layer is like one of another test's: the engine would have it, or wait for it.
	noise := make([]byte, 4<<20)
	seed := sha256.Sum256([]byte(fmt.Sprint(t.Name(), testImages.Add(1))))
	_, _ = rand.NewChaCha8(seed).Read(noise) // never fails
	return newRegistry(t, "/probe", layer(t, file{name: "probe", mode: 0o755, data: program}, file{name: "seed", mode: 0o644, data: seed[:]}),
		layer(t, file{name: "noise", mode: 0o644, data: noise}))
}

func layer(t *testing.T, files ...file) []byte {
	t.Helper()
	b, err := pack(files...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPull pulls an image that the engine does not have, tells that from one that it
// has, and runs it.
func TestPull(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	r := probeRegistry(t, e)
	name := r.image("probe") + ":latest"
	t.Cleanup(func() {
		if err := e.RemoveImage(context.Background(), name); err != nil && !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
	var said []string
	pull := Pull{Image: name, Show: func(s string) { said = append(said, s) }}
	for _, want := range []string{"cold", "warm", "cold again"} {
		said = nil
		began := time.Now()
		p, err := pull.Run(t.Context(), e)
		wall := time.Since(began)
		if err != nil {
			t.Fatal(err)
		}
		asked, warm := r.requests(), want == "warm"
		if p.Warm != warm || warm != (asked == 0) || warm != (len(said) == 0) {
			t.Errorf("%s: %d requests to the registry, %+v, %q", want, asked, p, said)
		}
		if !warm {
			if p.Took <= 0 || p.Took > wall || p.Download <= 0 || p.Download > p.Took || p.Layers != 2 || p.Had != 0 || p.Bytes < 4<<20 {
				t.Errorf("%s: %+v of %v", want, p, wall)
			}
			if !strings.HasPrefix(said[0], "pulling "+name+": ") {
				t.Errorf("%s: %q", want, said)
			}
		}
		s := Spec{Config: Config{Image: p.Image.ID, Network: "none", Labels: containerLabels(t)}}
		if want == "cold" {
			if _, err := Lifecycle(t.Context(), e, s); err != nil {
				t.Errorf("what was pulled does not run: %v", err)
			}
			continue
		}
		if err := e.RemoveImage(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPullFails says what is wrong, leaves nothing, and ends in time.
func TestPullFails(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	r := probeRegistry(t, e)
	held := probeRegistry(t, e)
	held.hold = true
	for _, tt := range []struct {
		name, image string
		timeout     time.Duration
		says        []string
		is          error
	}{
		{name: "no such tag", image: r.image("probe") + ":none", says: []string{"manifest", "the registry has no such tag"}},
		{name: "login", image: r.image("secret") + ":latest", says: []string{"docker pull"}},
		{name: "no registry", image: strings.TrimPrefix(unused(t), "tcp://") + "/test/probe:latest", says: []string{"connection refused", "docker load"}},
		{name: "no name", image: "UPPER CASE", says: []string{"UPPER CASE"}},
		{name: "hangs", image: held.image("probe") + ":latest", timeout: 2 * time.Second, says: []string{"not there after 2s", "of 2 layers"}, is: context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			p, err := Pull{Image: tt.image, Timeout: tt.timeout}.Run(t.Context(), e)
			if took := time.Since(began); tt.timeout > 0 && took > tt.timeout+20*time.Second {
				t.Errorf("it took %v", took)
			}
			if err == nil {
				t.Fatalf("%+v", p)
			}
			for _, says := range append(tt.says, tt.image) {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q is not in: %v", says, err)
				}
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("it is not %v: %v", tt.is, err)
			}
			if _, err := e.Image(t.Context(), tt.image); err == nil {
				t.Errorf("the engine has the image after all")
			}
		})
	}
}
