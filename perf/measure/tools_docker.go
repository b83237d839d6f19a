package measure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// engineAddress is where an engine listens unless DOCKER_HOST says otherwise.
func engineAddress(system string) string {
	if system == "windows" {
		return "npipe:////./pipe/docker_engine"
	}
	return "unix:///var/run/docker.sock"
}

// An engineVersion is what matters of the answer to GET /version (Docker Engine
// API, SystemVersion).
type engineVersion struct {
	Version       string
	APIVersion    string `json:"ApiVersion"`
	Os            string
	Arch          string
	KernelVersion string
	Components    []struct{ Name string }
}

// product is the engine's own name: Podman answers the same requests.
func (v engineVersion) product() string {
	for _, c := range v.Components {
		if strings.Contains(c.Name, "Podman") {
			return "Podman"
		}
	}
	return "Docker"
}

// describe is what stands beside the version in a list of tools.
func (v engineVersion) describe() string {
	return fmt.Sprintf("%s, API %s, %s/%s", v.product(), v.APIVersion, v.Os, v.Arch)
}

// engine asks the Docker engine itself, because a client on PATH says nothing of
// whether containers can be started.
func (b toolbox) engine(ctx context.Context) Tool {
	t := Tool{Name: "docker engine", Enables: "container lifecycles, and tests that run in containers",
		Install: b.installer.command("docker")}
	client, lookErr := exec.LookPath("docker")
	address := os.Getenv("DOCKER_HOST")
	fromEnvironment := address != ""
	if !fromEnvironment {
		address = engineAddress(b.system)
	}
	version, err := b.askEngine(ctx, client, address)
	if err == nil {
		t.Found, t.Usable, t.Path, t.Version, t.Note = true, true, address, version.Version, version.describe()
		return t
	}
	t.Found = lookErr == nil
	// No client, no socket, and nobody said that there is an engine: that is not a
	// fault to explain, it is simply not installed.
	if !t.Found && !fromEnvironment && errors.Is(err, fs.ErrNotExist) {
		return t
	}
	what := "no client on PATH, and the engine does not answer"
	if t.Found {
		t.Path = client
		what = "client found, but the engine does not answer"
	}
	t.Note = what + " at " + address + ": " + err.Error()
	b.adviseEngine(ctx, &t, client, address, err)
	return t
}

// adviseEngine replaces the command that installs an engine by the one that
// reaches it, where the engine is there and the way to it is not.
func (b toolbox) adviseEngine(ctx context.Context, t *Tool, client, address string, err error) {
	if errors.Is(err, fs.ErrPermission) {
		t.Install = b.installer.sudo(true) + `usermod -aG docker "$USER"` + ", then log in again"
		return
	}
	if client == "" || os.Getenv("DOCKER_HOST") != "" {
		return
	}
	// Desktop and rootless engines listen elsewhere. The client knows where by its
	// contexts, which no library and no other program reads.
	out, err := toolOutput(ctx, b.engineTimeout, client, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	other := strings.TrimSpace(out)
	// The address becomes part of a command that people paste, so that it must hold
	// nothing that a shell would act on.
	if err != nil || other == address || !strings.Contains(other, "://") || strings.ContainsAny(other, " \n\"'$`\\") {
		return
	}
	if version, err := b.askEngine(ctx, client, other); err == nil {
		t.Note += "; an engine answers at the address of the client's context (" + version.describe() + ")"
		t.Install = "export DOCKER_HOST=" + other
	}
}

// askEngine requests the version of the engine at an address. What is neither a
// Unix socket nor TCP (ssh://, npipe://) goes through the client.
func (b toolbox) askEngine(ctx context.Context, client, address string) (engineVersion, error) {
	ctx, cancel := context.WithTimeout(ctx, b.engineTimeout)
	defer cancel()
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return engineVersion{}, fmt.Errorf("DOCKER_HOST %q has no scheme: write unix:///PATH or tcp://HOST:PORT", address)
	}
	switch scheme {
	case "unix":
		return requestEngine(ctx, "http://docker", nil, func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", rest)
		})
	case "tcp", "http", "https":
		return askTCP(ctx, scheme, rest)
	}
	if client == "" {
		return engineVersion{}, fmt.Errorf("%s:// takes the docker client, which is not on PATH", scheme)
	}
	out, err := toolOutput(ctx, b.engineTimeout, client, "--host", address, "version", "--format", "{{json .Server}}")
	if err != nil {
		return engineVersion{}, err
	}
	return decodeEngine(strings.NewReader(out))
}

// askTCP speaks TLS under the conditions under which the Docker client does.
func askTCP(ctx context.Context, scheme, host string) (engineVersion, error) {
	host = strings.TrimSuffix(host, "/")
	if _, err := url.Parse("http://" + host); err != nil {
		return engineVersion{}, fmt.Errorf("DOCKER_HOST: %w", err)
	}
	var config *tls.Config
	if os.Getenv("DOCKER_TLS_VERIFY") != "" || os.Getenv("DOCKER_CERT_PATH") != "" || scheme == "https" {
		var err error
		if config, err = engineTLS(os.Getenv("DOCKER_CERT_PATH"), os.Getenv("DOCKER_TLS_VERIFY") != ""); err != nil {
			return engineVersion{}, err
		}
		return requestEngine(ctx, "https://"+host, config, nil)
	}
	return requestEngine(ctx, "http://"+host, nil, nil)
}

// engineTLS reads ca.pem, cert.pem and key.pem of a folder, ~/.docker if empty.
func engineTLS(folder string, verify bool) (*tls.Config, error) {
	if folder == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("no DOCKER_CERT_PATH: %w", err)
		}
		folder = filepath.Join(home, ".docker")
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
	if err != nil {
		return nil, fmt.Errorf("the client's certificate: %w", err)
	}
	// Without DOCKER_TLS_VERIFY the user has asked for encryption alone, as Docker
	// documents it; all that is sent is the question for a version.
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, InsecureSkipVerify: !verify}
	pem, err := os.ReadFile(filepath.Join(folder, "ca.pem"))
	if err != nil {
		if verify {
			return nil, fmt.Errorf("the certificate authority: %w", err)
		}
		return config, nil
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(folder, "ca.pem"))
	}
	return config, nil
}

// An engineDialer connects to an engine whatever address a request names; nil is
// the ordinary way, by that address.
type engineDialer func(ctx context.Context, network, address string) (net.Conn, error)

// requestEngine gets /version, by a connection that is closed afterwards. An
// engine is never behind a proxy of the environment.
func requestEngine(ctx context.Context, base string, config *tls.Config, dial engineDialer) (_ engineVersion, err error) {
	transport := &http.Transport{DialContext: dial, TLSClientConfig: config, DisableKeepAlives: true}
	client := http.Client{Transport: transport}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/version", nil)
	if err != nil {
		return engineVersion{}, err
	}
	response, err := client.Do(request)
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err // its address is the made-up one of a socket
	}
	if err != nil {
		return engineVersion{}, fmt.Errorf("GET /version: %w", err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return engineVersion{}, fmt.Errorf("GET /version: %s", response.Status)
	}
	return decodeEngine(response.Body)
}

// decodeEngine reads a version, and refuses answers of servers that are no engine.
func decodeEngine(r io.Reader) (engineVersion, error) {
	const most = 1 << 20
	var v engineVersion
	if err := json.NewDecoder(io.LimitReader(r, most)).Decode(&v); err != nil {
		return v, fmt.Errorf("the answer is not a version of an engine: %w", err)
	}
	if v.Version == "" {
		return v, errors.New("the answer is not a version of an engine: it names none")
	}
	return v, nil
}
