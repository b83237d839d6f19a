package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// A netns is the network namespace of a container, entered by one thread of this
// process (network_namespaces(7)): a socket belongs to the namespace of the thread that
// makes it, and stays there.
type netns struct {
	asked  chan dialRequest
	closed chan struct{}
}

type dialRequest struct {
	ctx     context.Context
	address string
	answer  chan<- dialAnswer
}

type dialAnswer struct {
	conn net.Conn
	err  error
}

// enterNetns enters the network namespace of a process of a container; it takes the
// rights of root. Close it to have the thread back.
func enterNetns(pid int, id string) (*netns, error) {
	// Where this program runs in a container itself, the process of that number can be
	// another one.
	if _, err := findCgroup("/", pid, id); err != nil {
		return nil, err
	}
	target, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, fmt.Errorf("its network namespace: %w", err)
	}
	n := &netns{asked: make(chan dialRequest), closed: make(chan struct{})}
	entered := make(chan error)
	go n.serve(target, entered)
	if err := <-entered; err != nil {
		return nil, fmt.Errorf("entering its network namespace: %w", err)
	}
	return n, nil
}

// serve connects on behalf of others from inside of the namespace.
func (n *netns) serve(target *os.File, entered chan<- error) {
	runtime.LockOSThread()
	own, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err == nil {
		if err = unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
			err = errors.Join(err, own.Close())
		}
	}
	err = errors.Join(err, target.Close())
	entered <- err
	if err != nil {
		runtime.UnlockOSThread() // it is where it was
		return
	}
	n.answer()
	back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET)
	_ = own.Close() // read only
	if back == nil {
		runtime.UnlockOSThread()
	}
	// Else the thread ends with this goroutine, as it is locked to it.
}

func (n *netns) answer() {
	for {
		select {
		case r := <-n.asked:
			// By a literal address the dialer makes its socket in the goroutine that calls it.
			conn, err := dialHere(r.ctx, r.address)
			r.answer <- dialAnswer{conn, err}
		case <-n.closed:
			return
		}
	}
}

// dial connects from inside of the namespace to an address with a literal IP.
func (n *netns) dial(ctx context.Context, address string) (net.Conn, error) {
	answer := make(chan dialAnswer, 1)
	n.asked <- dialRequest{ctx, address, answer}
	a := <-answer // dialing ends with ctx
	return a.conn, a.err
}

// close gives the thread back. It must not be called while dial runs.
func (n *netns) close() { close(n.closed) }
