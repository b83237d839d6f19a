package targets_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/benchio"
)

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A breached gate writes every report, in folders that it makes, and ends with 3.
func TestReports(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	call(t, dir, fakeClnrm(t), "cleanroomSloCheck", "-only=cli startup", "-set=cli startup=1us",
		"-report=md=out/gate.md,junit=out/gate.xml,json=gate.json,bench=new.txt,hyperfine=h.json,bencher=b.json,smaller=s.json,bigger=l.json").want(t, perf.ExitGate, "BREACHED")
	if md := readText(t, filepath.Join(dir, "out", "gate.md")); !strings.Contains(md, "### ❌ clnrm: cli startup is BREACHED") {
		t.Errorf("the Markdown does not say it:\n%s", md)
	}
	if junit := readText(t, filepath.Join(dir, "out", "gate.xml")); !strings.Contains(junit, `<failure type="BREACHED"`) || !strings.Contains(junit, `failures="1"`) {
		t.Errorf("the JUnit file does not say it:\n%s", junit)
	}
	r, err := perf.DecodeResult([]byte(readText(t, filepath.Join(dir, "gate.json"))), "gate.json")
	if err != nil || r.Exit != perf.ExitGate {
		t.Fatalf("the JSON: %v, %+v", err, r)
	}
	wall, _ := r.Workload("cli startup").Series("wall")
	f, err := os.Open(filepath.Join(dir, "new.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im, err := benchio.Read(f, "new.txt", benchio.Options{})
	if err != nil || len(im.Faults) > 0 || len(im.Runs) != 1 {
		t.Fatalf("the Go benchmark format: %v %+v", err, im)
	}
	if s, ok := im.Runs[0].Workloads[0].Series("sec/op"); !ok || len(s.Samples) != len(wall.Samples) {
		t.Errorf("%d values in the Go benchmark format, and %d were measured", len(s.Samples), len(wall.Samples))
	}
}

// A report that cannot be written turns success into failure, and leaves a breach one.
func TestReportThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	call(t, dir, fakeClnrm(t), "cleanroomSloCheck", "-only=cli startup", "-report=md=file/gate.md,junit=gate.xml").want(t, perf.ExitFailure, "MET", "-report=md=file/gate.md")
	call(t, dir, fakeClnrm(t), "cleanroomSloCheck", "-only=cli startup", "-set=cli startup=1us", "-report=md=file/gate.md").want(t, perf.ExitGate, "BREACHED")
	readText(t, filepath.Join(dir, "gate.xml")) // the other one was written
}

func TestReportUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for flag, words := range map[string]string{
		"-report=gate.md":           "KIND=FILE",
		"-report=pdf=gate.pdf":      "md, junit, json, bench",
		"-report=md=":               "KIND=FILE",
		"-report=md=a,junit=a":      "both",
		"-report=md=" + t.TempDir(): "no regular file",
	} {
		call(t, dir, fakeClnrm(t), "benchmarks", "-only=cli startup", flag).want(t, perf.ExitUsage, words)
	}
	if r := results(t, dir); len(r) > 0 {
		t.Error("a flag that makes no sense was found after measuring")
	}
}

// Under GitHub Actions the run is marked, and the summary of the step goes on.
func TestGitHubActions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	summary := filepath.Join(dir, "summary.md")
	if err := os.WriteFile(summary, []byte("before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	env := append(fakeClnrm(t), "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY="+summary)
	o := call(t, dir, env, "cleanroomSloCheck", "-only=cli startup", "-set=cli startup=1us", "-json")
	if r := o.decoded(t); o.status != perf.ExitGate || r.Exit != perf.ExitGate {
		t.Errorf("exit status %d", o.status)
	}
	if !strings.Contains(o.stderr, "\n::error title=cli startup [wall p50] is BREACHED::") {
		t.Errorf("no annotation:\n%s", o.stderr)
	}
	call(t, dir, env, "cleanroomSloCheck", "-only=cli startup").want(t, 0)
	text := readText(t, summary)
	if !strings.HasPrefix(text, "before\n") || strings.Count(text, "### ") != 2 {
		t.Errorf("the summary is\n%s", text)
	}
}

// A summary that cannot be written, as on a fork, is a warning.
func TestSummaryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := append(fakeClnrm(t), "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY="+t.TempDir())
	call(t, dir, env, "cleanroomSloCheck", "-only=cli startup").want(t, 0, "MET", "GitHub was not told")
	full := filepath.Join(dir, "full.md")
	if err := os.WriteFile(full, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	env[len(env)-1] = "GITHUB_STEP_SUMMARY=" + full
	call(t, dir, env, "cleanroomSloCheck", "-only=cli startup", "-set=cli startup=1us").want(t, perf.ExitGate, "has no room")
}

// baseline:compare reports its comparisons.
func TestComparisonReports(t *testing.T) {
	t.Parallel()
	dir, env := t.TempDir(), fakeClnrm(t)
	copyRuns(t, dir, whole)
	call(t, dir, env, "baseline:save", "main").want(t, 0)
	call(t, dir, env, "benchmarks", "-only=cli startup,self-test,validate").want(t, 0)
	o := call(t, dir, env, "baseline:compare", "main", "-report=md=c.md,junit=c.xml")
	if o.status != 0 {
		t.Fatalf("exit status %d\n%s", o.status, o.stderr)
	}
	if md := readText(t, filepath.Join(dir, "c.md")); !strings.Contains(md, "| cli startup wall") || !strings.Contains(md, "verdict") {
		t.Errorf("the Markdown has no comparison:\n%s", md)
	}
	if xml := readText(t, filepath.Join(dir, "c.xml")); !strings.Contains(xml, `name="cli startup [wall]"`) {
		t.Errorf("the JUnit file has no comparison:\n%s", xml)
	}
}
