// Package testenv says what a test may count on: a tool that a machine lacks
// skips the test with its reason, unless PERF_REQUIRE names the tool; then its
// absence fails the test, so that a CI which lost a tool goes red instead of
// testing less. It serves tests alone, as internal/testenv does in Go's tree.
package testenv

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Tool skips the test unless the program name is on PATH, and returns its
// path. Under PERF_REQUIRE=name,... the missing tool fails the test.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, err.Error())
	}
	return path
}

// Missing ends the test because what it needs, called name, is not here: it
// fails where PERF_REQUIRE lists name and skips elsewhere. The reason tells the
// reader what was looked for.
func Missing(t testing.TB, name, reason string) {
	t.Helper()
	if Required(name) {
		t.Fatalf("PERF_REQUIRE demands %s: %s", name, reason)
	}
	t.Skipf("needs %s: %s", name, reason)
}

// Required reports whether PERF_REQUIRE, a comma-separated list, names name.
func Required(name string) bool {
	list := strings.Split(os.Getenv("PERF_REQUIRE"), ",")
	return slices.ContainsFunc(list, func(s string) bool { return strings.TrimSpace(s) == name })
}
