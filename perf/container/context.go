package container

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// This file reads the contexts of the docker command. No client library does, and
// with Docker Desktop, Colima or a rootless engine the context is the only thing that
// says where the engine listens.

// contextEndpoint finds the endpoint of the context that the settings name, or that
// the docker command uses without being told. There may be none: ok is false.
func (s Settings) contextEndpoint() (_ endpoint, ok bool, err error) {
	dir := s.ConfigDir
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return endpoint{}, false, nil //nolint:nilerr // no home, so no contexts
		}
		dir = filepath.Join(home, ".docker")
	}
	name, from := s.Context, "DOCKER_CONTEXT"
	if name == "" {
		if name, err = currentContext(dir); err != nil {
			return endpoint{host: "the current context", from: dir}, false, err
		}
		from = "the docker command's current context"
	}
	if name == "" || name == "default" {
		return endpoint{}, false, nil
	}
	e, err := readContext(dir, name)
	e.from = fmt.Sprintf("%s, %q", from, name)
	return e, true, err
}

// currentContext is what "docker context use" has set, or empty.
func currentContext(dir string) (string, error) {
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil {
		return "", fmt.Errorf("reading %s for the current context: %w", path, err)
	}
	return config.CurrentContext, nil
}

// readContext reads a context as the docker command stores it, in a folder called by
// the SHA-256 of the name.
func readContext(dir, name string) (endpoint, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	path := filepath.Join(dir, "contexts", "meta", id, "meta.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return endpoint{host: "context " + name}, errors.New(`there is no such context: "docker context ls" lists them`)
	}
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &meta)
	}
	docker := meta.Endpoints["docker"]
	if err == nil && docker.Host == "" {
		err = errors.New("it names no host")
	}
	if err != nil {
		return endpoint{host: "context " + name}, fmt.Errorf("reading %s: %w", path, err)
	}
	e := endpoint{host: docker.Host}
	certificates := filepath.Join(dir, "contexts", "tls", id, "docker")
	if _, err := os.Stat(certificates); err == nil && !e.isPipe() {
		e.tls, err = loadTLS(certificates, !docker.SkipTLSVerify)
		return e, err
	}
	return e, nil
}

// isPipe says that the endpoint is one of this machine, where TLS is of no use.
func (e endpoint) isPipe() bool {
	return strings.HasPrefix(e.host, "unix://") || strings.HasPrefix(e.host, "npipe://")
}
