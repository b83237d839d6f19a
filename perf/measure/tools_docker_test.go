package measure

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	dockerAnswer = `{"Platform":{"Name":""},"Components":[{"Name":"Engine","Version":"20.10.24"}],
		"Version":"20.10.24+dfsg1","ApiVersion":"1.41","Os":"linux","Arch":"amd64","KernelVersion":"6.1.0"}`
	podmanAnswer = `{"Components":[{"Name":"Podman Engine"}],"Version":"4.3.1","ApiVersion":"1.41","Os":"linux","Arch":"amd64"}`
)

// answering is an engine that says one thing to GET /version.
func answering(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/version" {
			http.Error(w, "unexpected "+r.Method+" "+r.URL.Path, http.StatusTeapot)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// unixEngine serves on a Unix socket and returns its address.
func unixEngine(t *testing.T, handler http.Handler) string {
	t.Helper()
	// Not t.TempDir: the path of a socket is limited to about 100 bytes.
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	socket := filepath.Join(dir, "e.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Skipf("this system has no Unix sockets: %v", err)
	}
	server := httptest.NewUnstartedServer(handler)
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return "unix://" + socket
}

// clearDocker takes the user's own engine out of the environment.
func clearDocker(t *testing.T) {
	t.Helper()
	for _, name := range []string{"DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"} {
		t.Setenv(name, "")
	}
}

func TestEngineThatAnswers(t *testing.T) {
	clearDocker(t)
	fakePath(t, nil) // without a client: the engine is what counts
	tcp := httptest.NewServer(answering(200, podmanAnswer))
	t.Cleanup(tcp.Close)
	for _, c := range []struct{ address, version, note string }{
		{unixEngine(t, answering(200, dockerAnswer)), "20.10.24+dfsg1", "Docker, API 1.41, linux/amd64"},
		{"tcp://" + strings.TrimPrefix(tcp.URL, "http://"), "4.3.1", "Podman, API 1.41, linux/amd64"},
	} {
		t.Setenv("DOCKER_HOST", c.address)
		got := testToolbox().engine(t.Context())
		if !got.Found || !got.Usable || got.Version != c.version || got.Note != c.note || got.Path != c.address {
			t.Errorf("%s: %+v; want version %s and note %q", c.address, got, c.version, c.note)
		}
	}
}

func TestEngineThatDoesNotAnswer(t *testing.T) {
	clearDocker(t)
	dir := fakePath(t, map[string]string{"docker": "fails"})
	for name, c := range map[string]struct{ address, note string }{
		"no socket":    {"unix://" + filepath.Join(dir, "none.sock"), "client found, but the engine does not answer at unix://"},
		"an error":     {unixEngine(t, answering(500, "oh")), "GET /version: 500 Internal Server Error"},
		"another":      {unixEngine(t, answering(200, `{"status":"ok"}`)), "not a version of an engine: it names none"},
		"no JSON":      {unixEngine(t, answering(200, "<html>")), "not a version of an engine: invalid character"},
		"no scheme":    {"/var/run/docker.sock", "write unix:///PATH or tcp://HOST:PORT"},
		"client fails": {"ssh://root@nowhere", "docker --host ssh://root@nowhere version"},
	} {
		t.Setenv("DOCKER_HOST", c.address)
		got := testToolbox().engine(t.Context())
		if !got.Found || got.Usable || got.Version != "" || !strings.Contains(got.Note, c.note) {
			t.Errorf("%s: %+v; want it found, not usable, and %q", name, got, c.note)
		}
	}
}

func TestEngineThatIsSilent(t *testing.T) {
	clearDocker(t)
	fakePath(t, map[string]string{"docker": "version"})
	// It takes the request and waits for the one who asked to go away.
	t.Setenv("DOCKER_HOST", unixEngine(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })))
	b := testToolbox()
	b.engineTimeout = 50 * time.Millisecond
	got := b.engine(t.Context())
	if got.Usable || !strings.Contains(got.Note, "deadline exceeded") {
		t.Errorf("got %+v; want that the time was up", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := testToolbox().askEngine(ctx, "", os.Getenv("DOCKER_HOST")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestNoEngineAndNoClient(t *testing.T) {
	clearDocker(t)
	dir := fakePath(t, nil)
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(dir, "none.sock"))
	got := testToolbox().engine(t.Context())
	if got.Found || got.Usable || !strings.HasPrefix(got.Note, "no client on PATH, and the engine does not answer at unix://") {
		t.Errorf("got %+v", got)
	}
	if want := "sudo apt-get install -y docker.io"; got.Install != want {
		t.Errorf("installed by %q, want %q", got.Install, want)
	}
}

// TestEngineOfTheClientsContext is Docker Desktop's case: the client works, and
// programs that look at the usual place find nothing.
func TestEngineOfTheClientsContext(t *testing.T) {
	clearDocker(t)
	dir := fakePath(t, map[string]string{"docker": "context"})
	address := unixEngine(t, answering(200, dockerAnswer))
	t.Setenv("PERF_TEST_CONTEXT", address)
	tool := Tool{Install: "as before"}
	usual := "unix://" + filepath.Join(dir, "none.sock")
	testToolbox().adviseEngine(t.Context(), &tool, toolFile(dir, "docker"), usual, os.ErrNotExist)
	if want := "export DOCKER_HOST=" + address; tool.Install != want {
		t.Errorf("advice %q, want %q", tool.Install, want)
	}
	for _, useless := range []string{usual, "", "unix:///$(reboot)"} {
		t.Setenv("PERF_TEST_CONTEXT", useless)
		tool = Tool{Install: "as before"}
		testToolbox().adviseEngine(t.Context(), &tool, toolFile(dir, "docker"), usual, os.ErrNotExist)
		if tool.Install != "as before" {
			t.Errorf("context %q: advice %q", useless, tool.Install)
		}
	}
}

func TestEngineThroughTheClient(t *testing.T) {
	dir := fakePath(t, map[string]string{"docker": "context"})
	got, err := testToolbox().askEngine(t.Context(), toolFile(dir, "docker"), "ssh://me@host")
	if err != nil || got.Version != "29.1.0" || got.Arch != "arm64" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := testToolbox().askEngine(t.Context(), "", "ssh://me@host"); err == nil {
		t.Error("an engine behind ssh:// answers without a client")
	}
}

func TestEngineWithoutPermission(t *testing.T) {
	tool := Tool{}
	testToolbox().adviseEngine(t.Context(), &tool, "", "unix:///var/run/docker.sock", &os.PathError{Err: os.ErrPermission})
	if want := `sudo usermod -aG docker "$USER", then log in again`; tool.Install != want {
		t.Errorf("advice %q, want %q", tool.Install, want)
	}
}

func TestEngineTLS(t *testing.T) {
	clearDocker(t)
	server := httptest.NewTLSServer(answering(200, dockerAnswer))
	t.Cleanup(server.Close)
	address := "tcp://" + strings.TrimPrefix(server.URL, "https://")
	certs := t.TempDir()
	t.Setenv("DOCKER_CERT_PATH", certs)
	t.Setenv("DOCKER_TLS_VERIFY", "1")
	if _, err := testToolbox().askEngine(t.Context(), "", address); err == nil || !strings.Contains(err.Error(), "client's certificate") {
		t.Errorf("without certificates: %v", err)
	}
	writeCertificates(t, certs, server)
	if got, err := testToolbox().askEngine(t.Context(), "", address); err != nil || got.Version != "20.10.24+dfsg1" {
		t.Errorf("with certificates: %+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(certs, "ca.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := testToolbox().askEngine(t.Context(), "", address); err == nil {
		t.Error("a broken ca.pem is accepted")
	}
}

// writeCertificates gives the client the server's own pair: any will do, and the
// server's certificate is its own authority.
func writeCertificates(t *testing.T, dir string, server *httptest.Server) {
	t.Helper()
	pair := server.TLS.Certificates[0]
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for name, b := range map[string][]byte{"ca.pem": certificate, "cert.pem": certificate, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
