package container

import (
	"slices"
	"testing"
)

func TestParseReady(t *testing.T) {
	for text, want := range map[string]Ready{
		"":                           {},
		"health":                     {Kind: ReadyHealth},
		"tcp:5432":                   {Kind: ReadyTCP, Port: 5432},
		"exec:pg_isready -U 'a b'":   {Kind: ReadyExec, Command: []string{"pg_isready", "-U", "a b"}},
		"exec:sh -c 'test -e /a:b'":  {Kind: ReadyExec, Command: []string{"sh", "-c", "test -e /a:b"}},
		`log:(?i)ready to accept: .`: {Kind: ReadyLog},
	} {
		got, err := ParseReady(text)
		if err != nil || got.Kind != want.Kind || got.Port != want.Port || !slices.Equal(got.Command, want.Command) {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
			continue
		}
		if got.String() != text {
			t.Errorf("%q is written as %q", text, got.String())
		}
	}
	if r, err := ParseReady("log:^up: \\d+$"); err != nil || !r.Pattern.MatchString("up: 3") || r.Pattern.MatchString("up: x") {
		t.Errorf("the pattern is %v, %v", r.Pattern, err)
	}
	for _, text := range []string{"tcp", "tcp:", "tcp:0", "tcp:65536", "tcp:http", "exec:", "exec: ", "exec:'open", "log:", "log:(", "health:5s", "http:80", ":x", "ready"} {
		if r, err := ParseReady(text); err == nil {
			t.Errorf("%q is %+v", text, r)
		}
	}
}
