package targets

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

func TestWithLinkerFlag(t *testing.T) {
	const flag = "-randlayout=2"
	for goflags, want := range map[string]string{
		"":                           "-ldflags=-randlayout=2",
		"-mod=mod  -race":            "-ldflags=-randlayout=2 -mod=mod -race",
		"-ldflags=-s":                "-ldflags=-randlayout=2 '-ldflags=-s -randlayout=2'",
		"--ldflags=-s":               "-ldflags=-randlayout=2 '--ldflags=-s -randlayout=2'",
		"'-ldflags=-s -w' -race":     "-ldflags=-randlayout=2 '-ldflags=-s -w -randlayout=2' -race",
		`"-ldflags=-X 'main.a=b c'"`: `-ldflags=-randlayout=2 "-ldflags=-X 'main.a=b c' -randlayout=2"`,
		"-ldflags=all=-s":            "-ldflags=-randlayout=2 '-ldflags=all=-s -randlayout=2'",
		"-ldflags=":                  "-ldflags=-randlayout=2 -ldflags=-randlayout=2",
		"'-gcflags=-N -l'":           "-ldflags=-randlayout=2 '-gcflags=-N -l'",
		"-tags=it's":                 "-ldflags=-randlayout=2 -tags=it's",
	} {
		if got, err := withLinkerFlag(goflags, flag); got != want || err != nil {
			t.Errorf("GOFLAGS=%s: %s, %v, want %s", goflags, got, err, want)
		}
	}
	for goflags, want := range map[string]string{"'-ldflags=-s": "not closed", `-ldflags=-X=a='b"`: "quotes of both kinds"} {
		if _, err := withLinkerFlag(goflags, flag); perf.ExitStatus(err) != perf.ExitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("GOFLAGS=%s: %v, want a usage error about %q", goflags, err, want)
		}
	}
}

// TestLayoutsInForce asks the go command what it would link with: the user's own flags,
// of the environment or of go env -w, together with a layout.
func TestLayoutsInForce(t *testing.T) {
	testenv.Tool(t, "go")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/linked\n\ngo 1.26\n", "main.go": "package main\n\nvar a string\n\nfunc main() { println(a) }\n",
		"goenv": `GOFLAGS="-ldflags=-X 'main.a=b c'"` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOWORK", "off")
	for _, c := range []struct{ goenv, goflags, want string }{
		{"off", "'-ldflags=-s -w' -trimpath", "-s -w -randlayout=2"},
		{"off", "-ldflags=example.com/other=-s", "-randlayout=2"},
		{"off", "-ldflags=example.com/linked=-s", "-s -randlayout=2"},
		{filepath.Join(dir, "goenv"), "", `-X "main.a=b c" -randlayout=2`},
	} {
		t.Setenv("GOENV", c.goenv)
		t.Setenv("GOFLAGS", c.goflags)
		flags, err := layouts(t.Context(), dir, 2)
		if err != nil || len(flags) != 2 {
			t.Fatalf("%+v: %q, %v", c, flags, err)
		}
		cmd := exec.CommandContext(t.Context(), "go", "build", "-n", "-o", "out")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS="+flags[1])
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%+v: go build -n with GOFLAGS=%s: %v\n%s", c, flags[1], err, out)
		}
		if link := linkLine(string(out)); !strings.Contains(link, " "+c.want+" ") {
			t.Errorf("%+v: GOFLAGS=%s links with\n%s", c, flags[1], link)
		}
	}
}

// linkLine is the line of go build -n that links.
func linkLine(out string) string {
	lines := strings.Split(out, "\n")
	return lines[max(0, slices.IndexFunc(lines, func(line string) bool {
		return strings.Contains(line, "link -o ") || strings.Contains(line, `link.exe" -o `)
	}))]
}

// TestLayoutsWithoutGo takes what the environment says where there is no go command.
func TestLayoutsWithoutGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("GOFLAGS", "-ldflags=-w")
	flags, err := layouts(t.Context(), t.TempDir(), 1)
	if want := "-ldflags=-randlayout=1 '-ldflags=-w -randlayout=1'"; err != nil || len(flags) != 1 || flags[0] != want {
		t.Errorf("%q, %v, want %q", flags, err, want)
	}
	t.Setenv("GOFLAGS", "'-ldflags=-w")
	if _, err := layouts(t.Context(), t.TempDir(), 1); !errors.As(err, new(*perf.StatusError)) {
		t.Errorf("a quote that is not closed: %v", err)
	}
}
