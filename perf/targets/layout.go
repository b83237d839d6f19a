package targets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// layouts are the GOFLAGS of n builds of a program, each of which links the functions in
// an order of its own. The user's own flags stay in force. Without the go command they are
// those of the environment: nothing is built with it then.
func layouts(ctx context.Context, root string, n int) ([]string, error) {
	own, err := output(ctx, root, "go", "env", "GOFLAGS") // which knows those of `go env -w`, too
	if errors.Is(err, exec.ErrNotFound) {
		own, err = os.Getenv("GOFLAGS"), nil
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for k := range n {
		flags, err := withLinkerFlag(strings.TrimSpace(own), fmt.Sprintf("-randlayout=%d", k+1))
		if err != nil {
			return nil, err
		}
		all = append(all, flags)
	}
	return all, nil
}

// withLinkerFlag adds a flag of the linker to GOFLAGS. Of several -ldflags the go command
// takes the last that names the package (go help build), so that one more at the end would
// take the place of the user's: the flag goes into each of theirs, and into one of its own
// before them, for packages that theirs do not name.
func withLinkerFlag(goflags, flag string) (string, error) {
	words, err := splitQuoted(goflags)
	if err != nil {
		return "", perf.Usagef("GOFLAGS=%s: %w: the go command refuses it, too", goflags, err)
	}
	out := []string{"-ldflags=" + flag}
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		if name == "-ldflags" || name == "--ldflags" {
			word = name + "=" + strings.TrimSpace(value+" "+flag)
		}
		quoted, ok := quote(word)
		if !ok {
			return "", perf.Usagef("GOFLAGS: %s holds quotes of both kinds, so %s cannot be put beside it: compare with -rebuilds=1, or do without one kind", word, flag)
		}
		out = append(out, quoted)
	}
	return strings.Join(out, " "), nil
}

// splitQuoted splits as the go command does with GOFLAGS (cmd/internal/quoted): at white
// space, and a word that begins with a quote goes to the next one of its kind. Nothing
// else is special, nor are quotes within a word.
func splitQuoted(s string) ([]string, error) {
	const space = " \t\n\r"
	var words []string
	for s = strings.TrimLeft(s, space); s != ""; s = strings.TrimLeft(s, space) {
		if quote := s[:1]; quote == `"` || quote == `'` {
			word, rest, closed := strings.Cut(s[1:], quote)
			if !closed {
				return nil, fmt.Errorf("a quote %s is not closed", quote)
			}
			words, s = append(words, word), rest
			continue
		}
		end := strings.IndexAny(s, space)
		if end < 0 {
			end = len(s)
		}
		words, s = append(words, s[:end]), s[end:]
	}
	return words, nil
}

// quote writes a word so that [splitQuoted] reads it as one, if there is a way.
func quote(word string) (quoted string, ok bool) {
	for _, q := range []string{"", "'", `"`} {
		quoted = q + word + q
		if words, err := splitQuoted(quoted); err == nil && len(words) == 1 && words[0] == word {
			return quoted, true
		}
	}
	return "", false
}
