package targets_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// TestTriage looks at small programs that do one kind of work each. Frame pointers keep
// the recordings short.
func TestTriage(t *testing.T) {
	testenv.Tool(t, "cc")
	testenv.Tool(t, "perf")
	dir := t.TempDir()
	work := filepath.Join(dir, "work")
	if out, err := exec.CommandContext(t.Context(), "cc", "-O2", "-g", "-fno-omit-frame-pointer", "-pthread", "-o", work, "testdata/triage/work.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tc := range []struct {
		kind, symptom, bottleneck string
		fits, not                 string // a strategy, where one is certain on every machine
	}{
		{"burn", "CPU-bound", "Compute", "", "fewer allocations"},
		{"allocate", "memory-bound", "Allocation", "fewer allocations", ""},
		{"wait", "waiting", "System calls", "", "fewer allocations"},
		{"write", "I/O-bound", "System calls", "", "fewer allocations"},
		{"lock", "lock contention", "Locking", "", "fewer allocations"},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			o := call(t, dir, nil, "triage", "-cmd="+work+" "+tc.kind, "-budget=400ms", "-json") // on a busy machine the scale has fewer points
			var got experiment.Triage
			if err := json.Unmarshal([]byte(o.stdout), &got); err != nil || o.status != 0 {
				t.Fatalf("exit status %d, %v: %s\n%s", o.status, err, o.stdout, o.stderr)
			}
			if !slices.ContainsFunc(got.Symptoms, func(s experiment.Symptom) bool { return s.Name == tc.symptom && s.Evidence != "" }) {
				t.Errorf("no symptom %q: %+v", tc.symptom, got.Symptoms)
			}
			if got.Bottleneck != tc.bottleneck {
				t.Errorf("the bottleneck is %q, want %q: %+v", got.Bottleneck, tc.bottleneck, got.Classes)
			}
			for _, s := range got.Strategies {
				if s.Fit == experiment.FitYes && (len(s.Evidence) == 0 || s.Name == tc.not) || s.Name == tc.fits && s.Fit != experiment.FitYes {
					t.Errorf("strategy %+v", s)
				}
			}
			if got.Environment.Build != "release" || got.Schema != experiment.TriageSchema || len(got.Scale.Parallel) < 2 {
				t.Errorf("environment %+v, scale %+v, not measured: %q", got.Environment, got.Scale, got.Unknown)
			}
			if t.Failed() {
				t.Logf("%s", o.stdout)
			}
		})
	}
	call(t, dir, nil, "triage", "-cmd=true", "-sizes=1,2").want(t, 2, "{n} does not occur")
	call(t, dir, nil, "triage", "-cmd=sleep {n}", "-sizes=2,1").want(t, 2, "rising numbers")
	call(t, dir, nil, "triage", "-cmd=false", "-report=html=x").want(t, 2, "of the kinds md, json")
}

// Ctrl-C in the middle: what is known by then is printed and kept, and what is not is named.
func TestTriageInterrupted(t *testing.T) {
	testenv.Tool(t, "sh")
	binary, _ := gate(t)
	dir := t.TempDir()
	// The 25th run is not one of those by itself: it interrupts the gate, and hangs.
	const script = `echo run >>runs
[ $(wc -l <runs) -lt 25 ] && exit
while [ ! -s pid ]; do sleep 0.01; done
kill -INT $(cat pid)
exec sleep 1000
`
	if err := os.WriteFile(filepath.Join(dir, "work.sh"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	s := begin(t, dir, binary, "triage", "-cmd=sh work.sh", "-report=md=triage.md")
	early := filepath.Join(dir, "early") // pid is there whole or not at all
	if err := errors.Join(os.WriteFile(early, []byte(strconv.Itoa(s.cmd.Process.Pid)), 0o600), os.Rename(early, filepath.Join(dir, "pid"))); err != nil {
		t.Fatal(err)
	}
	status, output := s.ended(t, time.Now().Add(cleanupLimit+time.Minute))
	md, err := os.ReadFile(filepath.Join(dir, "triage.md"))
	if status != perf.ExitFailure || err != nil || !strings.Contains(string(md), "the rest: the triage was interrupted") {
		t.Errorf("exit status %d, %v: %s", status, err, md)
	}
	for _, want := range []string{"wall", "the rest: the triage was interrupted", "interrupted: what was not measured until then is missing"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
}
