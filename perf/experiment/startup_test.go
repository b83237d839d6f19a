package experiment

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// slowStart is a file that makes the subject work for 300 ms before main begins.
const slowStart = `package main

import "time"

func init() {
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
	}
}
`

// What the measured program really does must be what is shown: with 300 ms of work
// added to the start of the embedded subject, cli startup shows 300 ms more.
func TestStartupShowsAddedWork(t *testing.T) {
	plain := startup(t)
	slowed := startup(t, "-overlay="+overlay(t))
	if added := slowed - plain; added < 0.295 || added > 0.5 {
		t.Errorf("cli startup rose from %.4f s to %.4f s, by %.4f s; 0.3 s of work were added", plain, slowed, added)
	}
}

// overlay writes an overlay (go help build) that adds slowStart to the subject.
func overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	added := filepath.Join(dir, "slow.go")
	if err := os.WriteFile(added, []byte(slowStart), 0o644); err != nil {
		t.Fatal(err)
	}
	place, err := filepath.Abs("../subject/cleanroom/zz_slow_start.go")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": {place: added}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// startup builds the subject with flags and returns the least wall time of the preset's
// workload cli startup: other work on the machine can only add to it.
func startup(t *testing.T, flags ...string) float64 {
	t.Helper()
	exe := ""
	if runtime.GOOS == "windows" {
		exe = ".exe"
	}
	p := Processes{Work: t.TempDir()}
	build(t, filepath.Join(p.Work, "bin", "cleanroom"+exe), flags...)
	w, ok := suite.Cleanroom(p.Work, exe).Workload("cli startup")
	if !ok {
		t.Fatal("the preset has no workload cli startup")
	}
	w.Needs, w.Min, w.Max, w.Memory = nil, 9, 9, 0
	r := new(perf.Result)
	steps := suite.Suite{Name: "s", Workloads: []suite.Workload{w}}.Plan(suite.Quick, map[string]bool{w.Name: true})
	if err := (Engine{New: p.Runner}).Run(context.Background(), steps, r); err != nil {
		t.Fatal(err)
	}
	got := r.Workload(w.Name)
	if got.State != perf.StateOK {
		t.Fatalf("%s: %s", got.State, got.Reason)
	}
	wall, _ := got.Series(perf.Wall.Name)
	return slices.Min(wall.Samples)
}

func build(t *testing.T, to string, flags ...string) {
	t.Helper()
	args := append(append([]string{"build"}, flags...), "-o", to, suite.SubjectPackage)
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("building the subject: %v\n%s", err, out)
	}
}
