package container

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// misbehaving starts a server in the place of an engine and returns its endpoint.
func misbehaving(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return "tcp://" + s.Listener.Addr().String()
}

// answering behaves like an engine of the API versions, as far as Connect asks.
func answering(api, version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", api)
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/version") {
			fmt.Fprint(w, version)
		}
	}
}

// unused is an address of this machine at which nothing listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "tcp://" + l.Addr().String()
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	secure := httptest.NewUnstartedServer(answering("1.41", "{}"))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the request, as it should
	secure.StartTLS()
	t.Cleanup(secure.Close)
	tests := []struct {
		name   string
		set    Settings
		reason string
		remedy string
	}{
		{"no socket", Settings{Host: "unix:///nonexistent"}, "nothing listens there", "start the engine there"},
		{"no port", Settings{Host: unused(t)}, "nothing listens there", "DOCKER_HOST"},
		{"no such host", Settings{Host: "tcp://nowhere.invalid:1"}, "it cannot be reached: ", "DOCKER_HOST"},
		{"no scheme", Settings{Host: "localhost"}, "unable to parse", "write unix:///PATH"},
		{"ssh", Settings{Host: "ssh://me@there"}, "by ssh is not made", "ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock me@there"},
		{"hangs", Settings{Timeout: 50 * time.Millisecond, Host: misbehaving(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })},
			"has not answered within 50ms", "see what keeps it"},
		{"another server", Settings{Host: misbehaving(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>hello") })},
			"not as a container engine", "DOCKER_HOST"},
		{"not found", Settings{Host: misbehaving(t, http.NotFound)}, "not as a container engine", "DOCKER_HOST"},
		{"garbage for a version", Settings{Host: misbehaving(t, answering("1.41", "<html>"))}, "not as a container engine", "DOCKER_HOST"},
		{"empty version", Settings{Host: misbehaving(t, answering("1.41", "{}"))}, "not as a container engine", "DOCKER_HOST"},
		{"old", Settings{Host: misbehaving(t, answering("1.40", `{"Version":"19.03","Os":"linux"}`))},
			"speaks API 1.40, and 1.41 is needed", "upgrade the engine"},
		{"old by demand", Settings{APIVersion: "1.39", Host: misbehaving(t, answering("1.41", `{"Version":"20.10","Os":"linux"}`))},
			"demands API 1.39", "unset DOCKER_API_VERSION"},
		{"too new for us", Settings{Host: misbehaving(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Api-Version", "1.99")
			if strings.HasSuffix(r.URL.Path, "/version") {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"message":"client version 1.51 is too old. Minimum supported API version is 1.60, please upgrade your client to a newer version"}`)
			}
		})}, "newer than this program", "upgrade this program"},
		{"TLS wanted", Settings{Host: "tcp://" + secure.Listener.Addr().String()}, "wants TLS", "DOCKER_TLS_VERIFY=1"},
		{"no certificates", Settings{Host: unused(t), TLSVerify: true, CertPath: "/nonexistent"}, "cert.pem", ""},
		{"no such context", Settings{Context: "mars", ConfigDir: t.TempDir()}, "no such context", ""},
		{"broken configuration", Settings{ConfigDir: folder(t, "config.json", "{")}, "config.json", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			e, err := Connect(t.Context(), tt.set)
			if err == nil {
				e.Close()
				t.Fatalf("connected to %+v", e.Info())
			}
			var c *ConnectError
			if !errors.As(err, &c) || !errors.Is(err, ErrUnreachable) {
				t.Fatalf("%T is no *ConnectError that wraps ErrUnreachable: %v", err, err)
			}
			if tt.set.Host != "" && c.Endpoint != tt.set.Host {
				t.Errorf("the endpoint is %q, tried was %q", c.Endpoint, tt.set.Host)
			}
			if !strings.Contains(c.Reason, tt.reason) || !strings.Contains(c.Remedy, tt.remedy) {
				t.Errorf("reason %q, remedy %q; want %q and %q", c.Reason, c.Remedy, tt.reason, tt.remedy)
			}
			if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, c.Endpoint) {
				t.Errorf("not a sentence with the endpoint: %q", text)
			}
			if took := time.Since(began); took > 2*connectTimeout {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// folder makes a folder with one file.
func folder(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestConnectPermissionDenied(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		// A superuser is refused nothing: the words are all that can be seen.
		if got := dialReason(fmt.Errorf("dial: %w", os.ErrPermission)); got != reasonDenied {
			t.Errorf("a refused permission reads %q", got)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err = Connect(t.Context(), Settings{Host: "unix://" + path})
	if err == nil || !strings.Contains(err.Error(), "usermod -aG docker") {
		t.Errorf("a socket that may not be opened: %v", err)
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	host := misbehaving(t, func(http.ResponseWriter, *http.Request) { cancel() })
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	for _, c := range []context.Context{ctx, cancelled} {
		_, err := Connect(c, Settings{Host: host})
		if c.Err() != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled attempt returns %v", err)
		}
	}
}

func TestDialRemedy(t *testing.T) {
	only := func(programs ...string) func(string) bool {
		return func(p string) bool {
			for _, have := range programs {
				if p == have {
					return true
				}
			}
			return false
		}
	}
	gone := &dialError{reason: "nothing listens there"}
	standard, named := endpoint{from: fromDefault}, endpoint{from: "DOCKER_HOST"}
	tests := []struct {
		h    host
		e    endpoint
		err  *dialError
		want string
	}{
		{host{"linux", false, only("dockerd", "systemctl")}, standard, gone, "sudo systemctl start docker"},
		{host{"linux", true, only("dockerd", "systemctl")}, standard, gone, ": systemctl start docker"},
		{host{"linux", true, only("dockerd")}, standard, gone, ": dockerd"},
		{host{"linux", true, only()}, standard, gone, "install Docker Engine"},
		{host{"linux", true, only("podman")}, standard, gone, "podman.socket"},
		{host{"linux", true, only("dockerd")}, named, gone, "start the engine there"},
		{host{"linux", false, only()}, standard, &dialError{reason: reasonDenied}, `sudo usermod -aG docker "$USER"`},
		{host{"darwin", false, only("colima")}, standard, gone, "colima start"},
		{host{"darwin", false, only()}, standard, gone, "open -a Docker"},
		{host{"windows", false, only()}, standard, gone, "docker desktop start"},
		{host{"windows", false, only()}, named, &dialError{reason: reasonDenied}, "docker-users"},
	}
	for _, tt := range tests {
		if got := dialRemedy(tt.h, tt.e, tt.err); !strings.Contains(got, tt.want) {
			t.Errorf("%s, %v, %q: %q lacks %q", tt.h.system, tt.e.from, tt.err.reason, got, tt.want)
		}
	}
}

// TestConnectByContext follows a context as "docker context create" and "use" store it.
func TestConnectByContext(t *testing.T) {
	host := misbehaving(t, answering("1.45", `{"Version":"26.0","Os":"linux","Arch":"arm64","Components":[{"Name":"Podman Engine"}]}`))
	sum := sha256.Sum256([]byte("mine"))
	dir := folder(t, filepath.Join("contexts", "meta", hex.EncodeToString(sum[:]), "meta.json"),
		`{"Name":"mine","Metadata":{},"Endpoints":{"docker":{"Host":"`+host+`","SkipTLSVerify":false}}}`)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths":{},"currentContext":"mine"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Settings{{ConfigDir: dir}, {ConfigDir: dir, Context: "mine"}} {
		e, err := Connect(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		want := Info{Endpoint: host, Product: "Podman", Version: "26.0", API: "1.45", OS: "linux", Arch: "arm64"}
		if got := e.Info(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		e.Close()
	}
	other := unused(t)
	if _, err := Connect(t.Context(), Settings{ConfigDir: dir, Host: other}); err == nil || !strings.Contains(err.Error(), other) {
		t.Errorf("DOCKER_HOST does not come first: %v", err)
	}
	e, err := Settings{ConfigDir: dir, Context: "default"}.endpoint("linux")
	if err != nil || e.host != "unix:///var/run/docker.sock" || !e.isDefault() {
		t.Errorf("the context default is %+v, %v", e, err)
	}
	e, err = Settings{ConfigDir: t.TempDir()}.endpoint("windows")
	if err != nil || e.host != "npipe:////./pipe/docker_engine" {
		t.Errorf("the default of Windows is %+v, %v", e, err)
	}
}

func TestConnectToTheEngine(t *testing.T) {
	i := realEngine(t).Info()
	if i.Version == "" || i.OS == "" || i.Arch == "" || i.Kernel == "" || i.Product == "" || versionBelow(i.API, oldestAPI) {
		t.Errorf("the engine says too little of itself: %+v", i)
	}
	if !strings.HasPrefix(i.Endpoint, "unix://") && i.SharesClock {
		t.Errorf("the clock of %s counts as this machine's", i.Endpoint)
	}
}

// versionBelow compares API versions without the client's own function.
func versionBelow(a, b string) bool {
	var a1, a2, b1, b2 int
	fmt.Sscanf(a, "%d.%d", &a1, &a2)
	fmt.Sscanf(b, "%d.%d", &b1, &b2)
	return a1 < b1 || a1 == b1 && a2 < b2
}
