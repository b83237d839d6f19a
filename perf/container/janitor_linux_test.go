package container

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// A privateEngine is a dockerd of the test's own, which may be killed.
type privateEngine struct {
	dockerd, dir string
	cmd          *exec.Cmd
	log          *os.File
}

func newPrivateEngine(t *testing.T) *privateEngine {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a dockerd of its own, and waits for a janitor")
	}
	if os.Getuid() != 0 {
		testenv.Missing(t, "root", "dockerd takes root")
	}
	p := &privateEngine{dockerd: testenv.Tool(t, "dockerd")}
	// Short, as the path of a socket has 108 bytes at most.
	var err error
	if p.dir, err = os.MkdirTemp("", "pe"); err != nil {
		t.Fatal(err)
	}
	if p.log, err = os.Create(filepath.Join(p.dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.remove(t) })
	return p
}

func (p *privateEngine) settings() Settings {
	return Settings{Host: "unix://" + filepath.Join(p.dir, "s"), Timeout: 5 * time.Second}
}

func (p *privateEngine) start(t *testing.T) Engine {
	t.Helper()
	// The configuration of the machine's own engine is not for this one.
	config := filepath.Join(p.dir, "config")
	if err := os.WriteFile(config, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(p.dockerd, "--config-file="+config, "--host=unix://"+filepath.Join(p.dir, "s"), "--data-root="+filepath.Join(p.dir, "data"),
		"--exec-root="+filepath.Join(p.dir, "exec"), "--pidfile="+filepath.Join(p.dir, "pid"),
		"--bridge=none", "--iptables=false", "--storage-driver=vfs")
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// In a network of its own: an engine that is told to have no bridge removes the machine's
	// docker0 when it starts, which another engine needs.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWNET}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var engine Engine
	waitFor(t, "an engine of our own", 2*time.Minute, func() bool {
		e, err := Connect(context.Background(), p.settings())
		engine = e
		return err == nil
	})
	t.Cleanup(func() { engine.Close() })
	return engine
}

// stop ends dockerd as a signal says, and waits for it.
func (p *privateEngine) stop(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	_ = p.cmd.Wait()
	p.cmd = nil
}

// endContainerd ends the containerd that dockerd had started, by its own notes, and waits
// for it: a new dockerd that meets it dying waits for it in vain.
func (p *privateEngine) endContainerd(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, "exec/containerd/containerd.pid"))
	if err != nil {
		return // it has ended, and taken the note along
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGTERM)
		waitFor(t, "the end of containerd", time.Minute, func() bool { return syscall.Kill(pid, 0) != nil })
	}
}

// remove ends what the engine started, by its own notes, and removes its folders.
func (p *privateEngine) remove(t *testing.T) {
	if t.Failed() {
		log, _ := os.ReadFile(p.log.Name())
		lines := strings.Split(string(log), "\n")
		t.Logf("dockerd: %s", strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	p.stop(t, syscall.SIGTERM)
	_ = p.log.Close()
	p.endContainerd(t)
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for _, line := range strings.Split(string(mounts), "\n") {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], p.dir+"/") {
			_ = syscall.Unmount(f[1], syscall.MNT_DETACH)
		}
	}
	if err := os.RemoveAll(p.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// refuse stands in for an engine that is gone until somebody has looked for it n times.
func (p *privateEngine) refuse(t *testing.T, n int) {
	t.Helper()
	path := filepath.Join(p.dir, "s")
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // SIGKILL has left it
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // which removes it
	if err := l.SetDeadline(time.Now().Add(JanitorLimit)); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		conn, err := l.Accept()
		if err != nil {
			t.Fatalf("nobody has looked for the engine more than %d times: %v", i, err)
		}
		_ = conn.Close()
	}
}

// TestJanitorEngineReturns kills engine and run; the engine comes back when the janitor has
// not found it a few times.
func TestJanitorEngineReturns(t *testing.T) {
	t.Parallel()
	p := newPrivateEngine(t)
	p.start(t)
	run := startRun(t, runConfig{Settings: p.settings(), Probe: probeFile(t), Janitor: true, Containers: 3})
	run.expect(t, "created")
	p.stop(t, syscall.SIGKILL)
	if err := run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, run.out)
	began := time.Now()
	p.refuse(t, 3)
	p.endContainerd(t)
	engine := p.start(t)
	waitFor(t, "the end of the janitor", JanitorLimit, func() bool {
		_, exists := thisHost().process(run.janitor)
		return !exists
	})
	t.Logf("the janitor left %.1f s after the run", time.Since(began).Seconds())
	if list := left(t, engine, run.owner); len(list) > 0 {
		t.Errorf("left: %v", list)
	}
}

// TestJanitorEngineGone has an engine that does not come back: the janitor gives up.
func TestJanitorEngineGone(t *testing.T) {
	t.Parallel()
	p := newPrivateEngine(t)
	p.start(t)
	run := startRun(t, runConfig{Settings: p.settings(), Probe: probeFile(t), Janitor: true})
	run.expect(t, "created")
	p.stop(t, syscall.SIGTERM)
	if err := run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	waitFor(t, "the end of the janitor", JanitorLimit+time.Second, func() bool {
		_, exists := thisHost().process(run.janitor)
		return !exists
	})
	if d := time.Since(began); d < janitorBudget/2 {
		t.Errorf("the janitor gave up after %v", d)
	}
}
