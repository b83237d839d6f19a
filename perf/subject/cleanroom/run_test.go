package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// scrub replaces what differs from run to run: times, durations, processes.
func scrub(out string) string {
	for _, s := range []struct{ expr, to string }{
		{`(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\b`, "TIME"},
		{`\d+ms\b`, "Nms"},
		{`process-\d+`, "process-N"},
		{`container-[0-9a-f]{12}`, "container-ID"},
		{`clnrm-perf/subject:\S+`, "clnrm-perf/subject:OWNER"},
		{`\((Docker|Podman) \S+ at \S+\)`, "(ENGINE)"},
		{`engine at [^\s,]+`, "engine at ENDPOINT"},
	} {
		out = regexp.MustCompile(s.expr).ReplaceAllString(out, s.to)
	}
	return out
}

// markerFiles are the test files whose lines the goldens hold.
func markerFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{"a-passes", "b-fails", "c-broken", "d-template", "e-image", "f-service"} {
		text, err := os.ReadFile(filepath.Join("testdata", "run", name+suffix))
		if err != nil {
			t.Fatal(err)
		}
		files[name+suffix] = string(text)
	}
	return files
}

// TestMarkers holds the lines of a run, and their order, to a golden: drivers
// read them.
func TestMarkers(t *testing.T) {
	r := newRoom(t, markerFiles(t))
	out, complaints, status := r.call("run", "--force")
	if status != 1 || complaints != "" {
		t.Errorf("status %d, complaints %q", status, complaints)
	}
	golden(t, "run.golden", scrub(out))
}

func TestRunFinds(t *testing.T) {
	r := newRoom(t, map[string]string{
		"a.clnrm.toml": hello, "b.toml": hello, "sub/c.clnrm.toml": hello, ".git/d.clnrm.toml": hello, "e.txt": hello,
	})
	r.write("empty/readme", "")
	r.write("huge.toml", strings.Repeat("# no test file is so large\n", maxSource/27+1))
	r.write("binary.toml", "\xff\xfe")
	for _, tc := range []struct {
		args   string
		status int
		want   string
	}{
		{"run --force", 0, "Found 2 test file(s)"},
		{"run --force .", 1, "Found 5 test file(s)"},
		{"run --force b.toml e.txt", 0, "Found 2 test file(s)"},
		{"run sub --force", 0, "All tests passed!"},
		{"run --force empty", 1, "Test run failed: empty: no test file (*.toml) here or below"},
		{"run --force sub absent", 1, "Test run failed: lstat absent: "},
		{"run --force huge.toml", 1, "huge.toml: larger than 1048576 bytes"},
		{"run --force binary.toml", 1, "binary.toml: not UTF-8"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			out, complaints, status := r.call(strings.Fields(tc.args)...)
			if status != tc.status || !strings.Contains(out, tc.want) || complaints != "" {
				t.Errorf("status %d, want %d and %q; complaints %q; got:\n%s", status, tc.status, tc.want, complaints, out)
			}
		})
	}
}

func TestCache(t *testing.T) {
	r := newRoom(t, map[string]string{"a.clnrm.toml": hello, "b.clnrm.toml": hello})
	const hit = "✅ All scenarios unchanged (cache hit)"
	run := func(want string, wantStatus int, args ...string) {
		t.Helper()
		out, _, status := r.call(append([]string{"run"}, args...)...)
		if status != wantStatus || !strings.Contains(out, want) {
			t.Errorf("status %d, want %d and %q; got:\n%s", status, wantStatus, want, out)
		}
	}
	run("Running 2 scenario(s)", 0)
	run(hit, 0)
	run("Running 2 scenario(s)", 0, "--force")
	r.write("b.clnrm.toml", hello+"# changed\n")
	run("Running 1 scenario(s)", 0)
	run(hit, 0)
	r.write("b.clnrm.toml", strings.Replace(hello, `regex = "hello"`, `regex = "bye"`, 1))
	run("Test Results: 0 passed, 1 failed", 1)
	run("Test Results: 0 passed, 1 failed", 1) // a failure is never remembered
	r.write("b.clnrm.toml", hello)
	run("Running 1 scenario(s)", 0)
	entries, err := filepath.Glob(filepath.Join(r.cach, "*"))
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	if err := os.WriteFile(entries[0], []byte("half an en"), 0o644); err != nil {
		t.Fatal(err)
	}
	run("Running 1 scenario(s)", 0)
}

// TestCacheUnwritable: a cache that cannot be written costs a warning.
func TestCacheUnwritable(t *testing.T) {
	r := newRoom(t, map[string]string{"a.clnrm.toml": hello, "file": ""})
	r.cach = filepath.Join(r.dir, "file")
	out, _, status := r.call("run")
	if status != 0 || !strings.Contains(out, " WARN cleanroom::run: The cache was not written: ") {
		t.Errorf("status %d, got:\n%s", status, out)
	}
}

// busy never ends by itself within the time of a test, and does not sleep.
const busy = "seq 1 900000000000 | grep -c ^x"

// testExecutor is the real one with bounds that a test can reach.
func testExecutor(t *testing.T) *processExecutor {
	t.Helper()
	ownTemp(t)
	ex, err := newProcessExecutor("")
	if err != nil {
		t.Fatal(err)
	}
	return ex
}

func TestStepBounds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	for _, tc := range []struct {
		name, command, want string
		change              func(*processExecutor)
		stage               func(string)
	}{
		{name: "timeout", command: busy, want: "timed out after 50ms", change: func(e *processExecutor) { e.timeout = 50 * time.Millisecond }},
		{name: "flood", command: "seq 1 900000000", want: "output is too large: more than 1000 bytes", change: func(e *processExecutor) { e.maxOutput = 1000 }},
		{name: "complaints", command: "sh -c 'seq 1 3 > a ; cat absent'", want: "exit status 2: cat: openat absent: "},
		{name: "no program", command: "true", want: "start the step: fork/exec /absent/program", change: func(e *processExecutor) { e.self = "/absent/program" }},
		{name: "interrupt", command: busy, want: "interrupted: context canceled", stage: func(msg string) {
			if strings.HasPrefix(msg, "Process started") {
				cancel()
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := testExecutor(t)
			if tc.change != nil {
				tc.change(e)
			}
			if tc.stage == nil {
				tc.stage = func(string) {}
			}
			_, err := e.runStep(ctx, step{command: tc.command}, tc.stage)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("got %v, want %s...", err, tc.want)
			}
			if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestServiceThatCannotStart leaves nothing and says which it was.
func TestServiceThatCannotStart(t *testing.T) {
	e := testExecutor(t)
	e.self = "/absent/program"
	if _, _, err := e.startService(t.Context(), service{name: "db"}); err == nil || !strings.HasPrefix(err.Error(), "start service db: ") {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestJournalLine(t *testing.T) {
	var b bytes.Buffer
	at := time.Date(2025, 1, 2, 3, 4, 5, 6_007_000, time.FixedZone("", 3600))
	j := &journal{out: &b, now: func() time.Time { return at }}
	j.info("a::b", "%d\n✅", 1)
	j.error("a", "x")
	j.warn("a", "y")
	want := "2025-01-02T02:04:05.006007Z  INFO a::b: 1\\n✅\n2025-01-02T02:04:05.006007Z ERROR a: x\n" +
		"2025-01-02T02:04:05.006007Z  WARN a: y\n"
	if b.String() != want {
		t.Errorf("got %q", b.String())
	}
}

// countingWriter counts the writes.
type countingWriter struct{ lines, writes int }

func (c *countingWriter) Write(p []byte) (int, error) {
	c.lines += bytes.Count(p, []byte("\n"))
	c.writes++
	return len(p), nil
}

func TestOneWriteALine(t *testing.T) {
	var c countingWriter
	r := &runner{log: newJournal(&c), exec: testExecutor(t)}
	if err := r.runFile(t.Context(), renderSource("a", hello, nil)); err != nil {
		t.Fatal(err)
	}
	if c.lines < 8 || c.lines != c.writes {
		t.Errorf("%d lines in %d writes", c.lines, c.writes)
	}
}

// TestOutputIsNoMarker: what a test prints cannot pass for a result.
func TestOutputIsNoMarker(t *testing.T) {
	r := newRoom(t, map[string]string{"a.clnrm.toml": strings.Replace(hello, `["echo", "hello"]`, `["cat f ; sh -c 'echo {{var "mark" ""}} hello'"]`, 1)})
	out, _, _ := r.call("run", "--force", "-var", "mark=✅")
	if !strings.Contains(out, `📤 Output: "\u2705 hello\n"`) {
		t.Errorf("got:\n%s", out)
	}
	if got, want := excerpt(strings.Repeat("x", 300)), `"`+strings.Repeat("x", 200)+`"... (300 bytes)`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestRender(t *testing.T) {
	t.Setenv("CLEANROOM_VAR_X", "fromenv")
	t.Setenv("SECRET", "no")
	for _, tc := range []struct{ in, out, err string }{
		{in: "plain", out: "plain"},
		{in: "{{.who}} {{upper .who}}", out: "me ME"},
		{in: `{{var "who" "x"}} {{var "absent" "x"}}`, out: "me x"},
		{in: "{{range seq 2 4}}{{.}},{{end}}", out: "2,3,4,"},
		{in: "{{range seq 4 2}}{{.}}{{end}}", out: ""},
		{in: `{{sha256 "abc"}}`, out: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{in: `{{env "CLEANROOM_VAR_X"}}`, out: "fromenv"},
		{in: `{{env "SECRET"}}`, err: `f:1:2: executing "f" at <env "SECRET">: error calling env: environment variable "SECRET" is not allowed`},
		{in: "a\n{{.nobody}}", err: `f:2:2: executing "f" at <.nobody>: map has no entry`},
		{in: "{{seq 1 1000000}}", err: "f:1:2: "},
		{in: "a\n{{end}}", err: "f:2: unexpected {{end}}"},
		{in: "{{range seq 1 1000}}{{range seq 1 1000}}{{printf \"%100d\" 1}}{{end}}{{end}}", err: "output is too large"},
	} {
		out, err := render("f", tc.in, variables{"who": "me"})
		if out != tc.out || (err == nil) != (tc.err == "") {
			t.Errorf("%s: got %q, %v", tc.in, out, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), tc.err) {
			t.Errorf("%s: got %v, want %s...", tc.in, err, tc.err)
		}
	}
}

// TestStepDirOnly: a step that loses its runner removes a directory that was
// made for it, never one where a person called the program by hand.
func TestStepDirOnly(t *testing.T) {
	t.Setenv("HOME", "/tmp/"+stepDirPrefix+"1")
	for dir, want := range map[string]bool{
		"/tmp/" + stepDirPrefix + "1": true, "/tmp/" + stepDirPrefix + "2": false, "/home/me": false, "/tmp": false,
	} {
		if got := isStepDir(dir); got != want {
			t.Errorf("isStepDir(%s) = %v", dir, got)
		}
	}
}

func TestWriteFileKeepsOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, "x"); err == nil { // a directory is in the way of the rename
		t.Error("no error")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestExitStatuses(t *testing.T) {
	for err, want := range map[error]int{
		errReported: exitFailed, errors.New("x"): exitFailed, fmt.Errorf("%w: x", errUsage): exitUsage,
	} {
		var out bytes.Buffer
		if got := refuse(streams{&out, &out}, err); got != want {
			t.Errorf("%v: status %d, want %d", err, got, want)
		}
	}
}
