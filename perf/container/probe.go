package container

import (
	"bytes"
	"context"
	_ "embed" // the probe's source
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// probeSource is embedded as text and built as a file: in a Cargo project, or from a
// module cache, there is no package path that the go command would resolve.
//
//go:embed probe/main.go
var probeSource []byte

// ErrNoGo says that there is no Go toolchain to build the probe with.
var ErrNoGo = errors.New("no Go toolchain, which builds the program that the container runs: install Go (go.dev/dl)")

// BuildProbe builds the probe as a static program for containers of an engine (Info.OS
// and Info.Arch) and returns its bytes. The go command is goTool, or "go" on PATH if
// empty. It takes 0.2 s, or 10 s with an empty build cache, and the same toolchain
// builds the same bytes again. Without a toolchain the error is ErrNoGo.
//
// The probe (perf/container/probe) prints a line "READY main=<unix nanoseconds>",
// waits for SIGTERM, and ends with status 0; its flags, given as Config.Args, make it
// slow, big, deaf or short-lived.
func BuildProbe(ctx context.Context, goTool, goos, goarch string) (_ []byte, err error) {
	if goos != "linux" {
		return nil, fmt.Errorf("the engine runs containers of %s, and an image of nothing but a program works with Linux alone: switch the engine to Linux containers", goos)
	}
	if goTool == "" {
		goTool = "go"
	}
	path, err := exec.LookPath(goTool)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoGo, err)
	}
	dir, err := os.MkdirTemp("", "clnrm-perf-probe-")
	if err != nil {
		return nil, fmt.Errorf("build the probe: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// The line keeps the name of the directory out of the program. The go command's
	// -trimpath does too, and has the whole standard library compiled again for it.
	source := append([]byte("//line /probe/main.go:1\n"), probeSource...)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), source, 0o600); err != nil {
		return nil, fmt.Errorf("build the probe: %w", err)
	}
	program := filepath.Join(dir, "probe")
	cmd := exec.CommandContext(ctx, path, "build", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", program, "main.go")
	cmd.Dir = dir
	// What the user has set for his own builds must neither fail this one nor change it.
	cmd.Env = append(cmd.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK=off", "GO111MODULE=on", "GOTOOLCHAIN=local", "GOEXPERIMENT=",
		"CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch, "GOAMD64=v1", "GOARM=5", "GOARM64=v8.0")
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("build the probe for %s/%s with %s: %w%s", goos, goarch, path, err, quoted(out))
	}
	return os.ReadFile(program)
}

// quoted is the last lines of an output, to stand at the end of an error.
func quoted(out []byte) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	text := string(bytes.Join(lines, []byte("\n\t")))
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return ":\n\t" + text
}
