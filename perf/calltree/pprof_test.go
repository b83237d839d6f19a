package calltree_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// TestTopAgreesWithPprof sets the top table against that of go tool pprof, which is the
// reference for the profile model: every function, flat and cum.
func TestTopAgreesWithPprof(t *testing.T) {
	tool := testenv.Tool(t, "go")
	files, err := filepath.Glob("testdata/classes/*.pb.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are %d profiles, %v", len(files), err)
	}
	line := regexp.MustCompile(`^\s*(\d+)(?:ns)?\s+\S+\s+\S+\s+(\d+)(?:ns)?\s+\S+\s+(.*)$`)
	for _, path := range files {
		cmd := exec.CommandContext(t.Context(), tool, "tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0", "-edgefraction=0", "-unit=ns", "-symbolize=none", path)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go tool pprof -top %s: %v\n%s", path, err, errs.String())
		}
		var want []string
		for l := range strings.Lines(string(out)) {
			if m := line.FindStringSubmatch(strings.TrimSuffix(l, "\n")); m != nil {
				want = append(want, fmt.Sprintf("%s %s %s", m[1], m[2], strings.TrimSuffix(strings.TrimSuffix(m[3], " (inline)"), " (partial-inline)")))
			}
		}
		got := strings.Split(strings.TrimSuffix(top(recorded(t, path)), "\n"), "\n")
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: our table\n%s\npprof's\n%s", path, strings.Join(got[:min(8, len(got))], "\n"), strings.Join(want[:min(8, len(want))], "\n"))
		}
	}
}
