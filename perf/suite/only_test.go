package suite

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// sample is a suite with a chain of needs and objectives of three units.
func sample() Suite {
	run := func(name string, needs ...string) Workload {
		return Workload{Name: name, Command: Command{Args: []string{name}}, Needs: needs}
	}
	limit := func(name, workload string, m perf.Metric, target, critical float64) Objective {
		return Objective{Name: name, Workload: workload, Metric: m, Quantile: 0.5, Confidence: 0.95, Target: target, Critical: critical}
	}
	return Suite{
		Name: "sample",
		Workloads: []Workload{
			run("fetch"), run("build", "fetch"), run("lint"), run("test suite", "build"), run("test memory", "build"), run("report", "test suite", "lint"),
		},
		Objectives: []Objective{
			limit("build time", "build", perf.Wall, 10, 20), limit("memory", "test memory", perf.PeakMemory, 100e6, 200e6),
			limit("tests", "test suite", perf.Throughput, 100, 50), limit("cores", "test suite", perf.Utilisation, 1, 1),
			limit("files", "lint", perf.Metric{Name: "throughput", Unit: "files/sec", Better: perf.Higher}, 100, 50),
		},
	}
}

func TestSampleIsValid(t *testing.T) {
	if err := sample().CheckValid(); err != nil {
		t.Fatal(err)
	}
}

func TestResolve(t *testing.T) {
	names := []string{"build", "Build all", "cli startup", "test suite", "test memory"}
	for given, want := range map[string]string{
		"build": "build", "cli": "cli startup", "CLI STARTUP": "cli startup", "test s": "test suite",
		"Build": "build", // not a prefix of two, since one is it but for case
	} {
		if got, err := Resolve("workload", given, names); got != want || err != nil {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for given, words := range map[string][]string{
		"":         {"a name of workload is missing", "cli startup"},
		"test":     {`workload "test" is not unique`, "test suite, test memory"},
		"clistart": {`unknown workload "clistart": did you mean "cli startup"?`, "There are: build, Build all"},
		"buildx":   {`did you mean "build"?`},
		"b u":      {`unknown workload`},
	} {
		checkUsage(t, resolveError(given, names), words...)
	}
	checkUsage(t, resolveError("x", nil), `unknown workload "x"`, "none here")
	// Two names that differ in nothing but case stay apart by an exact match alone.
	if got, err := Resolve("workload", "A", []string{"a", "A"}); got != "A" || err != nil {
		t.Errorf("exact: %q, %v", got, err)
	}
}

func resolveError(given string, names []string) error {
	_, err := Resolve("workload", given, names)
	return err
}

// checkUsage demands an error of the status for usage that holds all the words.
func checkUsage(t *testing.T, err error, words ...string) {
	t.Helper()
	if perf.ExitStatus(err) != perf.ExitUsage {
		t.Errorf("exit status %d for %v", perf.ExitStatus(err), err)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q lacks %q", err, w)
		}
	}
}

func TestSelect(t *testing.T) {
	all := sample()
	for _, row := range []struct {
		list       string
		names      []string // in the order of the suite
		wanted     []string
		objectives []string
	}{
		{"", all.Names(), all.Names(), all.objectiveNames()},
		{" ", all.Names(), all.Names(), all.objectiveNames()},
		{"lint", []string{"lint"}, []string{"lint"}, []string{"files"}},
		{"build", []string{"fetch", "build"}, []string{"build"}, []string{"build time"}},
		{"report", []string{"fetch", "build", "lint", "test suite", "report"}, []string{"report"}, nil},
		{"test m,fetch", []string{"fetch", "build", "test memory"}, []string{"fetch", "test memory"}, []string{"memory"}},
		{" build , build", []string{"fetch", "build"}, []string{"build"}, []string{"build time"}},
	} {
		sub, wanted, err := all.Select(row.list)
		if err != nil {
			t.Errorf("%q: %v", row.list, err)
			continue
		}
		slices.Sort(row.wanted)
		if !slices.Equal(sub.Names(), row.names) || !slices.Equal(slices.Sorted(maps.Keys(wanted)), row.wanted) || !slices.Equal(sub.objectiveNames(), row.objectives) {
			t.Errorf("%q: %q, wanted %v, objectives %q", row.list, sub.Names(), wanted, sub.objectiveNames())
		}
		if err := sub.CheckValid(); err != nil {
			t.Errorf("%q leaves a suite that is not valid: %v", row.list, err)
		}
	}
	if !reflect.DeepEqual(all, sample()) {
		t.Error("Select changed the suite that it was called on")
	}
}

func TestSelectRefuses(t *testing.T) {
	for list, words := range map[string][]string{
		"test": {"not unique"}, "bild": {`did you mean "build"`}, "build,": {"a name of workload is missing"}, ",": {"missing"}, "build lint": {"unknown workload"},
	} {
		sub, wanted, err := sample().Select(list)
		checkUsage(t, err, words...)
		if len(sub.Workloads) > 0 || wanted != nil {
			t.Errorf("%q: something is selected beside the error", list)
		}
	}
}

func TestSet(t *testing.T) {
	type limits struct{ target, critical float64 }
	all := sample()
	for list, want := range map[string]map[string]limits{
		"":                            {},
		" \t":                         {},
		"build time=1s":               {"build time": {1, 1}},
		"build=1us":                   {"build time": {1e-6, 1e-6}},
		"build = 1m30s/2m":            {"build time": {90, 120}},
		"memory=50MB/64 MiB":          {"memory": {50e6, 64 << 20}},
		"memory=50MB/1GB,build=5s/5s": {"memory": {50e6, 1e9}, "build time": {5, 5}},
		"tests=100/s":                 {"tests": {100, 100}},
		"tests=100/s/50/s":            {"tests": {100, 50}},
		"tests=100/sec/50/s":          {"tests": {100, 50}},
		"files=100/s/50/s":            {"files": {100, 50}},
		"cores=1.5/0.5":               {"cores": {1.5, 0.5}},
	} {
		got, err := all.Set(list)
		if err != nil {
			t.Errorf("%q: %v", list, err)
			continue
		}
		for i, o := range got.Objectives {
			w, changed := want[o.Name]
			if !changed {
				w = limits{all.Objectives[i].Target, all.Objectives[i].Critical}
			}
			if (limits{o.Target, o.Critical}) != w {
				t.Errorf("%q: %s is %v/%v, want %v", list, o.Name, o.Target, o.Critical, w)
			}
			if (o.Source == perf.Source{File: SetFlag}) != changed {
				t.Errorf("%q: the limits of %s are said to come from %+v", list, o.Name, o.Source)
			}
		}
	}
	if !reflect.DeepEqual(all, sample()) {
		t.Error("Set changed the suite that it was called on")
	}
}

func TestSetRefuses(t *testing.T) {
	for list, words := range map[string][]string{
		"build time":              {"NAME=TARGET[/CRITICAL]", `"build time"`},
		"build=1s,":               {"NAME=TARGET"},
		"build=5s,build time=6s":  {`"build time" is set twice`},
		"bild=1s":                 {`unknown objective "bild"`, `"build time"`},
		"=1s":                     {"a name of objective is missing"},
		"build=":                  {"build time", "not a number"},
		"build=fast":              {"build time", `"fast"`},
		"build=5":                 {"build time", `"5" is not a value above zero such as "1 s"`},
		"build=5MB":               {`such as "1 s"`},
		"build=0s":                {"above zero"},
		"build=-1s":               {"above zero"},
		"build=1s/2s/3s":          {"more than TARGET/CRITICAL"},
		"build=1s/":               {"not a number"},
		"build=3s/2s":             {"build time", "critical 2 s is stricter than target 3 s"},
		"memory=1GB/1MB":          {"critical 1 MB is stricter than target 1 GB"},
		"tests=50/s/100/s":        {"critical 100/s is stricter than target 50/s"},
		"tests=100":               {`such as "1/s"`},
		"tests=100/s/50/s/20/s":   {"more than"},
		"cores=2s":                {`such as "1"`},
		"build=1s;memory=1MB":     {"build time"},
		"build=1s,memory":         {"NAME=TARGET"},
		"build=1s,memory=1s":      {"memory"},
		"build=NaNs":              {"not a number"},
		"build=1e400s":            {"not a number"},
		"build=1s memory=50MB/1s": {"build time"},
	} {
		got, err := sample().Set(list)
		checkUsage(t, err, words...)
		if len(got.Objectives) > 0 {
			t.Errorf("%q: a suite beside the error", list)
		}
	}
}
