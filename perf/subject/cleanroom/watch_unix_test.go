//go:build unix

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// running is a subject that a test talks with by files, signals and its lines.
type running struct {
	*room
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func (r *room) start(args ...string) *running {
	r.t.Helper()
	cmd := r.command(args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	// Tests that run under nohup(1) hand its ignored SIGHUP on, unless they catch it.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	return &running{r, cmd, bufio.NewScanner(out)}
}

// until reads lines up to the first that contains marker and returns them. The
// test's own deadline ends it when there is none.
func (r *running) until(marker string) string {
	r.t.Helper()
	var seen strings.Builder
	for r.lines.Scan() {
		fmt.Fprintln(&seen, r.lines.Text())
		if strings.Contains(r.lines.Text(), marker) {
			return seen.String()
		}
	}
	r.t.Fatalf("ended without %q: %v; got:\n%s", marker, r.lines.Err(), &seen)
	return ""
}

// save renames a finished file into the watched directory, which is one event.
func (r *running) save(name, content string) {
	r.t.Helper()
	r.write("outside/"+name, content)
	if err := os.Rename(filepath.Join(r.dir, "outside", name), filepath.Join(r.dir, "in", name)); err != nil {
		r.t.Fatal(err)
	}
}

// end sends sig and returns the lines that came after it and the exit status.
func (r *running) end(sig os.Signal) (rest string, status int) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
	var seen strings.Builder
	for r.lines.Scan() {
		fmt.Fprintln(&seen, r.lines.Text())
	}
	_ = r.cmd.Wait() // its status is what the caller looks at
	return seen.String(), r.cmd.ProcessState.ExitCode()
}

func TestWatch(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			watchThrough(t, sig)
		})
	}
}

func watchThrough(t *testing.T, sig os.Signal) {
	r := newRoom(t, map[string]string{"in/a.clnrm.toml": hello}).start("run", "--watch", "--force", "in")
	first := r.until("Watching: in")
	if !strings.Contains(first, "All tests passed!") {
		t.Errorf("the first run does not come before the ready line:\n%s", first)
	}
	order := []string{"File change detected: [\"in/a.clnrm.toml\"]", "Rerunning tests...", "Rendered a.clnrm.toml (",
		"Found 1 test file(s) to execute", "Successfully loaded cleanroom config with default_image: "}
	failing := strings.Replace(hello, `regex = "hello"`, `regex = "bye"`, 1)
	for _, tc := range []struct {
		content string
		marks   []string
		last    string
	}{
		{failing, []string{"Test failed: in/a.clnrm.toml - ", "❌ a.clnrm.toml - FAIL (", "Test Results: 0 passed, 1 failed"}, "Test run failed: ValidationError: 1 test(s) failed"},
		{hello, []string{"Test passed: in/a.clnrm.toml", "✅ a.clnrm.toml - PASS (", "Test Results: 1 passed, 0 failed"}, "All tests passed!"},
		{hello, nil, "All tests passed!"},
	} {
		r.save("a.clnrm.toml", tc.content)
		got := r.until(tc.last)
		wantInOrder(t, got, append(order[:len(order):len(order)], tc.marks...))
		if n := strings.Count(got, "File change detected"); n != 1 {
			t.Errorf("%d reruns for one rename:\n%s", n, got)
		}
	}
	r.write("in/new/b.clnrm.toml", hello) // a directory that comes later is run, and watched, too
	r.until("Found 2 test file(s)")
	if rest, status := r.end(sig); status != 0 {
		t.Errorf("ended with status %d:\n%s", status, rest)
	}
	r.wantNoLeftovers()
}

func wantInOrder(t *testing.T, text string, marks []string) {
	t.Helper()
	rest := text
	for _, m := range marks {
		_, after, ok := strings.Cut(rest, m)
		if !ok {
			t.Errorf("%q is missing, or not in its place:\n%s", m, text)
			return
		}
		rest = after
	}
}

// busyFile keeps a service and a step up until somebody ends them.
var busyFile = strings.NewReplacer(`["echo", "hello"]`, `["`+busy+`"]`, "[[steps]]", "[service.db]\n\n[[steps]]").Replace(hello)

// TestInterruptedStep: a signal during a step that would not end by itself ends
// the run, the step and the service, and leaves nothing.
func TestInterruptedStep(t *testing.T) {
	for _, args := range [][]string{{"run", "--force", "in"}, {"run", "--force", "--watch", "in"}} {
		r := newRoom(t, map[string]string{"in/a.clnrm.toml": busyFile}).start(args...)
		seen := r.until("Process started successfully, executing command")
		if left, _ := filepath.Glob(filepath.Join(r.tmp, stepDirPrefix+"*")); len(left) != 2 {
			t.Errorf("%d directories during a step beside a service, want 2", len(left))
		}
		rest, status := r.end(syscall.SIGTERM)
		want := 1
		if len(args) == 4 {
			want = 0 // a watch is ended in no other way
		}
		if status != want || !strings.Contains(rest, "interrupted") {
			t.Errorf("%q ended with status %d:\n%s", args, status, rest)
		}
		r.wantNoLeftovers()
		wantEnded(t, handle(t, seen))
	}
}

// handle returns the process id of the service in the lines of a run.
func handle(t *testing.T, lines string) (pid int) {
	t.Helper()
	_, after, _ := strings.Cut(lines, "(handle: process-")
	if _, err := fmt.Sscanf(after, "%d)", &pid); err != nil {
		t.Fatalf("no handle in:\n%s", lines)
	}
	return pid
}

func wantEnded(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("process %d is still there: %v", pid, err)
	}
}
