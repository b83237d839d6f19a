package baseline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// What the tests store: a whole result of the suite "cleanroom" on one machine.
const (
	suite   = "cleanroom"
	machine = "linux-amd64-2c-32g-0badcafe"
	other   = "linux-amd64-8c-64g-11223344"
)

var created = time.Date(2026, 11, 23, 2, 3, 4, 0, time.UTC)

func result(id string) *perf.Result {
	return &perf.Result{
		Schema: perf.Schema, ID: id, Suite: suite, Mode: "quick", Created: created, Complete: true,
		Subject: perf.Subject{Commit: "f50fa93"},
		Machine: perf.Machine{Fingerprint: machine, OS: "linux", Arch: "amd64", Cores: 2},
		Workloads: []perf.WorkloadResult{{
			Name: "cli startup", Command: []string{"cleanroom", "--help"}, State: perf.StateOK,
			Metrics: []perf.Series{{Metric: perf.Wall, Samples: perf.Sample{0.0021, 0.0019, 0.0023}}},
		}},
	}
}

// on returns r as if it came from the machine of another fingerprint.
func on(r *perf.Result, fingerprint string) *perf.Result {
	r.Machine.Fingerprint = fingerprint
	return r
}

func save(t *testing.T, s Store, r *perf.Result, name string) string {
	t.Helper()
	path, err := s.Save(r, name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func contents(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func put(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// onlyFile checks that the folder of path holds path and nothing else, hidden or not.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			t.Errorf("%s lies beside %s", e.Name(), filepath.Base(path))
		}
	}
}

// wantError checks that err says every one of the words.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one that says %q", words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
}
