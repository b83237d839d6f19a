package suite

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestScan(t *testing.T) {
	for scan, want := range map[string][]string{
		"n=1..4":            {"1", "2", "3", "4"},
		"n=1..1":            {"1"},
		"n=1..8..3":         {"1", "4", "7"},
		"n=1..2..5":         {"1"},
		"n=-1..1":           {"-1", "0", "1"},
		"n=0..0.3..0.1":     {"0", "0.1", "0.2", "0.3"},
		"n=1e6..3e6..1e6":   {"1000000", "2000000", "3000000"},
		"n=1e14..1e14":      {"100000000000000"},
		"n=a,b,a b":         {"a", "b", "a b"},
		"n=,-v":             {"", "-v"},
		"n=../a,../b..c":    {"../a", "../b..c"},
		" n =1,2":           {"1", "2"},
		"n=x=1,x=2":         {"x=1", "x=2"},
		"n=only":            {"only"},
		"n=0.1..0.1":        {"0.1"},
		"n=0..1e-7..0.5e-7": {"0", "0.00000005", "0.0000001"},
	} {
		name, values, err := parseScan(scan)
		if err != nil || name != "n" || !slices.Equal(values, want) {
			t.Errorf("%q: %q, %q, %v; want %q", scan, name, values, err, want)
		}
	}
	if _, values, err := parseScan("n=1..1000"); err != nil || len(values) != maxScan || values[999] != "1000" {
		t.Errorf("1..1000: %d values, %v", len(values), err)
	}
}

func TestScanRefuses(t *testing.T) {
	for scan, word := range map[string]string{
		"n": "is not of the form", "=1..2": "form", "n=": "form", "\t=1": "form",
		"n=8..1": "rise", "n=1..8..0": "positive step", "n=1..8..-1": "positive step", "n=0..1000": "at most 1000", "n=1..1e18": "at most 1000",
		"n=a..b": `"a" is not a number`, "n=1..": `"" is not a number`, "n=..": "not a number", "n=1..2..3..4": "FROM..TO..STEP",
		"n=1..2..Inf": `"Inf" is not a number`, "n=NaN..2": "not a number", "n=-Inf..Inf": "not a number",
		"n=1..4,9": "a range such as 1..4 cannot be an item of a list", "n=a,1..9..2": "range such as 1..9..2",
	} {
		_, _, err := parseScan(scan)
		checkUsage(t, err, "-scan="+scan, word)
	}
}

func adHocSuite(t *testing.T, a AdHoc) Suite {
	t.Helper()
	s, err := a.Suite()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckValid(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAdHoc(t *testing.T) {
	a := AdHoc{
		Command: "prog --size {n} 'a b'", Setup: "make {n}", Prepare: "cp x 'y {n}'", Conclude: "rm y", Cleanup: "rm -r z",
		Scan: "n=1..2", Warmup: 2, Memory: 1, CPUs: []int{1},
	}
	s := adHocSuite(t, a)
	if s.Name != "time" || !slices.Equal(s.Names(), []string{"prog --size 1 'a b'", "prog --size 2 'a b'"}) {
		t.Fatalf("%s: %q", s.Name, s.Names())
	}
	w := s.Workloads[1]
	for _, row := range []struct {
		got  []Command
		want []string
	}{
		{[]Command{w.Command}, []string{"prog", "--size", "2", "a b"}}, {w.Setup, []string{"make", "2"}}, {w.Prepare, []string{"cp", "x", "y 2"}},
		{w.Conclude, []string{"rm", "y"}}, {w.Cleanup, []string{"rm", "-r", "z"}},
	} {
		if len(row.got) != 1 || !slices.Equal(row.got[0].Args, row.want) {
			t.Errorf("%v, want %q", row.got, row.want)
		}
	}
	if w.Warmup != 2 || w.Memory != 1 || !slices.Equal(w.CPUs, []int{1}) || w.Timeout != time.Hour || w.Min != adHocMin || w.Max != adHocMax || w.Budget != adHocBudget {
		t.Errorf("%+v", w)
	}
}

func TestAdHocRuns(t *testing.T) {
	for _, row := range []struct {
		name     string
		a        AdHoc
		min, max int
		budget   time.Duration
		firm     bool
	}{
		{"the usual", AdHoc{}, adHocMin, adHocMax, adHocBudget, true},
		{"an exact number", AdHoc{Runs: 3}, 3, 3, adHocBudget, true},
		{"one run", AdHoc{Runs: 1}, 1, 1, adHocBudget, true},
		{"more than the usual", AdHoc{Runs: 5000}, 5000, 5000, adHocBudget, true},
		{"a time, which ends the runs however few", AdHoc{Budget: time.Minute}, adHocMin, adHocMax, time.Minute, false},
		{"both", AdHoc{Runs: 4, Budget: time.Minute}, 4, 4, time.Minute, true},
	} {
		row.a.Command = "prog"
		s := adHocSuite(t, row.a)
		step := s.Plan(AdHocMode, map[string]bool{"prog": true})[0]
		if step.Min != row.min || step.Max != row.max || step.Budget != row.budget || step.Firm != row.firm {
			t.Errorf("%s: %d to %d within %s, firm %v", row.name, step.Min, step.Max, step.Budget, step.Firm)
		}
	}
}

func TestAdHocShell(t *testing.T) {
	s := adHocSuite(t, AdHoc{Command: "echo $WORKSPACE | wc", Prepare: "a && b", Shell: []string{"sh", "-c"}})
	w := s.Workloads[0].Expand("/w")
	if !slices.Equal(w.Command.Args, []string{"sh", "-c", "echo $WORKSPACE | wc"}) || !slices.Equal(w.Prepare[0].Args, []string{"sh", "-c", "a && b"}) {
		t.Errorf("%q, prepare %q", w.Command.Args, w.Prepare)
	}
	shell := s.Workloads[1]
	if shell.Name != ShellItself || !slices.Equal(shell.Command.Args, []string{"sh", "-c", ""}) {
		t.Errorf("%q: %q", shell.Name, shell.Command.Args)
	}
	// Else the status line promises an hour for thirty runs of an empty line.
	step := s.Plan(AdHocMode, map[string]bool{ShellItself: true})[1]
	if step.Expected() > time.Minute || step.Min != step.Max {
		t.Errorf("expected %s for %d to %d runs", step.Expected(), step.Min, step.Max)
	}
}

// What varies in a hook alone must not make two workloads of one name.
func TestAdHocScanInHook(t *testing.T) {
	s := adHocSuite(t, AdHoc{Command: "sort big.txt", Prepare: "make-input {n}", Scan: "n=10,20"})
	if want := []string{"sort big.txt (n=10)", "sort big.txt (n=20)"}; !slices.Equal(s.Names(), want) {
		t.Errorf("%q", s.Names())
	}
	if got := s.Workloads[1].Prepare[0].Args[1]; got != "20" {
		t.Errorf("prepare gets %q", got)
	}
}

func TestAdHocRefuses(t *testing.T) {
	for i, row := range []struct {
		a    AdHoc
		word string
	}{
		{AdHoc{}, "command is empty"},
		{AdHoc{Command: "  ", Shell: []string{"sh", "-c"}}, "command is empty"},
		{AdHoc{Command: "a | b"}, "-shell"},
		{AdHoc{Command: "a", Prepare: "b > c"}, "-shell"},
		{AdHoc{Command: "a", Setup: "'b"}, "never closed"},
		{AdHoc{Command: "a", Cleanup: " "}, "no word"},
		{AdHoc{Command: "a", Scan: "n=1..2"}, "{n} occurs neither"},
		{AdHoc{Command: "a", Conclude: "b {n}", Scan: "n=1..2"}, "{n} occurs neither"},
		{AdHoc{Command: "a{n", Prepare: "}", Scan: "n=1..2"}, "{n} occurs neither"},
		{AdHoc{Command: "a {n}", Scan: "n=1,2,1"}, "the value 1 stands there twice"},
		{AdHoc{Command: "a {n}", Scan: "1..2"}, "-scan=1..2"},
		{AdHoc{Command: "a {n}", Scan: "n=it's,b"}, "never closed"},
		{AdHoc{Command: "a", Runs: -1}, "-runs=-1"},
		{AdHoc{Command: "a", Warmup: -1}, "-warmup=-1"},
		{AdHoc{Command: "a", Memory: -2}, "-memory=-2"},
		{AdHoc{Command: "a", Budget: -time.Second}, "-budget=-1s"},
		{AdHoc{Command: "a", Timeout: -time.Second}, "-timeout=-1s"},
	} {
		s, err := row.a.Suite()
		if err == nil {
			t.Errorf("row %d: %q passes", i, row.a.Command)
			continue
		}
		checkUsage(t, err, row.word)
		if len(s.Workloads) > 0 {
			t.Errorf("row %d: a suite beside the error", i)
		}
	}
}

// FuzzScan holds that no scan panics, and that one that is taken has a name, values,
// and from a range no more of them than a person can mean.
func FuzzScan(f *testing.F) {
	for _, s := range []string{"n=1..8", "n=0..1..0.1", "n=a,b", "n=1..2..Inf", "=", "n=1e308..1e308", "n=-1e308..1e308..1e308"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, scan string) {
		name, values, err := parseScan(scan)
		if err != nil || scan == "" {
			return
		}
		if name == "" || len(values) == 0 || len(values) > max(maxScan, strings.Count(scan, ",")+1) {
			t.Errorf("%q is %q with %d values", scan, name, len(values))
		}
	})
}
