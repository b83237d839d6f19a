package testenv

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// Benchstat compiles benchstat from the module cache and returns the path of the program.
func Benchstat(t testing.TB) string {
	t.Helper()
	Tool(t, "go")
	binary := filepath.Join(t.TempDir(), "benchstat.exe")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "golang.org/x/perf/cmd/benchstat")
	if out, err := cmd.CombinedOutput(); err != nil {
		Missing(t, "benchstat", fmt.Sprintf("go build: %v\n%s", err, out))
	}
	return binary
}
