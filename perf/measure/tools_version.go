package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// toolOutput runs a tool that is asked about itself, and returns what it wrote,
// to either stream. An error carries the command and the tool's own words.
//
// The tool gets no input, and is ended with what it started when the time is up.
func toolOutput(ctx context.Context, timeout time.Duration, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	// rustup's stand-in for cargo would install a toolchain, over the network, to
	// answer what its version is.
	cmd.Env = append(os.Environ(), "RUSTUP_AUTO_INSTALL=0", "LC_ALL=C")
	var out toolTail
	cmd.Stdout, cmd.Stderr = &out, &out
	endWithChildren(cmd)
	// A grandchild that got away with the pipe must not hold this up.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	command := strings.Join(append([]string{filepath.Base(path)}, args...), " ")
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return out.String(), nil
	case ctx.Err() == context.DeadlineExceeded:
		return "", fmt.Errorf("%s did not answer within %v: %w", command, timeout, ctx.Err())
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: %w", command, ctx.Err())
	}
	if words := firstWords(out.String()); words != "" {
		return "", fmt.Errorf("%s: %w: %s", command, err, words)
	}
	return "", fmt.Errorf("%s: %w", command, err)
}

// toolTail keeps the start of what a tool writes: a version stands there, and a
// tool that never stops writing must not fill the memory.
type toolTail struct{ bytes.Buffer }

const toolTailSize = 16 << 10

func (t *toolTail) Write(p []byte) (int, error) {
	t.Buffer.Write(p[:min(len(p), toolTailSize-t.Len())])
	return len(p), nil
}

var (
	// inBrackets is where programs put what is not their version: the compiler
	// that built them, the package, the commit, the date.
	inBrackets = regexp.MustCompile(`\([^()]*\)`)
	versionish = regexp.MustCompile(`\d+\.\d+[0-9A-Za-z.+~_-]*`)
)

// toolVersion finds the version in what a program says about itself, as 6.1.187
// in "perf version 6.1.187"; empty if there is none.
func toolVersion(out string) string {
	for line := range strings.Lines(out) {
		if v := versionish.FindString(inBrackets.ReplaceAllString(line, " ")); v != "" {
			return strings.TrimRight(v, ".-_")
		}
	}
	return ""
}

// firstWords makes one line of at most 200 characters from a program's output.
func firstWords(out string) string {
	const most = 200
	words := []rune(strings.Join(strings.Fields(out), " "))
	if len(words) > most {
		return string(words[:most-1]) + "…"
	}
	return string(words)
}
