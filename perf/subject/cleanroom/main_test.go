package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// atEnd removes what tests share.
var atEnd []func() error

var update = flag.Bool("update", false, "write the golden files")

// TestMain lets the test binary play the subject: go test starts it with -test
// flags alone, so that any other first argument is a command of the subject.
// The steps that a test runs are processes of this binary for the same reason.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		leaveQuickly()
		os.Exit(start(os.Args, streams{os.Stdout, os.Stderr}))
	}
	status := m.Run()
	for _, f := range atEnd {
		if err := f(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// room is where a test calls the subject: its own working, temporary and cache
// directories, so that what is left behind is seen.
type room struct {
	t              *testing.T
	dir, tmp, cach string
	program        string
	env            []string
}

// newRoom is a room in which steps run as processes, engine or not.
func newRoom(t *testing.T, files map[string]string) *room {
	t.Helper()
	r := &room{t, t.TempDir(), t.TempDir(), t.TempDir(), os.Args[0], []string{"CLEANROOM_STEPS=" + stepsProcesses}}
	for name, content := range files {
		r.write(name, content)
	}
	return r
}

func (r *room) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// command prepares a call of the subject.
func (r *room) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute) // for a subject that hangs
	r.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, r.program, args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+r.tmp, "TMP="+r.tmp, "TEMP="+r.tmp, "CLEANROOM_CACHE="+r.cach, "NO_COLOR=1")
	cmd.Env = append(cmd.Env, r.env...)
	return cmd
}

// ownTemp gives the test a temporary directory of its own, as every system
// calls it, so that what is left in it is seen.
func ownTemp(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, dir)
	}
}

// call runs the subject to its end and sees that no step's directory is left.
func (r *room) call(args ...string) (stdout, stderr string, status int) {
	r.t.Helper()
	var out, complaints bytes.Buffer
	cmd := r.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	r.wantNoLeftovers()
	return out.String(), complaints.String(), cmd.ProcessState.ExitCode()
}

func (r *room) wantNoLeftovers() {
	r.t.Helper()
	left, err := filepath.Glob(filepath.Join(r.tmp, stepDirPrefix+"*"))
	if err != nil || len(left) > 0 {
		r.t.Errorf("left behind: %v, %v", left, err)
	}
}

// golden compares got with a file of testdata, which -update writes.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update writes it); got:\n%s", path, got)
	}
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		args   string
		status int
		want   string // in stdout for status 0, else in stderr
	}{
		{"--help", 0, "Usage:"},
		{"run --help", 0, "Usage:"},
		{"", 2, "a command is missing"},
		{"runn", 2, `unknown command "runn"`},
		{"run --wach", 2, "-wach"},
		{"self-test x", 2, "no operand"},
		{"validate", 2, "at least one PATH"},
		{"render", 2, "one FILE, not 0"},
		{"render a b", 2, "one FILE, not 2"},
		{"render a -var b", 2, "not NAME=VALUE"},
		{"applet rm", 2, "cat echo env"},
		{"render absent", 1, "absent"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			var out, complaints bytes.Buffer
			argv := append([]string{"cleanroom"}, strings.Fields(tc.args)...)
			status := start(argv, streams{&out, &complaints})
			text := complaints.String()
			if tc.status == 0 {
				text = out.String()
			}
			if status != tc.status || !strings.Contains(text, tc.want) {
				t.Errorf("status %d, want %d; %q does not contain %q", status, tc.status, text, tc.want)
			}
		})
	}
}

func TestRenderCommand(t *testing.T) {
	r := newRoom(t, map[string]string{"a.toml": `x = "{{.who | upper}}"` + "\n"})
	out, complaints, status := r.call("render", "a.toml", "-var", "who=me")
	if out != "x = \"ME\"\n" || status != 0 {
		t.Errorf("got %q, %q, status %d", out, complaints, status)
	}
}

func TestValidateCommand(t *testing.T) {
	r := newRoom(t, map[string]string{
		"d/good.clnrm.toml":      hello,
		"d/sub/bad.toml":         "[meta]\nname = \"x\"\n",
		"d/sub/truncated.toml":   "[meta]\nname = \"x",
		"d/.hidden/ignored.toml": "[",
		"d/notes.txt":            "[",
	})
	out, complaints, status := r.call("validate", "d")
	want := filepath.Join("d", "sub", "bad.toml") + ":1: version is missing\n" +
		filepath.Join("d", "sub", "truncated.toml") + ":2: unexpected EOF; expected '\"'\n" +
		"Validated 3 files, 2 invalid\n"
	if out != want || status != 1 {
		t.Errorf("status %d, complaints %q, got:\n%swant:\n%s", status, complaints, out, want)
	}
	if out, _, status := r.call("validate", "d/good.clnrm.toml"); status != 0 || out != "Validated 1 files, 0 invalid\n" {
		t.Errorf("status %d, got %q", status, out)
	}
}
