//go:build unix

package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"debug/elf"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// The engine, the program and its image, for all tests with containers; the first makes
// them.
var (
	testEngine = sync.OnceValues(func() (container.Engine, error) {
		return container.Connect(context.Background(), engineSettings())
	})
	staticProgram = sync.OnceValues(buildStatic)
	warmImage     = sync.OnceValue(holdImage)
)

// holdImage has the engine keep the default image while the tests run, so that not
// each of them loads it again, nor a start of the subject.
func holdImage() error {
	engine, err := testEngine()
	if err != nil {
		return err
	}
	owner, err := container.NewOwner("tests")
	if err != nil {
		return err
	}
	program, err := staticProgram()
	if err != nil {
		return err
	}
	open := func() (*os.File, error) { return os.Open(program) }
	image := &ownImage{engine: engine, open: open, name: owner.Image(imageName)}
	atEnd = append(atEnd, func() error { return image.release(context.Background()) })
	return image.ensure(context.Background(), context.Background())
}

// buildStatic returns a build of the subject that the default image can be made of:
// this test binary, which plays the subject, or a build of its own.
func buildStatic() (string, error) {
	if f, err := elf.Open(os.Args[0]); err == nil {
		static := isStatic(f)
		if f.Close(); static {
			return os.Args[0], nil
		}
	}
	dir, err := os.MkdirTemp("", "cleanroom-test-")
	if err != nil {
		return "", err
	}
	atEnd = append(atEnd, func() error { return os.RemoveAll(dir) })
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "cleanroom"), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the subject: %w\n%s", err, out)
	}
	return filepath.Join(dir, "cleanroom"), nil
}

// containers is a room whose steps run in containers.
type containers struct {
	*room
	engine container.Engine
	owner  container.Owner // whose the containers are
}

// newContainers is a room whose steps run in containers that carry the label of an
// owner of their own, in parallel with other tests. At the end none is left.
func newContainers(t *testing.T, files map[string]string) *containers {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers; left out by -short")
	}
	t.Parallel()
	engine, err := testEngine()
	if err != nil {
		testenv.Missing(t, "docker", err.Error())
	}
	program, err := staticProgram()
	if err != nil {
		testenv.Missing(t, "go", err.Error())
	}
	if err := warmImage(); err != nil {
		t.Fatal(err)
	}
	owner, err := container.NewOwner("test-" + rand.Text()[:10])
	if err != nil {
		t.Fatal(err)
	}
	c := &containers{newRoom(t, files), engine, owner}
	c.program = program
	c.env = []string{"CLEANROOM_STEPS=" + stepsContainers, container.RunEnv + "=" + owner.String()}
	t.Cleanup(func() {
		c.wantNone(owner.Run)
		// The run that has started the subject holds the image until its end.
		if err := letGo(context.Background(), engine, owner.Image(imageName)); err != nil {
			t.Errorf("remove the image: %v", err)
		}
	})
	return c
}

// of lists the containers of a run.
func (c *containers) of(run string) []container.Container {
	c.t.Helper()
	list, err := c.engine.Containers(context.Background(), container.LabelRun+"="+run)
	if err != nil {
		c.t.Fatal(err)
	}
	return list
}

// wantNone says which containers of the run are left, and removes them.
func (c *containers) wantNone(run string) {
	c.t.Helper()
	for _, left := range c.of(run) {
		c.t.Errorf("container %s is left: %s", left.Name, left.State)
		_ = c.engine.Remove(context.Background(), left.ID) // it has been reported
	}
}

// alone makes the subject believe that no run has started it, also where these tests
// are part of one.
func (c *containers) alone() *containers {
	c.env = append(c.env[:1], container.RunEnv+"=")
	return c
}

// TestMarkersInContainers holds the lines of a run in containers to a golden.
func TestMarkersInContainers(t *testing.T) {
	c := newContainers(t, markerFiles(t))
	out, complaints, status := c.call("run", "--force")
	if status != 1 || complaints != "" {
		t.Errorf("status %d, complaints %q", status, complaints)
	}
	golden(t, "run-containers.golden", scrub(out))
}

func TestSelfTestInContainers(t *testing.T) {
	c := newContainers(t, nil)
	out, complaints, status := c.call("self-test")
	if status != 0 || complaints != "" || !strings.Contains(out, "\nSteps of 5 files of 33 run in containers of clnrm-perf/subject:") ||
		!strings.Contains(out, "\nTotal: 33 tests, 33 passed, 0 failed\nOverall: ✅ ALL PASSED (") {
		t.Errorf("status %d, %q, got:\n%s", status, complaints, out)
	}
}

// TestWatchInContainers: a reload runs what was saved, in containers; the end leaves
// none.
func TestWatchInContainers(t *testing.T) {
	c := newContainers(t, map[string]string{"in/a.clnrm.toml": hello})
	r := c.start("run", "--watch", "--force", "in")
	r.until("Watching: in")
	// Somebody tidies up the engine: one run says so, the next is as before.
	if err := c.engine.RemoveImage(t.Context(), c.owner.Image(imageName)); err != nil {
		t.Fatal(err)
	}
	r.save("a.clnrm.toml", hello)
	wantInOrder(t, r.until("Test Results: "), []string{"was removed from the engine at ", "meanwhile: run again", "❌ a.clnrm.toml - FAIL ("})
	r.save("a.clnrm.toml", strings.Replace(hello, `regex = "hello"`, `regex = "bye"`, 1))
	wantInOrder(t, r.until("Test Results: "), []string{"File change detected", "Starting container with image ",
		"Container started successfully, executing command", "Command completed in ", "❌ a.clnrm.toml - FAIL ("})
	r.save("a.clnrm.toml", hello)
	wantInOrder(t, r.until("Test Results: "), []string{"Starting container with image ", "✅ a.clnrm.toml - PASS ("})
	if rest, status := r.end(syscall.SIGINT); status != 0 {
		t.Errorf("ended with status %d:\n%s", status, rest)
	}
	c.wantNone(c.owner.Run)
}

// TestInterruptedContainer: a signal at each point of a step's container ends it, and
// the service beside it, and leaves nothing.
func TestInterruptedContainer(t *testing.T) {
	for _, tc := range []struct {
		name, marker string
		sig          syscall.Signal
		status       int
		args         []string
		want         string
	}{
		{"service", "Registered service plugin", syscall.SIGINT, 1, []string{"run", "--force", "in"}, "interrupted"},
		{"create", "Starting container with image", syscall.SIGHUP, 1, []string{"run", "--force", "in"}, "interrupted"},
		{"step", "Container started successfully", syscall.SIGTERM, 1, []string{"run", "--force", "in"}, "interrupted"},
		{"watch", "Container started successfully", syscall.SIGINT, 0, []string{"run", "--force", "--watch", "in"}, "interrupted"},
		{"self-test", "selftest/template-loop", syscall.SIGINT, 1, []string{"self-test"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainers(t, map[string]string{"in/a.clnrm.toml": busyFile})
			r := c.start(tc.args...)
			r.until(tc.marker)
			if n := len(c.of(c.owner.Run)); strings.HasPrefix(tc.marker, "Container") && n != 2 {
				t.Errorf("%d containers during a step beside a service, want 2", n)
			}
			if tc.name == "self-test" { // the last file of processes is done: the containers come
				for len(c.of(c.owner.Run)) == 0 {
					if t.Context().Err() != nil {
						t.Fatal("no container has come")
					}
				}
			}
			began := time.Now()
			rest, status := r.end(tc.sig)
			if status != tc.status || !strings.Contains(rest, tc.want) || strings.Contains(rest, "Overall") {
				t.Errorf("ended with status %d:\n%s", status, rest)
			}
			t.Logf("ended %v after the signal", time.Since(began))
			c.wantNone(c.owner.Run)
		})
	}
}

// TestReaderGone: when nobody reads the lines any more, the subject ends and leaves
// nothing.
func TestReaderGone(t *testing.T) {
	steps := "[meta]\nname = \"long\"\nversion = \"1.0.0\"\n[service.db]\n{{range seq 1 1000}}[[steps]]\nname = \"s\"\ncommand = [\"true\"]\n{{end}}"
	for _, tc := range []struct {
		until string
		args  []string
	}{
		{"Container started successfully", []string{"run", "--force", "in"}},
		{"selftest/template-loop", []string{"self-test"}},
	} {
		t.Run(tc.args[0], func(t *testing.T) {
			c := newContainers(t, map[string]string{"in/a.clnrm.toml": steps})
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd := c.command(tc.args...)
			cmd.Stdout = write
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			write.Close()
			r := &running{c.room, cmd, bufio.NewScanner(read)}
			r.until(tc.until)
			read.Close()
			if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("ended with %v, want exit status 1", err)
			}
			c.wantNone(c.owner.Run)
		})
	}
}

// TestSweepsAfterKill: a subject that was killed leaves its containers; the next start
// removes them, and the image, of which the dead one held a name.
func TestSweepsAfterKill(t *testing.T) {
	c := newContainers(t, map[string]string{"in/a.clnrm.toml": busyFile, "next/a.clnrm.toml": hello}).alone()
	r := c.start("run", "--force", "in")
	r.until("Container started successfully")
	dead := ownRun(r.cmd.Process.Pid)
	// Before the kill: after it, anybody on this machine may sweep.
	if n := len(c.of(dead)); n != 2 {
		t.Fatalf("%d containers of a step beside a service, want 2", n)
	}
	r.end(syscall.SIGKILL)
	if out, complaints, status := c.call("run", "--force", "next"); status != 0 {
		t.Errorf("status %d, %q:\n%s", status, complaints, out)
	}
	c.wantNone(dead)
	images, err := c.engine.Images(t.Context(), container.LabelTool+"="+container.ToolName)
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range images {
		for _, name := range image.Names {
			if strings.HasSuffix(name, dead) {
				t.Errorf("the dead subject's name is left: %s", name)
			}
		}
	}
}

// TestRunTidiesUp: what a subject that was killed has left is the run's that started
// it, so that the run, or its janitor, finds all of it by its own mark.
func TestRunTidiesUp(t *testing.T) {
	c := newContainers(t, map[string]string{"in/a.clnrm.toml": busyFile})
	r := c.start("run", "--force", "in")
	r.until("Container started successfully")
	r.end(syscall.SIGKILL)
	swept, err := container.RemoveRun(t.Context(), c.engine, container.Attribution{Owner: c.owner})
	if err != nil || len(swept.Left) > 0 || len(swept.Removed) != 3 {
		t.Errorf("%v; left %v; removed %v, want a service, a step and the name of their image", err, swept.Left, swept.Removed)
	}
}

// TestEngineDies: an engine that goes away in the middle of a step fails the step with
// its reason, the file after it too, and the run ends.
func TestEngineDies(t *testing.T) {
	c := newContainers(t, map[string]string{"in/a.clnrm.toml": busyFile, "in/b.clnrm.toml": hello})
	p := newProxy(t, c.engine.Info().Endpoint)
	c.env = append(c.env, "DOCKER_HOST=unix://"+p.path)
	r := c.start("run", "--force", "in")
	r.until("Container started successfully")
	p.stop()
	var rest strings.Builder
	for r.lines.Scan() {
		fmt.Fprintln(&rest, r.lines.Text())
	}
	_ = r.cmd.Wait() // its status is looked at below
	if status := r.cmd.ProcessState.ExitCode(); status != 1 {
		t.Errorf("status %d", status)
	}
	wantInOrder(t, rest.String(), []string{"Test failed: in/a.clnrm.toml - step 'echo': ", p.path,
		"❌ a.clnrm.toml - FAIL", "❌ b.clnrm.toml - FAIL", "Test Results: 0 passed, 2 failed"})
	// The subject could not remove them, and does not claim to have.
	left := c.of(c.owner.Run)
	if len(left) != 2 {
		t.Errorf("%d containers are left, want the service and the step", len(left))
	}
	for _, l := range left {
		if err := c.engine.Remove(context.Background(), l.ID); err != nil {
			t.Error(err)
		}
	}
}

// otherImage loads an image that is not the default one: it has a sh, as others do.
// It is the subject again, under the name by which it is its own shell.
func (c *containers) otherImage() string {
	c.t.Helper()
	program, err := os.ReadFile(c.program)
	if err != nil {
		c.t.Fatal(err)
	}
	archive, err := container.ImageSpec{Program: program, Path: "/bin/sh", OS: runtime.GOOS, Arch: runtime.GOARCH, Name: c.owner.Image("other")}.Pack()
	if err != nil {
		c.t.Fatal(err)
	}
	if _, _, err := container.EnsureImage(c.t.Context(), c.engine, archive); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := letGo(context.Background(), c.engine, archive.Name); err != nil {
			c.t.Error(err)
		}
	})
	return archive.Name
}

// TestImageOfFile: an image that the engine has runs as it is, with its own directory
// and environment; so does another default image.
func TestImageOfFile(t *testing.T) {
	named := strings.NewReplacer("[[steps]]\n", "[[steps]]\nimage = \"{{.image}}\"\n", `["echo", "hello"]`, `["pwd ; echo hello"]`, `"hello"`, `'^/\nhello\n$'`).Replace(hello)
	c := newContainers(t, map[string]string{"a.clnrm.toml": named, "b.clnrm.toml": strings.Replace(hello, `["echo", "hello"]`, `["pwd ; echo hello"]`, 1)})
	image := c.otherImage()
	out, _, status := c.call("run", "--force", "-var", "image="+image, "a.clnrm.toml")
	if status != 0 || !strings.Contains(out, "Starting container with image "+image) {
		t.Errorf("status %d:\n%s", status, out)
	}
	c.env = append(c.env, baseVariable+"="+image)
	out, _, status = c.call("run", "--force", "b.clnrm.toml")
	if status != 0 || !strings.Contains(out, "default_image: "+image+"\n") || !strings.Contains(out, `Output: "/\nhello\n"`) {
		t.Errorf("status %d:\n%s", status, out)
	}
}

// TestContainerStepBounds: what ends a step that does not end by itself.
func TestContainerStepBounds(t *testing.T) {
	c := newContainers(t, nil)
	image := c.otherImage()
	for _, tc := range []struct {
		name, command, want string
		timeout             time.Duration
		maxOutput           int
	}{
		{"timeout", busy, "timed out after 1.5s; its container is ended", 1500 * time.Millisecond, 1 << 20},
		{"flood", "seq 1 900000000", "output is too large: more than 1000 bytes on standard output", time.Minute, 1000},
		{"complaints", "cat absent", "exit status 2: cat: openat absent: no such file or directory", time.Minute, 1000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &containerExecutor{engine: c.engine, owner: c.owner, base: image, last: t.Context(), timeout: tc.timeout, maxOutput: tc.maxOutput}
			_, err := e.runStep(t.Context(), step{command: tc.command}, func(string) {})
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			c.wantNone(c.owner.Run)
		})
	}
}

// TestServiceThatEnds: a service that is not up is an error, and its container gone.
func TestServiceThatEnds(t *testing.T) {
	c := newContainers(t, nil)
	e := &containerExecutor{engine: c.engine, owner: c.owner, base: c.otherImage(), last: t.Context(), timeout: time.Minute}
	// The other image under the name of the default one: it has no such program.
	e.own = &ownImage{engine: c.engine, name: e.base, keep: true, loaded: true}
	_, _, err := e.startService(t.Context(), service{name: "db"})
	if err == nil || !strings.HasPrefix(err.Error(), "start service db: start container ") {
		t.Errorf("got %v", err)
	}
	c.wantNone(c.owner.Run)
}

// TestHangingEngine: an engine that has stopped to answer does not keep a step that is
// asked to end, whose error says that its container may be left.
func TestHangingEngine(t *testing.T) {
	c := newContainers(t, nil)
	image := c.otherImage()
	p := newProxy(t, c.engine.Info().Endpoint)
	engine, err := container.Connect(t.Context(), container.Settings{Host: "unix://" + p.path})
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	e := &containerExecutor{engine: engine, owner: c.owner, base: image, timeout: time.Minute}
	e.last, e.done = last(ctx, 50*time.Millisecond)
	_, err = e.runStep(ctx, step{command: busy}, func(msg string) {
		if strings.HasPrefix(msg, "Container started") {
			p.hold()
			interrupt()
		}
	})
	if err == nil || !strings.HasPrefix(err.Error(), "interrupted: context canceled; tidy up: remove container ") {
		t.Errorf("got %v", err)
	}
	p.stop()
	if err := e.close(); err != nil {
		t.Error(err)
	}
	left := c.of(c.owner.Run)
	if len(left) != 1 {
		t.Errorf("%d containers are left, want the step's", len(left))
	}
	for _, l := range left {
		if err := c.engine.Remove(context.Background(), l.ID); err != nil {
			t.Error(err)
		}
	}
}

// proxy stands between the subject and an engine that must not be stopped itself.
type proxy struct {
	path     string
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
	stopped  bool
	gate     sync.RWMutex // nothing passes while it is locked
	held     bool
}

func newProxy(t *testing.T, endpoint string) *proxy {
	t.Helper()
	socket, ok := strings.CutPrefix(endpoint, "unix://")
	if !ok {
		t.Skipf("the engine is at %s, not at a socket of this machine", endpoint)
	}
	dir, err := os.MkdirTemp("", "p") // the name of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{path: filepath.Join(dir, "s")}
	if p.listener, err = net.Listen("unix", p.path); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		p.stop()
		wg.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		for {
			in, err := p.listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", socket)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.add(in, out)
			wg.Go(func() { p.copy(out, in); _ = out.(*net.UnixConn).CloseWrite() })
			wg.Go(func() { p.copy(in, out); _ = in.Close() })
		}
	})
	return p
}

// copy hands on what arrives, until the end or an error of either side.
func (p *proxy) copy(to io.Writer, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.gate.RLock()
		_, werr := to.Write(buf[:n])
		p.gate.RUnlock()
		if err != nil || werr != nil {
			return
		}
	}
}

// hold lets nothing pass any more.
func (p *proxy) hold() {
	p.gate.Lock()
	p.held = true
}

func (p *proxy) add(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conns...)
	if p.stopped {
		for _, c := range conns {
			_ = c.Close()
		}
	}
}

// stop ends all connections, and no new one is accepted.
func (p *proxy) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	_ = p.listener.Close()
	for _, c := range p.conns {
		_ = c.Close()
	}
	if p.held { // what it has held up goes nowhere
		p.held = false
		p.gate.Unlock()
	}
}
