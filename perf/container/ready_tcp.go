package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A dialFunc connects to an address, from this process's network or another.
type dialFunc func(ctx context.Context, address string) (net.Conn, error)

// A route is one way to the port of a container.
type route struct {
	dial    dialFunc
	address string
}

// connectPatience bounds one attempt to connect: the kernel accepts at once for what
// listens, and an address that is not reached from here at all must not keep the others
// waiting.
const connectPatience = 500 * time.Millisecond

func dialHere(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// checkPortFree sees to it that a container in the host's network is not taken for
// ready because something else listens on its port.
func (l *lifecycle) checkPortFree(ctx context.Context) error {
	if l.spec.Ready.Kind != ReadyTCP || l.spec.Config.Network != "host" || !l.engine.Info().SharesClock {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	conn, err := dialHere(ctx, l.loopback("127.0.0.1"))
	if err != nil {
		return nil // that nothing answers is what is hoped for
	}
	_ = conn.Close() // nothing was written
	return fmt.Errorf("port %d of this machine answers before the container is started, so that an answer would say nothing: end what listens there, or use another network", l.spec.Ready.Port)
}

func (l *lifecycle) loopback(host string) string {
	return net.JoinHostPort(host, strconv.Itoa(l.spec.Ready.Port))
}

// checkTCP finds the ways to the container's port: from this machine by the container's
// own address, and inside of its network namespace, where a service is seen too that
// listens on the loopback interface alone. A published port is none: there the engine's
// proxy accepts before the program does.
func (l *lifecycle) checkTCP(ctx context.Context) (check, func(), error) {
	routes, end, err := l.routes(ctx)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context) (string, error) {
		var missing []string
		for _, r := range routes {
			connected, err := l.greet(ctx, r)
			if err == nil {
				return "", nil
			}
			missing = append(missing, fmt.Sprintf("%s: %s", r.address, greetReason(err)))
			if connected {
				break // it is the program, and each question costs it as much as a client does
			}
		}
		return "port " + strconv.Itoa(l.spec.Ready.Port) + " does not answer (" + strings.Join(missing, "; ") + ")", nil
	}, end, nil
}

func (l *lifecycle) routes(ctx context.Context) (_ []route, end func(), err error) {
	shared := l.engine.Info().SharesClock
	if l.spec.Config.Network == "host" && shared {
		return []route{{dialHere, l.loopback("127.0.0.1")}, {dialHere, l.loopback("::1")}}, func() {}, nil
	}
	c, err := l.engine.Container(ctx, l.id)
	if err != nil {
		return nil, nil, err
	}
	var routes []route
	for _, address := range c.Addresses {
		routes = append(routes, route{dialHere, l.loopback(address)})
	}
	noWay := errors.New("the engine runs under another kernel than this program")
	if shared {
		var inside *netns
		if inside, noWay = enterNetns(c.PID, c.ID); noWay == nil {
			routes = append(routes, route{inside.dial, l.loopback("127.0.0.1")}, route{inside.dial, l.loopback("::1")})
			return routes, inside.close, nil
		}
	}
	if len(routes) == 0 {
		return nil, nil, fmt.Errorf("port %d of a container with network %q cannot be reached from here, and neither can its network namespace be entered (%w): use exec:COMMAND or log:REGEX",
			l.spec.Ready.Port, l.spec.Config.Network, noWay)
	}
	return routes, func() {}, nil
}

// greet connects, and where the readiness has a greeting, waits for an answer. It waits
// as long as ctx lasts: a server on a busy machine that is asked again, before it has
// answered, has two to answer, and never catches up.
func (l *lifecycle) greet(ctx context.Context, r route) (connected bool, err error) {
	dialing, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	conn, err := r.dial(dialing, r.address)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if l.spec.Ready.Hello == "" {
		return true, nil
	}
	return true, exchange(ctx, conn, l.spec.Ready)
}

// exchange sends the greeting and judges the answer.
func exchange(ctx context.Context, conn net.Conn, r Ready) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // long past
	defer stop()
	if _, err := io.WriteString(conn, r.Hello); err != nil {
		return err
	}
	// What a server has to say first fits into one packet.
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	switch {
	case n == 0 && err == nil, errors.Is(err, io.EOF):
		return errors.New("it accepts the connection, and ends it without an answer")
	case n == 0:
		return err
	case r.Busy != "" && strings.Contains(string(answer[:n]), r.Busy):
		return errors.New("it answers that it is not ready yet")
	}
	return nil
}

// greetReason says in a few words why there is no answer.
func greetReason(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, wsaRefused):
		return "nothing listens"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err.Error()
}
