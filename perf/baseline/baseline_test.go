package baseline

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestSaveAndLoad(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "not", "there", "yet")}
	path := save(t, s, result("a"), "main")
	if want := filepath.Join(s.Dir, suite, machine, "main.json"); path != want {
		t.Errorf("saved as %s, want %s", path, want)
	}
	onlyFile(t, path)
	got, err := s.Load(suite, machine, "main")
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != "a" || !got.Created.Equal(created) || !reflect.DeepEqual(got.Workloads[0].Metrics, result("a").Workloads[0].Metrics) {
		t.Errorf("loaded %+v", got)
	}
}

func TestSaveReplaces(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	save(t, s, result("a"), "main")
	path := save(t, s, result("b"), "main")
	if got, err := s.Load(suite, machine, "main"); err != nil || got.ID != "b" {
		t.Errorf("loaded %v, %v; want the second result", got, err)
	}
	onlyFile(t, path)
}

// What Save refuses leaves the old baseline, and no folder for what there will be none of.
func TestSaveRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(*perf.Result)
		name  string
		words []string
		exit  int
	}{
		"interrupted":     {func(r *perf.Result) { r.Complete = false }, "main", []string{"run b", "did not come to its end"}, perf.ExitFailure},
		"restricted":      {func(r *perf.Result) { r.Only = []string{"build", "validate"} }, "main", []string{"restricted to build, validate", "without -only"}, perf.ExitFailure},
		"not valid":       {func(r *perf.Result) { r.Workloads[0].Metrics[0].Samples[1] = math.NaN() }, "main", []string{"workloads[0].metrics[0].samples[1]: NaN"}, perf.ExitFailure},
		"bad name":        {func(*perf.Result) {}, "../main", []string{`"../main"`, "baseline"}, perf.ExitUsage},
		"bad suite":       {func(r *perf.Result) { r.Suite = "a/b" }, "main", []string{`"a/b"`, "suite"}, perf.ExitUsage},
		"bad fingerprint": {func(r *perf.Result) { r.Machine.Fingerprint = ".." }, "main", []string{`".."`, "machine"}, perf.ExitUsage},
		"case":            {func(*perf.Result) {}, "Main", []string{`"Main"`, `"main"`, "case alone"}, perf.ExitUsage},
		"case of a suite": {func(r *perf.Result) { r.Suite = "Cleanroom" }, "main", []string{`"Cleanroom"`, `"cleanroom"`, "case alone"}, perf.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			s := Store{Dir: t.TempDir()}
			path := save(t, s, result("a"), "main")
			before := contents(t, path)
			r := result("b")
			row.spoil(r)
			saved, err := s.Save(r, row.name)
			wantError(t, err, row.words...)
			if saved != "" || perf.ExitStatus(err) != row.exit {
				t.Errorf("saved as %q with exit status %d, want %d", saved, perf.ExitStatus(err), row.exit)
			}
			if contents(t, path) != before {
				t.Error("the old baseline has changed")
			}
			onlyFile(t, path)
			onlyFile(t, filepath.Join(s.Dir, suite))
		})
	}
}

func TestLoadOfUnknownName(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	for _, name := range []string{"main", "v1.0", "nightly"} {
		save(t, s, result("a"), name)
	}
	save(t, s, on(result("a"), other), "mian")
	_, err := s.Load(suite, machine, "mian")
	missing, ok := errors.AsType[*NotFoundError](err)
	if !ok || !errors.Is(err, fs.ErrNotExist) || perf.ExitStatus(err) != perf.ExitUsage {
		t.Fatalf("got %v (%T, exit status %d)", err, err, perf.ExitStatus(err))
	}
	want := &NotFoundError{Dir: s.Dir, Suite: suite, Fingerprint: machine, Name: "mian", Nearest: "main",
		Names: []string{"main", "nightly", "v1.0"}, Elsewhere: []string{other}, Suites: []string{suite}}
	if !reflect.DeepEqual(missing, want) {
		t.Errorf("got  %+v\nwant %+v", missing, want)
	}
	wantError(t, err, `no baseline "mian" of suite "cleanroom" for machine `+machine, `did you mean "main"?`,
		"there are: main, nightly, v1.0", "other machines have it: "+other, "baseline:save mian")
}

// A baseline of another machine is no "none at all".
func TestLoadOfAnotherMachinesBaseline(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	save(t, s, on(result("a"), other), "main")
	_, err := s.Load(suite, machine, "main")
	wantError(t, err, "none of this machine", "other machines have it: "+other, "-acrossMachines")
	if strings.Contains(err.Error(), "at all") {
		t.Errorf("%v: there is one", err)
	}
}

func TestLoadFromNothing(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "none")}
	_, err := s.Load(suite, machine, "main")
	wantError(t, err, `no baseline "main"`, "there is none at all", "baseline:save main")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load has made a folder: %v", err)
	}
	save(t, s, result("a"), "main")
	_, err = s.Load("clnrm", machine, "main")
	wantError(t, err, `of suite "clnrm"`, "the suites with baselines are: cleanroom")
	_, err = s.Load(suite, machine, "something else")
	wantError(t, err, "something else", "letters")
	if perf.ExitStatus(err) != perf.ExitUsage {
		t.Errorf("a name that cannot be has exit status %d", perf.ExitStatus(err))
	}
}

// Each row is a file as it must not be; the error names it, its line and its fault.
func TestLoadOfBrokenFile(t *testing.T) {
	whole := contents(t, save(t, Store{Dir: t.TempDir()}, result("a"), "main"))
	replace := func(old, new string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("no %q in the file", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	lines := strings.Count(whole, "\n")
	for name, row := range map[string]struct {
		data   string
		line   int
		reason string
	}{
		"empty":             {"", 0, "empty"},
		"truncated":         {whole[:len(whole)/2], 1 + strings.Count(whole[:len(whole)/2], "\n"), "truncated?"},
		"newer":             {replace("result/v1", "result/v2"), 2, "newer clnrm-perf"},
		"NaN":               {replace("0.0019", "NaN"), lineIn(whole, "0.0019"), "NaN is not a finite number"},
		"string in samples": {replace("0.0019", `"0.0019"`), lineIn(whole, "0.0019"), "found a JSON string"},
		"trailing":          {whole + "x\n", lines + 1, "behind the end"},
		"workload twice": {replace(`"workloads": [`, `"workloads": [{"name": "cli startup", "state": "ok"},`), lineIn(whole, `"name": "cli startup"`),
			`workloads[1].name: "cli startup" stands there twice`},
		"wrong suite":   {replace(`"suite": "cleanroom"`, `"suite": "clnrm"`), 0, `suite "clnrm" in the folder of suite "cleanroom"`},
		"wrong machine": {replace(machine, other), 0, "machine " + other + " in the folder of machine " + machine},
	} {
		t.Run(name, func(t *testing.T) {
			s := Store{Dir: t.TempDir()}
			path := s.path(suite, machine, "main")
			put(t, path, row.data)
			r, err := s.Load(suite, machine, "main")
			syn, ok := errors.AsType[*perf.SyntaxError](err)
			if r != nil || !ok || syn.File != path || syn.Line != row.line || !strings.Contains(syn.Msg, row.reason) {
				t.Errorf("got %v and %v\nwant %s:%d ...%s...", r, err, path, row.line, row.reason)
			}
			if perf.ExitStatus(err) != perf.ExitFailure {
				t.Errorf("exit status %d", perf.ExitStatus(err))
			}
		})
	}
}

// lineIn is the line, from 1, of the first occurrence of text.
func lineIn(s, text string) int {
	before, _, _ := strings.Cut(s, text)
	return 1 + strings.Count(before, "\n")
}

func TestLoadOfFolder(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	path := s.path(suite, machine, "main")
	put(t, filepath.Join(path, "x"), "")
	_, err := s.Load(suite, machine, "main")
	wantError(t, err, path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder in place of the file is said not to exist: %v", err)
	}
}

// Broken files stand beside whole ones, and neither hides the other.
func TestList(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	if entries, errs := (Store{Dir: filepath.Join(s.Dir, "none")}).List(); len(entries)+len(errs) > 0 {
		t.Errorf("a store that is not there lists %v, %v", entries, errs)
	}
	save(t, s, result("a"), "main")
	save(t, s, result("b"), "main-2")
	save(t, s, on(result("c"), other), "main")
	clnrm := result("d")
	clnrm.Suite, clnrm.Subject.Dirty = "clnrm", true
	save(t, s, clnrm, "v1")
	folder := filepath.Join(s.Dir, suite, machine)
	put(t, filepath.Join(folder, "broken.json"), "{")
	put(t, filepath.Join(folder, "no name.json"), "{}")
	put(t, filepath.Join(folder, ".ABCDEF.tmp"), "left by a crash")
	put(t, filepath.Join(folder, "notes.txt"), "not a baseline")
	put(t, filepath.Join(s.Dir, "README.md"), "not a suite")
	put(t, filepath.Join(s.Dir, ".git", machine, "x.json"), "not ours")

	entries, errs := s.List()
	var got []string
	for _, e := range entries {
		got = append(got, strings.Join([]string{e.Suite, e.Fingerprint, e.Name, e.ID}, " "))
	}
	want := []string{"cleanroom " + machine + " main a", "cleanroom " + machine + " main-2 b", "cleanroom " + other + " main c", "clnrm " + machine + " v1 d"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("listed\n%q, want\n%q", got, want)
	}
	if e := entries[3]; e.Commit != "f50fa93" || !e.Dirty || !e.Created.Equal(created) || e.Mode != "quick" || e.Machine.Cores != 2 || e.Path != s.path("clnrm", machine, "v1") {
		t.Errorf("the entry is %+v", e)
	}
	if len(errs) != 2 {
		t.Fatalf("errors %v, want two", errs)
	}
	wantError(t, errors.Join(errs...), "broken.json:1", "no name.json", "letters")
}

func TestFind(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	save(t, s, on(result("b"), other), "main")
	save(t, s, result("a"), "main")
	save(t, s, result("c"), "else")
	put(t, s.path(suite, machine, "unrelated"), "{")
	entries, err := s.Find(suite, "main")
	if err != nil || len(entries) != 2 || entries[0].ID != "a" || entries[1].ID != "b" {
		t.Errorf("found %v, %v", entries, err)
	}
	put(t, s.path(suite, "third-machine", "main"), "{")
	entries, err = s.Find(suite, "main")
	if wantError(t, err, "third-machine", "truncated?"); len(entries) != 2 {
		t.Errorf("found %v beside the broken one", entries)
	}
	entries, err = s.Find(suite, "mian")
	if missing, ok := errors.AsType[*NotFoundError](err); !ok || missing.Nearest != "main" || missing.Fingerprint != "" || len(missing.Names) != 3 {
		t.Errorf("found %v, %v", entries, err)
	}
	if _, err := s.Find(suite, "a/b"); perf.ExitStatus(err) != perf.ExitUsage {
		t.Errorf("a name that cannot be: %v", err)
	}
}

func TestStoreInAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "baselines")
	put(t, file, "a file")
	s := Store{Dir: file}
	_, err := s.Save(result("a"), "main")
	wantError(t, err, "main", "unchanged", file)
	if _, errs := s.List(); len(errs) == 0 {
		t.Error("a file in place of the folder is listed as an empty store")
	}
	if contents(t, file) != "a file" {
		t.Error("the file has changed")
	}
}

func TestCheckName(t *testing.T) {
	long := strings.Repeat("a", perf.MaxFileName)
	for _, name := range []string{"a", "main", "v1.0.2", "A_b-c", "-", "_", "0", "console", "com10", "nul-1", "a..b", long} {
		if err := CheckName("baseline", name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, reason := range map[string]string{
		"": "empty", long + "a": "101 bytes", ".hidden": "begins with a dot", ".": "begins with a dot", "..": "begins with a dot",
		"a.": "Windows drops the dot", "a/b": "letters", `a\b`: "letters", "a b": "letters", "a\x00": "letters", "a\n": "letters", "ä": "letters", "a:b": "letters",
		"con": "device", "CON": "device", "Nul.txt": "device", "aux.a.b": "device", "com0": "device", "LPT9": "device", "prn": "device",
	} {
		err := CheckName("baseline", name)
		if wantError(t, err, reason, "baseline"); perf.ExitStatus(err) != perf.ExitUsage {
			t.Errorf("%q: exit status %d", name, perf.ExitStatus(err))
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"main", "nightly", "release-candidate", "v1"}
	for name, want := range map[string]string{"mian": "main", "MAIN": "main", "nihgtly": "nightly", "release": "", "release-canddate": "release-candidate", "v2": "v1", "quite different": ""} {
		if got := nearest(name, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", name, got, want)
		}
	}
	if got := nearest("a", nil); got != "" {
		t.Errorf("nearest of none is %q", got)
	}
}
