package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/template"
)

// Bounds on what a template may make: a wrong loop ends with an error and not
// with the machine's memory.
const (
	maxRendered = 16 << 20 // bytes
	maxSeq      = 100_000  // elements
)

// errTooLarge is what a write beyond a bound returns.
var errTooLarge = errors.New("output is too large")

// render carries out source as a Go text/template and returns the text. What
// -var has set are its fields ({{.name}}; one that is not set is an error). Its
// functions beside those of Go are:
//
//	var NAME DEFAULT   the variable, or DEFAULT when it is not set
//	env NAME           an environment variable of those that are allowed
//	upper TEXT         TEXT in upper case
//	seq FIRST LAST     the whole numbers from FIRST to LAST
//	sha256 TEXT        the sum of TEXT in hexadecimal
//
// The time and chance are left out on purpose: the same file and variables give
// the same text, which the cache counts on. An error starts with name:line.
func render(name, source string, vars variables) (string, error) {
	t := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{
		"env":    allowedEnv,
		"upper":  strings.ToUpper,
		"seq":    sequence,
		"sha256": func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) },
		"var": func(name, fallback string) string {
			if v, ok := vars[name]; ok {
				return v
			}
			return fallback
		},
	})
	// A file without a single action goes the same way, so that a reload of it
	// has a stage of rendering as any other has.
	if _, err := t.Parse(source); err != nil {
		return "", templateError(err)
	}
	out := &boundedBuffer{limit: maxRendered}
	if err := t.Execute(out, vars); err != nil {
		return "", templateError(err)
	}
	return out.String(), nil
}

// templateError drops the package's own prefix, so that the error starts with
// the file and the line, where editors find it.
func templateError(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "template: "))
}

// allowedEnv returns an environment variable of the few that a test file may
// depend on; any other would make its result depend on who runs it.
func allowedEnv(name string) (string, error) {
	if slices.Contains([]string{"CI", "LANG", "TZ"}, name) || strings.HasPrefix(name, "CLEANROOM_VAR_") {
		return os.Getenv(name), nil
	}
	return "", fmt.Errorf("environment variable %q is not allowed here: use CI, LANG, TZ or a name with CLEANROOM_VAR_ in front", name)
}

// sequence returns first, first+1, ..., last.
func sequence(first, last int) ([]int, error) {
	if last-first >= maxSeq {
		return nil, fmt.Errorf("seq %d %d has more than %d elements", first, last, maxSeq)
	}
	var s []int
	for i := first; i <= last; i++ {
		s = append(s, i)
	}
	return s, nil
}

// boundedBuffer keeps what is written until limit bytes, then refuses.
type boundedBuffer struct {
	strings.Builder
	limit    int
	overflow bool // a write was refused
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		b.overflow = true
		return 0, fmt.Errorf("%w: more than %d bytes", errTooLarge, b.limit)
	}
	return b.Builder.Write(p)
}
