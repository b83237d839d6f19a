//go:build unix

package measure

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// TestToolIsEndedWithItsChildren plays a tool that is a script around a program:
// the program connects to the test, and the connection must break when the tool's
// time is up.
func TestToolIsEndedWithItsChildren(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	dir := fakePath(t, map[string]string{"perf": "wraps", "inner": "connects"})
	t.Setenv("PERF_TEST_ADDRESS", listener.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := toolOutput(ctx, time.Minute, toolFile(dir, "perf"), toolFile(dir, "inner"))
		ended <- err
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want that it was cancelled", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the program within the tool lives on (%v)", err)
	}
}
