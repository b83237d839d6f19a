package container

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// runEnv makes this test binary play a run; its value is a runConfig.
const runEnv = "PERF_CONTAINER_TEST_RUN"

func TestMain(m *testing.M) {
	if status, ok := JanitorMain(os.Getenv(JanitorEnv)); ok {
		os.Exit(status)
	}
	if config := os.Getenv(runEnv); config != "" {
		if err := playRun(config); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Most of what runs side by side waits, for an engine or a time, and needs no processor.
	// More than these keep an engine on two processors so busy that it misses time limits.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	status := m.Run()
	if err := allGone(); err != nil {
		fmt.Println("FAIL: after all tests:", err)
		status = 1
	}
	os.Exit(status)
}

// runConfig says what a run does that a test starts in a process of its own.
type runConfig struct {
	Settings   Settings
	Probe      string   // file of the probe; empty: no engine is needed
	Janitor    bool     // there is one
	Containers int      // so many are created and started at once
	Args       []string // of the probe
	Announce   int      // a line tells when so many have been asked for
	Remove     string   // "": wait for the end; "dismiss", "abandon": clean up, or not
	Delete     string   // this file is removed before the janitor starts
}

// playRun is the run. It tells of itself on stdout, a line each, and ends with stdin.
func playRun(config string) error {
	var c runConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	owner, err := NewOwner(fmt.Sprintf("test-%d", os.Getpid()))
	if err != nil {
		return err
	}
	fmt.Println("owner", owner)
	if c.Delete != "" {
		if err := os.Remove(c.Delete); err != nil {
			return err
		}
	}
	if c.Probe != "" {
		if err := c.play(owner); err != nil {
			return err
		}
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func (c runConfig) play(owner Owner) error {
	ctx := context.Background()
	engine, err := Connect(ctx, c.Settings)
	if err != nil {
		return err
	}
	var janitor *Janitor
	if c.Janitor {
		if janitor, err = StartJanitor(ctx, Attribution{Owner: owner}, c.Settings, engine.Info()); err != nil {
			return err
		}
		fmt.Println("janitor", janitor.PID)
	}
	program, err := os.ReadFile(c.Probe)
	if err != nil {
		return err
	}
	image := ImageSpec{Program: program, Path: "/probe", OS: "linux", Arch: engine.Info().Arch,
		Labels: map[string]string{LabelTool: ToolName}, Name: owner.Image("probe")}
	archive, err := image.Pack()
	if err != nil {
		return err
	}
	if _, _, err := EnsureImage(ctx, engine, archive); err != nil {
		return err
	}
	if err := c.createAll(ctx, engine, owner); err != nil {
		return err
	}
	fmt.Println("created")
	switch c.Remove {
	case "dismiss":
		if _, err := RemoveRun(ctx, engine, Attribution{Owner: owner}); err != nil {
			return err
		}
		if err := janitor.Dismiss(ctx); err != nil {
			return err
		}
	case "abandon":
		janitor.Abandon()
	}
	fmt.Println("finished")
	return nil
}

// createAll creates and starts containers, all at once.
func (c runConfig) createAll(ctx context.Context, engine Engine, owner Owner) error {
	var wg sync.WaitGroup
	errs := make([]error, c.Containers)
	asked := make(chan int, c.Containers)
	for i := range c.Containers {
		wg.Go(func() {
			asked <- i
			if len(asked) == c.Announce {
				fmt.Println("asked")
			}
			id, err := engine.Create(ctx, Config{Image: owner.Image("probe"), Args: c.Args, Labels: owner.Labels(), Network: "none"})
			if err == nil {
				err = engine.Start(ctx, id)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// A playedRun is a run in a process of its own.
type playedRun struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	owner   Owner
	janitor int // process id
}

func startRun(t testing.TB, c runConfig) *playedRun {
	t.Helper()
	return startRunBy(t, selfCommand(t), c)
}

// startRunBy starts cmd, which ends up in playRun, and waits until it has told who it
// is. It is killed when the test ends, and what it leaves is removed.
func startRunBy(t testing.TB, cmd *exec.Cmd, c runConfig) *playedRun {
	t.Helper()
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), runEnv+"="+string(config))
	cmd.Stderr = os.Stderr
	r := &playedRun{cmd: cmd}
	if r.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	// Not StdoutPipe: Wait would close it, and the test wants to see its end.
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	r.out = bufio.NewReader(out)
	t.Cleanup(func() {
		_ = r.in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = out.Close()
		r.cleanUp(t, c)
	})
	if r.owner, err = ParseOwner(r.expect(t, "owner ")); err != nil {
		t.Fatal(err)
	}
	if c.Janitor {
		if _, err := fmt.Sscan(r.expect(t, "janitor "), &r.janitor); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// expect reads a line, which must begin so, and returns the rest of it.
func (r *playedRun) expect(t testing.TB, prefix string) string {
	t.Helper()
	line, err := r.out.ReadString('\n')
	rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), prefix)
	if !ok {
		t.Fatalf("the run says %q (%v), not %q", line, err, prefix)
	}
	return rest
}

// cleanUp removes what a test that failed has left.
func (r *playedRun) cleanUp(t testing.TB, c runConfig) {
	if c.Probe == "" || r.owner.Run == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	engine, err := Connect(ctx, c.Settings)
	if err != nil {
		return // a private engine that the test has ended
	}
	defer engine.Close()
	if _, err := RemoveRun(ctx, engine, Attribution{Owner: r.owner}); err != nil {
		t.Error(err)
	}
}

// left lists what the engine has of a run.
func left(t testing.TB, engine Engine, owner Owner) []Leftover {
	t.Helper()
	list, err := findRun(context.Background(), engine, Attribution{Owner: owner}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// probeFile writes the probe to a file that the runs read.
func probeFile(t testing.TB) string {
	t.Helper()
	program, err := probeBinary()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestJanitorDismissed(t *testing.T) {
	engine := realEngine(t)
	run := startRun(t, runConfig{Settings: settingsOfEnvironment(), Probe: probeFile(t), Janitor: true, Containers: 3, Remove: "dismiss"})
	run.expect(t, "created")
	run.expect(t, "finished")
	if list := left(t, engine, run.owner); len(list) > 0 {
		t.Errorf("left after success: %v", list)
	}
	if _, exists := thisHost().process(run.janitor); exists {
		t.Errorf("the janitor %d is still there after it was dismissed", run.janitor)
	}
}

func TestJanitorUnprepared(t *testing.T) {
	janitorPrepared.Store(false)
	defer janitorPrepared.Store(true)
	j, err := StartJanitor(t.Context(), Attribution{Owner: newOwner(t, "r")}, Settings{}, Info{})
	if err == nil || !strings.Contains(err.Error(), "JanitorMain") {
		t.Errorf("a program that would do its work a second time: %v, %v", j, err)
	}
}

// TestJanitorOrders reads what a run may send, and what is left of it when the run is
// killed in the middle of a line.
func TestJanitorOrders(t *testing.T) {
	owner := newOwner(t, "r")
	order, err := json.Marshal(janitorOrder{Owner: owner.String(), Sessions: []string{"s"}, Settings: Settings{Host: "unix:///x"}})
	if err != nil {
		t.Fatal(err)
	}
	var w janitorWork
	lines := bufio.NewReader(strings.NewReader(string(order) + "\nclaim abc\nclaim \nlater versions say more\nclaim de"))
	if err := w.take(lines); err != nil {
		t.Fatal(err)
	}
	if w.listen(lines) {
		t.Error("a run that was killed is taken to be done")
	}
	if len(w.claimed) != 1 || w.claimed[0] != "abc" || w.settings.Host != "unix:///x" || !w.attribution.Owner.same(owner) || w.attribution.Sessions[0] != "s" {
		t.Errorf("%+v", w)
	}
	if !w.listen(bufio.NewReader(strings.NewReader("done\n"))) {
		t.Error("a run that is done is swept after")
	}
	for _, bad := range []string{"", "{}", "{}\n", "no\n", `{"owner":"o9_x"}` + "\n"} {
		if err := w.take(bufio.NewReader(strings.NewReader(bad))); err == nil {
			t.Errorf("%q is taken for an order", bad)
		}
	}
}

func TestJanitorTold(t *testing.T) {
	j := &Janitor{}
	if err := j.Claim("a\ndone"); err == nil {
		t.Error("a claim of two lines is told")
	}
	if err := j.Claim("a"); err == nil {
		t.Error("a janitor that was dismissed takes claims")
	}
	j.Abandon() // twice is once
}
