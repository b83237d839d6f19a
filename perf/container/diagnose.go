package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// errNoEngine is an answer that no Docker engine gives.
var errNoEngine = errors.New("what listens there answers, but not as a container engine")

// An apiError is an engine that is too old, or a demand for what is.
type apiError struct {
	has, needs string
	demanded   bool // by the user, whatever the engine could do
}

func (e apiError) Error() string {
	if e.demanded {
		return fmt.Sprintf("DOCKER_API_VERSION demands API %s, and %s is needed", e.has, e.needs)
	}
	return fmt.Sprintf("the engine speaks API %s, and %s is needed (Docker 20.10, Podman 4)", e.has, e.needs)
}

// diagnose turns what a failed attempt to connect returned into what is wrong and
// what helps.
func diagnose(e endpoint, timeout time.Duration, err error) error {
	c := &ConnectError{Endpoint: e.host, From: e.from, Err: err}
	var dial *dialError
	var old apiError
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("connecting to the container engine at %s: %w", e.host, err)
	case errors.As(err, &dial):
		c.Reason, c.Remedy = dial.reason, dialRemedy(host{system: runtime.GOOS, root: os.Geteuid() == 0, has: has}, e, dial)
	case isTimeout(err):
		c.Reason = fmt.Sprintf("it accepts connections, but has not answered within %v", timeout)
		c.Remedy = "see what keeps it: " + host{system: runtime.GOOS, root: os.Geteuid() == 0, has: has}.logs()
	case errors.As(err, &old) && old.demanded:
		c.Reason, c.Remedy = old.Error(), "unset DOCKER_API_VERSION"
	case errors.As(err, &old):
		c.Reason, c.Remedy = old.Error(), "upgrade the engine"
	case errors.Is(err, errNoEngine):
		c.Reason, c.Remedy = errNoEngine.Error(), "set DOCKER_HOST to where an engine listens"
	default:
		c.Reason, c.Remedy = answerReason(err)
	}
	return c
}

// answerReason explains an answer that the client could not use.
func answerReason(err error) (reason, remedy string) {
	text := err.Error()
	_, refusal, refused := strings.Cut(text, "remote error: tls: ")
	switch {
	case strings.Contains(text, "HTTP request to an HTTPS server"):
		return "what listens there wants TLS", "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with its certificates"
	case refused:
		return "it does not accept this client's certificate: " + refusal, "set DOCKER_CERT_PATH to the folder with the right ones"
	case strings.Contains(text, "is too old. Minimum supported API version"):
		return "the engine is newer than this program: " + daemonError{err}.Error(), "upgrade this program"
	case strings.Contains(text, "is too new. Maximum supported API version"):
		return "DOCKER_API_VERSION demands what the engine does not speak: " + daemonError{err}.Error(), "unset DOCKER_API_VERSION"
	}
	return errNoEngine.Error() + ": " + daemonError{err}.Error(), "set DOCKER_HOST to where an engine listens"
}

func isTimeout(err error) bool {
	var timed net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout()
}

// host is what a remedy depends on.
type host struct {
	system string
	root   bool
	has    func(program string) bool
}

func has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func (h host) sudo() string {
	if h.root {
		return ""
	}
	return "sudo "
}

// logs is the command that shows what an engine of this system says.
func (h host) logs() string {
	if h.system == "linux" && h.has("journalctl") {
		return h.sudo() + "journalctl -u docker -n 50"
	}
	return "docker info"
}

// dialRemedy is what helps where there is no connection.
func dialRemedy(h host, e endpoint, err *dialError) string {
	switch {
	case err.reason == reasonDenied && h.system == "windows":
		return "start this program as an administrator, or join the group docker-users"
	case err.reason == reasonDenied:
		return `run ` + h.sudo() + `usermod -aG docker "$USER", then log in again`
	case !e.isDefault():
		return "start the engine there, or set DOCKER_HOST to where one listens"
	case h.system == "windows":
		return "start Docker Desktop: docker desktop start"
	case h.system == "darwin" && h.has("colima"):
		return "start one: colima start"
	case h.system == "darwin":
		return "start Docker Desktop: open -a Docker"
	case !h.has("dockerd") && h.has("podman"):
		return "start one: systemctl --user start podman.socket, and set DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock"
	case !h.has("dockerd"):
		return "no engine is installed: install Docker Engine (docs.docker.com/engine/install)"
	case h.has("systemctl"):
		return "start it: " + h.sudo() + "systemctl start docker"
	}
	return "start it: " + h.sudo() + "dockerd"
}
