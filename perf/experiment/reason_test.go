package experiment

import (
	"errors"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

func TestCauseInOutput(t *testing.T) {
	const rust = `(?m)^(error(?:\[E\d+\])?: .*)(?:\n\s*(--> \S+))?|^(test \S.* \.\.\. FAILED)$`
	for _, tc := range []struct{ name, output, pattern, want string }{
		{"first match of the pattern", "warning: unused\nerror[E0425]: no x\n --> src/a.rs:1:2\n  |\nerror: aborting\n", rust, "error[E0425]: no x --> src/a.rs:1:2"},
		{"match without a place", "error: linking failed\n  |\n  = note: cc\n", rust, "error: linking failed"},
		{"second alternative", "test a ... ok\ntest b ... FAILED\ntest result: FAILED.\n", rust, "test b ... FAILED"},
		{"a pattern without groups", "x\ny 1\n", `(?m)^y \d`, "y 1"},
		{"no pattern", "hint: a\nfatal: not a git repository\nhint: b\n", "", "fatal: not a git repository"},
		{"a pattern that is not there", "one\nerror: two\nthree\n", "nowhere", "error: two"},
		{"nothing that complains", "one\nKeyError: 'x'\n\n", "", "KeyError: 'x'"},
		{"coloured", "\x1b[1m\x1b[31merror\x1b[0m: red\n", "", "error: red"},
		{"lines of Windows", "error: one\r\ntwo\r\n", `(?m)^(error: .*)\n(two)$`, "error: one two"},
		{"no output", " \n", rust, ""},
	} {
		if got := causeIn([]byte(tc.output), tc.pattern); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	if got := causeIn([]byte("error: "+strings.Repeat("ä", 5000)), ""); len([]rune(got)) != maxCause+1 {
		t.Errorf("a cause of %d characters stands in a sentence", len([]rune(got)))
	}
}

func TestReasonFor(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		run        measure.Run
	}{
		{"one line", "it broke (a b: exit status 3)", measure.Run{ExitCode: 3, Output: []byte("it broke\n")}},
		{"more lines", "error: no (a b: exit status 1)\nits last lines:\n\terror: no\n\tbye", measure.Run{ExitCode: 1, Output: []byte("error: no\nbye\n")}},
		{"no output", "a b: exit status 1, without output", measure.Run{ExitCode: 1}},
		{"killed", "a b: killed by SIGKILL\nits last lines:\n\terror: earlier", measure.Run{ExitCode: -1, Signal: "SIGKILL", Output: []byte("error: earlier\n")}},
		{"timed out", "a b: timed out after 0s\nits last lines:\n\tworking", measure.Run{ExitCode: 1, TimedOut: true, Output: []byte("working\n")}},
	} {
		tc.run.Args = []string{"a", "b"}
		if got := reasonFor(tc.run, tc.run.Err(), ""); got != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, got, tc.want)
		}
	}
	if got := reasonFor(measure.Run{Output: []byte("error: x")}, errors.New("made nothing"), ""); got != "made nothing" {
		t.Errorf("%q: a command that exited 0 is not explained by its output", got)
	}
}

func TestTestOutput(t *testing.T) {
	events := `cut off","Output":"lost"}
{"Action":"start","Package":"p"}
# p is built
{"ImportPath":"p","Action":"build-output","Output":"a.go:1:1: bad\n"}
{"Time":"2026-01-01T00:00:00Z","Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"of another program"}
`
	want := `cut off","Output":"lost"}
# p is built
a.go:1:1: bad
--- FAIL: TestA (0.00s)
{"Action":"of another program"}
`
	if got := string(testOutput([]byte(events))); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
