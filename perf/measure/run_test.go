package measure_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// run runs c, which must start.
func run(t testing.TB, c measure.Command) measure.Run {
	t.Helper()
	r, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExitStatus(t *testing.T) {
	r := run(t, role("exit", "3", "first", "last words"))
	if r.ExitCode != 3 || r.Signal != "" || r.TimedOut {
		t.Errorf("got status %d, signal %q, timed out %v; want 3", r.ExitCode, r.Signal, r.TimedOut)
	}
	var f *measure.Failure
	if err := r.Err(); !errors.As(err, &f) {
		t.Fatalf("Err() = %v, want a *Failure", err)
	}
	text := f.Error()
	for _, want := range []string{r.Args[0], "exit status 3", "first", "last words"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
	if err := run(t, role("exit", "0")).Err(); err != nil {
		t.Errorf("exit status 0 is a failure: %v", err)
	}
}

func TestTimes(t *testing.T) {
	before := time.Now()
	r := run(t, role("burn", "60"))
	passed := time.Since(before)
	if r.Wall < 60*time.Millisecond || r.Wall > passed {
		t.Errorf("wall %v, want 60ms to %v", r.Wall, passed)
	}
	// The child goes on until it has used 60 ms, however busy the machine is.
	if r.CPU() < 60*time.Millisecond || r.CPU() > time.Duration(runtime.NumCPU())*r.Wall {
		t.Errorf("CPU time %v in %v of burning", r.CPU(), r.Wall)
	}
	if r.Start.Before(before) || r.Start.After(before.Add(passed)) {
		t.Errorf("started at %v, not after %v", r.Start, before)
	}
}

func TestStartErrors(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("no program\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		c    measure.Command
		is   error
		says string
	}{
		{"empty", measure.Command{}, nil, "empty"},
		{"not on PATH", measure.Command{Args: []string{"no-such-program-here", "x"}}, exec.ErrNotFound, "no-such-program-here x"},
		{"no such file", measure.Command{Args: []string{filepath.Join(dir, "absent")}}, fs.ErrNotExist, "absent"},
		{"no such directory", func() measure.Command {
			c := role("exit", "0")
			c.Dir = filepath.Join(dir, "nowhere")
			return c
		}(), fs.ErrNotExist, "working directory"},
		{"directory is a file", func() measure.Command {
			c := role("exit", "0")
			c.Dir = plain
			return c
		}(), nil, "not a directory"},
	}
	if runtime.GOOS != "windows" {
		refused := tests[0]
		refused.is = fs.ErrPermission
		refused.name, refused.c, refused.says = "not executable", measure.Command{Args: []string{plain}}, "chmod +x"
		tests = append(tests, refused)
		refused.name, refused.c, refused.says = "root directory", measure.Command{Args: []string{"/"}}, "it is a directory"
		tests = append(tests, refused)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, runErr := test.c.Run(t.Context())
			_, memErr := test.c.RunMemory(t.Context())
			for _, err := range []error{runErr, memErr} {
				var start *measure.StartError
				if !errors.As(err, &start) || start.Remedy == "" {
					t.Fatalf("got %v, want a *StartError with a remedy", err)
				}
				if test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("%v is not %v", err, test.is)
				}
				if !strings.Contains(err.Error(), test.says) {
					t.Errorf("%q does not say %q", err, test.says)
				}
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	for _, name := range []string{"hang", "stubborn"} {
		t.Run(name, func(t *testing.T) {
			c := role(name)
			c.Timeout, c.Grace = 300*time.Millisecond, 100*time.Millisecond
			r := run(t, c)
			if !r.TimedOut || r.Wall < c.Timeout {
				t.Errorf("timed out %v after %v, want after %v", r.TimedOut, r.Wall, c.Timeout)
			}
			if err := r.Err(); err == nil || !strings.Contains(err.Error(), "timed out after 300ms") {
				t.Errorf("Err() = %v", err)
			}
			if len(r.LeftBehind) > 0 {
				t.Errorf("left behind %q", r.LeftBehind)
			}
		})
	}
}

func TestContextEndsRun(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the user pressed a key")
	c := role("hang")
	c.OnOutput = func(int, []byte, time.Time) { cancel(cause) }
	r, err := c.Run(ctx)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("got %v, want context.Canceled because of %v", err, cause)
	}
	if string(r.Output) != "ready\n" || r.Wall == 0 {
		t.Errorf("what was seen is lost: %q in %v", r.Output, r.Wall)
	}
}

func TestEndedContextStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		r, err := role("exit", "0").Run(ctx)
		if !errors.Is(err, context.Canceled) || !r.Start.IsZero() {
			t.Fatalf("got %v, start %v; want context.Canceled and no start", err, r.Start)
		}
	}
}

func TestContextEndsWaitForTurn(t *testing.T) {
	running := make(chan struct{})
	var once sync.Once
	hold, release := context.WithCancel(t.Context())
	c := role("hang")
	c.OnOutput = func(int, []byte, time.Time) { once.Do(func() { close(running) }) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.Run(hold)
	}()
	<-running
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := role("exit", "0").Run(ctx) // would hang for an hour behind the other
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
	release()
	<-done
}

func TestOutput(t *testing.T) {
	c := role("streams")
	seen := map[int]string{}
	c.OnOutput = func(stream int, p []byte, at time.Time) {
		if at.IsZero() {
			t.Error("output without a time")
		}
		seen[stream] += string(p)
	}
	r := run(t, c)
	if seen[measure.Stdout] != "out" || seen[measure.Stderr] != "err" {
		t.Errorf("hook saw %v", seen)
	}
	if r.OutputBytes != 6 || len(r.Output) != 6 {
		t.Errorf("kept %q of %d bytes", r.Output, r.OutputBytes)
	}
	if r := run(t, role("stdin")); string(r.Output) != "0 bytes, <nil>" {
		t.Errorf("standard input is not empty: %s", r.Output)
	}
}

func TestFloodIsBounded(t *testing.T) {
	size := 1 << 30
	if testing.Short() {
		size = 1 << 26
	}
	c := role("flood", itoa(size))
	c.KeepOutput = 1000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := run(t, c)
	runtime.ReadMemStats(&after)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if r.OutputBytes != int64(size) || len(r.Output) != 1000 {
		t.Fatalf("kept %d of %d bytes, want 1000 of %d", len(r.Output), r.OutputBytes, size)
	}
	last := strings.TrimLeft(string(r.Output[1000-16:]), "0")
	if last != itoa(size)+"\n" {
		t.Errorf("the last line is %q", last)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("allocated %d bytes", grown)
	}
}

func TestDirAndEnvironment(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(childEnv, "where")
	t.Setenv("MEASURE_TEST_WORD", "inherited")
	c := measure.Command{Args: role("where").Args, Dir: dir}
	if got, want := string(run(t, c).Output), dir+"\n"+dir+"\ninherited\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// Without GOCOVERDIR, a child that is built with -cover complains on its output.
	c.Env = []string{childEnv + "=where", "MEASURE_TEST_WORD=given", "SYSTEMROOT=" + os.Getenv("SYSTEMROOT"), "GOCOVERDIR=" + t.TempDir()}
	if got, want := string(run(t, c).Output), dir+"\n\ngiven\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunsDoNotOverlap(t *testing.T) {
	const n = 8
	runs := make([]measure.Run, n)
	var wg sync.WaitGroup
	for i := range runs {
		wg.Go(func() {
			r, err := role("exit", itoa(i)).Run(t.Context())
			if err != nil {
				t.Error(err)
			}
			runs[i] = r
		})
	}
	wg.Wait()
	for i, a := range runs {
		if a.ExitCode != i {
			t.Errorf("run %d got status %d", i, a.ExitCode)
		}
		for j, b := range runs {
			if i != j && !a.Start.After(b.Start) && a.Start.Add(a.Wall).After(b.Start) {
				t.Errorf("runs %d and %d overlap", i, j)
			}
		}
	}
}
