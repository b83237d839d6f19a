package targets

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// anEngine answers what connecting asks for, and nothing else.
func anEngine(t *testing.T) (address string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		if strings.HasSuffix(r.URL.Path, "/version") {
			fmt.Fprint(w, `{"Version":"4.3.1","ApiVersion":"1.41","Os":"linux","Arch":"arm64","Components":[{"Name":"Podman Engine"}]}`)
		}
	}))
	t.Cleanup(s.Close)
	return "tcp://" + s.Listener.Addr().String()
}

// dockerEnvironment sets the variables of the docker command, and those alone.
func dockerEnvironment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, name := range []string{"DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION", "DOCKER_CONTEXT", "DOCKER_CONFIG"} {
		t.Setenv(name, set[name])
	}
}

// contextFolder is a DOCKER_CONFIG in which a context of the docker command is current.
func contextFolder(t *testing.T, name, host string) string {
	t.Helper()
	dir := t.TempDir()
	sum := sha256.Sum256([]byte(name))
	for path, text := range map[string]string{
		"config.json": fmt.Sprintf(`{"currentContext":%q}`, name),
		filepath.Join("contexts/meta", hex.EncodeToString(sum[:]), "meta.json"): fmt.Sprintf(`{"Name":%q,"Endpoints":{"docker":{"Host":%q}}}`, name, host),
	} {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestDoctorAsksTheEngine goes the ways that the docker command knows, contexts
// included, and says what is wrong at their end.
func TestDoctorAsksTheEngine(t *testing.T) {
	address := anEngine(t)
	none := filepath.Join(t.TempDir(), "none.sock")
	for name, tt := range map[string]struct {
		environment map[string]string
		note        string
		usable      bool
	}{
		"DOCKER_HOST":       {map[string]string{"DOCKER_HOST": address}, "Podman, API 1.41, linux/arm64", true},
		"a context":         {map[string]string{"DOCKER_CONFIG": contextFolder(t, "desktop", address)}, "Podman, API 1.41, linux/arm64", true},
		"context, no host":  {map[string]string{"DOCKER_CONFIG": contextFolder(t, "desktop", "unix://"+none)}, `none.sock (the docker command's current context, "desktop"): nothing listens there`, false},
		"no socket":         {map[string]string{"DOCKER_HOST": "unix://" + none}, "none.sock (DOCKER_HOST): nothing listens there", false},
		"certificates":      {map[string]string{"DOCKER_HOST": address, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": t.TempDir()}, "the client's certificate", false},
		"by ssh":            {map[string]string{"DOCKER_HOST": "ssh://me@host"}, "a connection by ssh is not made here", false},
		"no such context":   {map[string]string{"DOCKER_CONTEXT": "gone", "DOCKER_CONFIG": t.TempDir()}, "there is no such context", false},
		"too old a version": {map[string]string{"DOCKER_HOST": address, "DOCKER_API_VERSION": "1.24"}, "DOCKER_API_VERSION demands API 1.24", false},
	} {
		t.Run(name, func(t *testing.T) {
			dockerEnvironment(t, tt.environment)
			got := askEngine(t.Context(), measure.Tool{Name: "docker engine", Install: "install it"})
			if got.Usable != tt.usable || !strings.Contains(got.Note, tt.note) {
				t.Errorf("%+v; want %q", got, tt.note)
			}
			if tt.usable && (!got.Found || got.Version != "4.3.1" || got.Path != address) {
				t.Errorf("%+v", got)
			}
			if got.Install == "" {
				t.Error("it does not say what to do")
			}
		})
	}
}

// TestDoctorNoEngine: without a client, a socket and a word of the user's, an engine is
// simply not installed.
func TestDoctorNoEngine(t *testing.T) {
	dockerEnvironment(t, map[string]string{"DOCKER_CONFIG": t.TempDir()})
	if _, err := os.Stat("/var/run/docker.sock"); err == nil {
		t.Skip("an engine listens where one does by default")
	}
	t.Setenv("PATH", t.TempDir())
	if got := askEngine(t.Context(), measure.Tool{Install: "install it"}); got.Found || got.Note != "" || got.Install != "install it" {
		t.Errorf("%+v", got)
	}
}
