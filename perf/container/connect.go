package container

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// connectTimeout bounds Connect: an engine that is there answers in a millisecond.
const connectTimeout = 5 * time.Second

// Settings say which engine to use. The zero value means what the docker command
// uses when nothing is set. This package reads no environment: SettingsFrom is given
// the variables that the comments name.
type Settings struct {
	Host       string // DOCKER_HOST: unix:///PATH, tcp://HOST:PORT, npipe:////./pipe/NAME
	TLSVerify  bool   // DOCKER_TLS_VERIFY is set
	CertPath   string // DOCKER_CERT_PATH: a folder with ca.pem, cert.pem and key.pem
	APIVersion string // DOCKER_API_VERSION: no negotiation; empty: the newest that both know
	Context    string // DOCKER_CONTEXT: a context of the docker command
	ConfigDir  string // DOCKER_CONFIG: empty: ~/.docker

	Timeout time.Duration // for connecting; 0: 5 s
}

// SettingsFrom reads the variables of the docker command by a function such as
// os.Getenv.
func SettingsFrom(getenv func(name string) string) Settings {
	return Settings{
		Host: getenv("DOCKER_HOST"), TLSVerify: getenv("DOCKER_TLS_VERIFY") != "", CertPath: getenv("DOCKER_CERT_PATH"),
		APIVersion: getenv("DOCKER_API_VERSION"), Context: getenv("DOCKER_CONTEXT"), ConfigDir: getenv("DOCKER_CONFIG"),
	}
}

// Named reports whether a variable names the engine or a context of the docker command.
func (s Settings) Named() bool { return s.Host != "" || s.Context != "" }

// A ConnectError says why no engine could be used. It wraps ErrUnreachable.
type ConnectError struct {
	Endpoint string // what was tried
	From     string // where that comes from, such as "DOCKER_HOST"
	Reason   string // what is wrong there
	Remedy   string // a command or an action that helps, or empty
	Err      error  // the cause
}

func (e *ConnectError) Error() string {
	s := fmt.Sprintf("no container engine at %s (%s): %s", e.Endpoint, e.From, e.Reason)
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Unwrap gives ErrUnreachable and the cause.
func (e *ConnectError) Unwrap() []error { return []error{ErrUnreachable, e.Err} }

// Connect finds the engine that the settings mean and settles the version of the
// API, from 1.41 up. It ends within the timeout of the settings, and fails with a
// *ConnectError that names the endpoint, the cause and what to do.
func Connect(ctx context.Context, s Settings) (Engine, error) {
	e, err := s.endpoint(runtime.GOOS)
	if err != nil {
		return nil, &ConnectError{Endpoint: e.host, From: e.from, Reason: err.Error(), Err: err}
	}
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = connectTimeout
	}
	if target, ok := strings.CutPrefix(e.host, "ssh://"); ok {
		err := errors.New("a connection by ssh is not made here")
		return nil, &ConnectError{Endpoint: e.host, From: e.from, Reason: err.Error(), Err: err,
			Remedy: "run ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock " + target + ", and set DOCKER_HOST=unix:///tmp/docker.sock"}
	}
	d, err := openDocker(e, s.APIVersion)
	if err != nil {
		return nil, &ConnectError{Endpoint: e.host, From: e.from, Reason: err.Error(), Err: err,
			Remedy: "write unix:///PATH, tcp://HOST:PORT or npipe:////./pipe/NAME"}
	}
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := d.identify(within); err != nil {
		if ctx.Err() != nil { // the caller gave up, which says nothing of the engine
			err = ctx.Err()
		}
		return nil, errors.Join(diagnose(e, timeout, err), d.Close())
	}
	return d, nil
}

// An endpoint is where an engine listens.
type endpoint struct {
	host string
	from string // what names it
	tls  *tls.Config
}

// isDefault says that nobody named the endpoint.
func (e endpoint) isDefault() bool { return e.from == fromDefault }

// fromDefault is where an endpoint comes from that nobody named.
const fromDefault = "the default"

func (e endpoint) local() bool { return strings.HasPrefix(e.host, "unix://") }

// endpoint resolves the settings as the docker command does: the host, then the
// context, then where an engine listens by default.
func (s Settings) endpoint(system string) (endpoint, error) {
	e := endpoint{host: s.Host, from: "DOCKER_HOST"}
	if e.host == "" {
		if found, ok, err := s.contextEndpoint(); ok || err != nil {
			return found, err
		}
		e = endpoint{host: "unix:///var/run/docker.sock", from: fromDefault}
		if system == "windows" {
			e.host = "npipe:////./pipe/docker_engine"
		}
	}
	if e.isPipe() || !s.TLSVerify && s.CertPath == "" {
		return e, nil
	}
	var err error
	e.tls, err = loadTLS(s.CertPath, s.TLSVerify)
	return e, err
}

// loadTLS reads ca.pem, cert.pem and key.pem of a folder; ~/.docker if empty.
func loadTLS(folder string, verify bool) (*tls.Config, error) {
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
	// documents it.
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, InsecureSkipVerify: !verify}
	authority := filepath.Join(folder, "ca.pem")
	pem, err := os.ReadFile(authority)
	if err != nil {
		if verify {
			return nil, fmt.Errorf("the certificate authority: %w", err)
		}
		return config, nil
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", authority)
	}
	return config, nil
}

// A dialer makes the connections to an engine, TLS included.
type dialer struct {
	endpoint endpoint
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// A dialError says why there is no connection. Its words are its own, because the
// Docker client replaces errors by whether they contain "connection refused".
type dialError struct {
	reason string
	err    error
}

func (e *dialError) Error() string { return e.reason }
func (e *dialError) Unwrap() error { return e.err }

type streamKey struct{}

// streaming marks a context as that of a stream, which the Docker client sets up
// without regard to the context.
func streaming(ctx context.Context) context.Context {
	return context.WithValue(ctx, streamKey{}, true)
}

func (d dialer) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, &dialError{reason: dialReason(err), err: err}
	}
	if ctx.Value(streamKey{}) != nil {
		// For as long as the context lives; the stream does not outlive it either.
		raw := conn
		conn = &boundConn{Conn: raw, release: context.AfterFunc(ctx, func() { _ = raw.Close() })}
	}
	if d.endpoint.tls == nil {
		return conn, nil
	}
	config := d.endpoint.tls.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(&dialError{reason: "no TLS connection: " + err.Error(), err: err}, conn.Close())
	}
	return secure, nil
}

// A boundConn is closed when its context ends.
type boundConn struct {
	net.Conn
	release func() bool
}

func (c *boundConn) Close() error {
	c.release()
	return c.Conn.Close()
}

func (c *boundConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// reasonDenied is why there is no connection to an engine of which this user may
// not ask anything.
const reasonDenied = "permission denied"

// wsaRefused is WSAECONNREFUSED, which Go does not translate on Windows.
const wsaRefused = syscall.Errno(10061)

func dialReason(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return reasonDenied
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, wsaRefused):
		return "nothing listens there"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "the connection is not accepted in time"
	}
	// The innermost cause reads best: "lookup nowhere: no such host".
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return "it cannot be reached: " + err.Error()
}
