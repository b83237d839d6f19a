package report

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// triaged is a triage of a program that parses.
func triaged() *experiment.Triage {
	t := &experiment.Triage{
		ID:       "20260101T000000Z-abcdef",
		Workload: experiment.TriageLoad{Name: "validate", Command: []string{"app", "validate", "case001.toml"}, Why: "-workload names it", Items: 200, Unit: "files"},
		Usage: experiment.TriageUsage{Runs: 20, Wall: 0.0143, User: 0.011, System: 0.0021, Delay: 0.0001, Waiting: 0.0011, Faults: 1910, Read: 72500, Written: 31,
			Switches: 28, PeakMemory: 15.1e6, Cores: 2, Repeats: 0.99},
		Scale: experiment.TriageScale{SizeUnit: "files",
			Parallel: []experiment.ScalePoint{{N: 1, Wall: 0.0153, Runs: 3, Walls: perf.Sample{0.0151, 0.0153, 0.0156}}, {N: 2, Wall: 0.0161, Runs: 3, Walls: perf.Sample{0.016, 0.0161, 0.0165}}, {N: 4, Wall: 0.031, Runs: 3, Walls: perf.Sample{0.030, 0.031, 0.0312}}},
			Sizes:    []experiment.ScalePoint{{N: 25, Wall: 0.0042, Runs: 5}, {N: 50, Wall: 0.0057, Runs: 5}, {N: 100, Wall: 0.0085, Runs: 5}, {N: 200, Wall: 0.0143, Runs: 5}}},
		Environment: experiment.TriageEnvironment{
			Machine: perf.Machine{CPU: "AMD EPYC", Cores: 2, MemoryClass: "32 GiB", OS: "linux", Arch: "amd64", Fingerprint: "linux-amd64-2c-32g-0badcafe"},
			Build:   "release", BuildWhy: "go1.26.8 optimises, and nothing in the program says that it was told not to",
			Limits: []experiment.TriageLimit{{Name: "CPU limit", Value: "none"}, {Name: "load", Value: "17.61 over the last minute, for 2 CPUs", Effect: "other programs want the CPUs"}},
		},
		Profiles: []experiment.TriageProfile{{Kind: "cpu", Folder: ".perf/profiles/20260101T000000Z-abcdef/cpu", Samples: 2222, Init: 0.04, Run: 0.0131, Classes: []experiment.TriageClass{
			{Group: "Serialisation", Name: "TOML", Share: 0.45, Leaders: []string{"toml.(*parser).next", "toml.(*parser).setValue"}},
			{Group: "Allocation", Share: 0.3, Leaders: []string{"exc_page_fault", "runtime.mallocgc"}},
			{Group: "Compute", Share: 0.25, Leaders: []string{nasty}},
		}}},
		Unknown: []string{"the off-cpu profile: there is nothing to show"},
	}
	t.Diagnose()
	return t
}

// triagedContainer is a triage of containers.
func triagedContainer() *experiment.Triage {
	none := scalingRun().Scaling[0]
	t := &experiment.Triage{
		Workload: experiment.TriageLoad{Name: "container lifecycle", Command: []string{"create, start, ready, stop and remove a container"}, Why: "-workload names it"},
		Usage:    experiment.TriageUsage{Runs: 20, Wall: 0.21, Waiting: 0.21, Cores: 2, PeakMemory: 4.1e6, Phases: map[string]float64{"ready": 0.15}},
		Scale: experiment.TriageScale{Containers: &none,
			Parallel: []experiment.ScalePoint{{N: 1, Wall: 0.217, Runs: 2}, {N: 2, Wall: 0.25, Runs: 2}, {N: 4, Wall: 0.45, Runs: 2}}},
	}
	t.Diagnose()
	return t
}

// Memory that was not measured is not shown as none: a run that is too costly to repeat has
// no run for its memory.
func TestTriageWithoutMemory(t *testing.T) {
	a := triaged()
	a.Usage.PeakMemory = 0
	var b bytes.Buffer
	if err := Triage(&b, a, Style{}); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "1,910 page faults") || strings.Contains(text, "peak memory 0") || !strings.Contains(text, "peak memory not measured") {
		t.Errorf("%s", text)
	}
}

// TestTriage renders one whose every part has something, and one in which nothing was found.
func TestTriage(t *testing.T) {
	for name, a := range map[string]*experiment.Triage{"triage": triaged(), "triage_container": triagedContainer(), "triage_nothing": {Workload: experiment.TriageLoad{Name: "x", Command: []string{"x"}}}} {
		a.Diagnose()
		golden(t, name, func(w io.Writer, st Style) error { return Triage(w, a, st) })
		var md bytes.Buffer
		if err := TriageMarkdown(&md, a); err != nil {
			t.Fatal(err)
		}
		checkGolden(t, name+".md.golden", md.Bytes())
		data, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, name+".json.golden", data)
		if bytes.Contains(data, []byte("\": null")) && name == "triage" {
			t.Errorf("a list of it is null:\n%s", data)
		}
	}
}
