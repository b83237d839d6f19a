//go:build unix

package targets

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
)

// nohup(1) ignores SIGHUP for what it starts, and a run must not ask for it again.
func TestHangUpThatIsIgnoredStaysSo(t *testing.T) {
	if !signal.Ignored(syscall.SIGHUP) && !slices.Contains(endings(), os.Signal(syscall.SIGHUP)) {
		t.Error("SIGHUP does not end a run")
	}
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	if slices.Contains(endings(), os.Signal(syscall.SIGHUP)) {
		t.Error("a run under nohup asks for SIGHUP")
	}
}
