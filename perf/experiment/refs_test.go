package experiment

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// files are the files below dir, without what git keeps there, and their content.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".git" {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		data, err := os.ReadFile(path)
		out[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCheckOutWorktree: the changes that are not committed come along, staged or not, and
// what git ignores does not.
func TestCheckOutWorktree(t *testing.T) {
	dir, _, second := repository(t)
	put(t, filepath.Join(dir, "gone"), "gone")
	put(t, filepath.Join(dir, ".gitignore"), "ignored\n")
	mustGit(t, dir, "add", ".")
	mustGit(t, dir, "commit", "--quiet", "-m", "more")
	check := userChanges(t, dir) // changes "file", stages "new"
	put(t, filepath.Join(dir, "sub", "unknown name"), "unknown")
	put(t, filepath.Join(dir, "ignored"), "ignored")
	if err := os.Remove(filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Symlink("file", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
	}
	before := files(t, dir)
	repo, err := FindRepository(t.Context(), filepath.Join(dir, "sub"))
	if err != nil || repo.Prefix != "sub" {
		t.Fatalf("%+v, %v", repo, err)
	}
	index, err := os.ReadFile(filepath.Join(dir, ".git", "index"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := repo.CheckOut(t.Context(), WorktreeRef, filepath.Join(t.TempDir(), "w"))
	if err != nil {
		t.Fatal(err)
	}
	got := files(t, w.Dir)
	want := map[string]string{"file": "changed", "new": "staged", "sub/unknown name": "unknown", ".gitignore": "ignored\n"}
	if runtime.GOOS != "windows" {
		want["link"] = "changed"
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s is %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the worktree holds %v", got)
	}
	if w.Commit == second {
		t.Error("the commit is not HEAD's")
	}
	if err := w.Remove(); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(dir, ".git", "index"))
	if err != nil || string(after) != string(index) {
		t.Error("the index was written")
	}
	for name, text := range files(t, dir) {
		if before[name] != text {
			t.Errorf("the user's %s was changed", name)
		}
	}
	_ = check // its list of changes is not the one here
	if left, _ := filepath.Glob(filepath.Join(dir, ".git", "worktrees", "*")); len(left) > 0 {
		t.Errorf("git still notes %q", left)
	}
}

// TestCheckOutReplacedFolder: where a folder has become a link or a file, what was in it is
// gone, and what the link leads to is the user's: it is neither read nor removed.
func TestCheckOutReplacedFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links take a right there")
	}
	for name, staged := range map[string]bool{"staged": true, "not staged": false} {
		dir, _, _ := repository(t)
		elsewhere := t.TempDir()
		put(t, filepath.Join(elsewhere, "data"), "the user's")
		put(t, filepath.Join(dir, "linked", "data"), "committed")
		put(t, filepath.Join(dir, "plain", "data"), "committed")
		mustGit(t, dir, "add", ".")
		mustGit(t, dir, "commit", "--quiet", "-m", "folders")
		for _, folder := range []string{"linked", "plain"} {
			if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
				t.Fatal(err)
			}
		}
		put(t, filepath.Join(dir, "plain"), "a file now")
		if err := os.Symlink(elsewhere, filepath.Join(dir, "linked")); err != nil {
			t.Fatal(err)
		}
		if staged {
			mustGit(t, dir, "add", "--all", ".")
		}
		repo, err := FindRepository(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		w, err := repo.CheckOut(t.Context(), WorktreeRef, filepath.Join(t.TempDir(), "w"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			if target, err := os.Readlink(filepath.Join(w.Dir, "linked")); err != nil || target != elsewhere {
				t.Errorf("%s: the link leads to %q, %v", name, target, err)
			}
			if data, err := os.ReadFile(filepath.Join(w.Dir, "plain")); err != nil || string(data) != "a file now" {
				t.Errorf("%s: the file is %q, %v", name, data, err)
			}
			if err := w.Remove(); err != nil {
				t.Error(err)
			}
		}
		if data, err := os.ReadFile(filepath.Join(elsewhere, "data")); err != nil || string(data) != "the user's" {
			t.Fatalf("%s: the user's file is %q, %v", name, data, err)
		}
	}
}

func TestCheckOutRef(t *testing.T) {
	dir, first, _ := repository(t)
	check := userChanges(t, dir)
	repo, err := FindRepository(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := repo.CheckOut(t.Context(), "first", filepath.Join(t.TempDir(), "w"))
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, w.Dir); w.Commit != first || len(got) != 1 || got["file"] != "one" {
		t.Errorf("%s holds %v", w.Commit, got)
	}
	if err := w.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.CheckOut(t.Context(), "nowhere", filepath.Join(t.TempDir(), "w")); perf.ExitStatus(err) != perf.ExitUsage {
		t.Errorf("error %v for a ref that is not there", err)
	}
	check()
}

func TestMergeBase(t *testing.T) {
	dir, first, second := repository(t)
	repo, err := FindRepository(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	base := func(ref string) string {
		t.Helper()
		commit, err := repo.MergeBase(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		return commit
	}
	if got := base("HEAD"); got != first {
		t.Errorf("with HEAD itself: %s, want its parent %s", got, first)
	}
	mustGit(t, dir, "branch", "other")
	mustGit(t, dir, "commit", "--quiet", "--allow-empty", "-m", "three")
	if got := base("other"); got != second {
		t.Errorf("with where it left: %s, want %s", got, second)
	}
	if _, err := repo.MergeBase(t.Context(), "nowhere"); err == nil {
		t.Error("a branch that is not there has a merge base")
	}
	mustGit(t, dir, "checkout", "--quiet", "first")
	if _, err := repo.MergeBase(t.Context(), "first"); err == nil || !strings.Contains(err.Error(), "no parent") {
		t.Errorf("the first commit: %v", err)
	}
	shallow, err := repo.Shallow(t.Context())
	if err != nil || shallow {
		t.Errorf("shallow %v, %v", shallow, err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	mustGit(t, ".", "clone", "--quiet", "--depth=1", "file://"+filepath.ToSlash(dir), clone)
	if repo, err = FindRepository(t.Context(), clone); err != nil {
		t.Fatal(err)
	}
	if shallow, err = repo.Shallow(t.Context()); err != nil || !shallow {
		t.Errorf("a clone of depth 1: shallow %v, %v", shallow, err)
	}
}

// TestAliases: a program is called by paths of different length, and they lead to the
// same folder.
func TestAliases(t *testing.T) {
	work := t.TempDir()
	aliases := Aliases(work)
	if aliases == nil {
		t.Skip("this system makes no symbolic links for us")
	}
	put(t, filepath.Join(work, "old0", "x"), "here")
	lengths := map[int]bool{}
	for _, a := range aliases {
		lengths[len(a)] = true
		if data, err := os.ReadFile(filepath.Join(underAlias(filepath.Join(work, "old0"), work, a), "x")); err != nil || string(data) != "here" {
			t.Errorf("%s: %q, %v", a, data, err)
		}
	}
	if len(lengths) != len(aliases) {
		t.Errorf("%d paths have %d lengths", len(aliases), len(lengths))
	}
	if got := underAlias("/elsewhere/x", work, aliases[0]); got != "/elsewhere/x" {
		t.Errorf("a path that does not lie there became %s", got)
	}
}

func TestBenchPattern(t *testing.T) {
	if got, want := benchPattern("BenchmarkX/a.b/c#01"), `^BenchmarkX$/^a\.b$/^c#01$`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := withoutProcs("BenchmarkX/n-8", 8); got != "BenchmarkX/n" {
		t.Error(got)
	}
	if got := withoutProcs("BenchmarkX/n-8", 1); got != "BenchmarkX/n-8" {
		t.Error(got)
	}
}

// Two packages never share a test binary: the one that was built last would be measured for
// both.
func TestTestBinary(t *testing.T) {
	seen := map[string]string{}
	for _, pkg := range []string{"example.com/a/b_c", "example.com/a_b/c", "example.com/a/b/c", "example.com/a_b_c", "example.com/a__b/c"} {
		name := testBinary(pkg)
		if other, ok := seen[name]; ok || strings.ContainsAny(name, `/\`) {
			t.Errorf("%s of %s is that of %q", name, pkg, other)
		}
		seen[name] = pkg
	}
}

// TestIterations: a run takes a hundredth of the budget, and one operation where nobody knows
// how long it takes.
func TestIterations(t *testing.T) {
	o := BenchmarkOptions{Budget: 20 * time.Second}
	for _, tc := range []struct {
		before, after goBenchmark
		want          int
	}{
		{goBenchmark{perOp: 1e-3}, goBenchmark{perOp: 2e-3}, 100},
		{goBenchmark{perOp: 1e-3}, goBenchmark{failed: true}, 200},
		{goBenchmark{}, goBenchmark{}, 1e9},
		{goBenchmark{failed: true}, goBenchmark{failed: true}, 1},
	} {
		if got := o.iterations(tc.before, tc.after); got != tc.want {
			t.Errorf("%+v and %+v: %d, want %d", tc.before, tc.after, got, tc.want)
		}
	}
}

// goModule makes a module with a benchmark that reports units of its own, and one that
// fails where broken says so.
func goModule(t *testing.T, ref string, work int, broken bool) GoModule {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "go.mod"), "module example.com/m\n\ngo 1.24\n")
	fails := ""
	if broken {
		fails = "b.Fatal(\"it broke\")"
	}
	put(t, filepath.Join(dir, "sub", "x_test.go"), `package sub

import "testing"

var sink []byte

func BenchmarkSum(b *testing.B) {
	for _, size := range []string{"small", "1/2"} {
		b.Run(size, func(b *testing.B) {
			b.ReportAllocs()
			s := 0
			for i := 0; i < b.N; i++ {
				for j := 0; j < `+strings.Repeat("1", work)+`; j++ { s += j*j }
				sink = make([]byte, 64)
			}
			b.ReportMetric(float64(s%1), "rests/op")
		})
	}
}

func BenchmarkBroken(b *testing.B) { `+fails+` }
`)
	work2 := t.TempDir()
	return GoModule{Ref: ref, Dir: dir, Processes: Processes{Work: work2, Root: work2}}
}

// TestPackages: a folder that is no package does not hide the others, and where there are
// only such ones, the go command's reason is told.
func TestPackages(t *testing.T) {
	m := goModule(t, "old", 1, false)
	put(t, filepath.Join(m.Dir, "no package", "a.go"), "package a\n")
	module, found, err := m.packages(t.Context(), regexp.MustCompile("Sum"))
	if err != nil || module == "" || len(found) != 1 || !strings.HasSuffix(found[0].pkg, "/sub") {
		t.Errorf("%q, %+v, %v", module, found, err)
	}
	if err := os.RemoveAll(filepath.Join(m.Dir, "sub")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.packages(t.Context(), regexp.MustCompile("Sum")); err == nil || !strings.Contains(err.Error(), `invalid char ' '`) {
		t.Errorf("%v, want the go command's reason", err)
	}
}

// TestGoBenchmarks compares real benchmarks, of which one is ten times slower.
func TestGoBenchmarks(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles test binaries; left out by -short")
	}
	older, newer := goModule(t, "old", 4, false), goModule(t, "new", 5, true)
	o := BenchmarkOptions{Budget: 20 * time.Second}
	list, gone, fresh, err := Benchmarks(t.Context(), older, newer, o, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 || len(gone)+len(fresh) > 0 {
		t.Fatalf("%d pairings, gone %v, new %v", len(list), gone, fresh)
	}
	r := new(perf.Result)
	if err := (Comparer{Seed: 1}).Run(context.WithoutCancel(t.Context()), [][]Pairing{list}, r); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sub.BenchmarkSum/small", "sub.BenchmarkSum/1/2"} {
		found := map[string]perf.Comparison{}
		for _, c := range r.Comparisons {
			if c.Workload == name {
				found[c.Metric] = c
			}
		}
		if c := found["sec/op"]; c.Verdict != perf.Slower || !c.Gate || *c.Ratio < 5 {
			t.Errorf("%s: %s, %s", name, c.Verdict, c.Reason)
		}
		// What the runtime allocates for itself beside the benchmark adds a byte on a busy
		// machine, now and then; then the samples are not constant, and nothing is exact.
		c := found["B/op"]
		constant := len(slices.Compact(slices.Concat(c.Old.Samples, c.New.Samples))) == 1
		if c.Verdict != perf.NoChange || c.Exact != constant || !c.Gate {
			t.Errorf("%s B/op: %s, exact %v: %v %v", name, c.Verdict, c.Exact, c.Old.Samples, c.New.Samples)
		}
		if c := found["allocs/op"]; c.Verdict != perf.NoChange || !c.Exact || !c.Gate {
			t.Errorf("%s allocs/op: %s, exact %v: %v", name, c.Verdict, c.Exact, c.Old.Samples)
		}
		if _, ok := found["rests/op"]; !ok || len(found) != 4 {
			t.Errorf("%s has the metrics %v", name, found)
		}
	}
	if w := r.Workload("sub.BenchmarkBroken"); w == nil || w.State != perf.StateFailed || !strings.Contains(w.Reason, "it broke") {
		t.Errorf("the broken benchmark: %+v", w)
	}
}

// TestAlike tells builds apart by their bytes.
func TestAlike(t *testing.T) {
	step := suite.Step{Workload: suite.Workload{Name: "build", Creates: []string{suite.Work + "/bin/x"}}}
	made := func(texts ...string) (builds []Processes) {
		for _, text := range texts {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "bin", "x"), text)
			builds = append(builds, Processes{Work: dir})
		}
		return builds
	}
	for _, tc := range []struct {
		builds []Processes
		want   bool
	}{{made("a"), false}, {made("a", "b"), false}, {made("a", "a"), true}, {made("a", "b", "a"), true}} {
		if got, err := Alike(tc.builds, step); got != tc.want || err != nil {
			t.Errorf("of %d builds: %v (%v), want %v", len(tc.builds), got, err, tc.want)
		}
	}
	if _, err := Alike([]Processes{{Work: t.TempDir()}}, step); err == nil {
		t.Error("a program that is not there is compared")
	}
	if got, err := Alike(made("a", "a"), suite.Step{}); got || err != nil {
		t.Errorf("a step without a program: %v (%v)", got, err)
	}
}
