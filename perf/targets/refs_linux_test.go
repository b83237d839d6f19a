package targets_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// counting is a magefile whose suite builds a shell script and runs it: what the commits
// of a test differ in is how far the script counts.
const counting = `import (
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"

	//mage:import
	"github.com/seanchatmangpt/clnrm-perf/perf/targets"
)

func init() {
	bin := suite.Work + "/bin/count"
	targets.Use(suite.Suite{Name: "counting", Subject: "a script that counts", Workloads: []suite.Workload{
		{Name: "build", Command: suite.Command{Args: []string{"sh", "-c", "sh -n count.sh && cp count.sh " + bin + " && echo $GOCACHE $GOCACHEPROG >" + bin + ".caches"}}, Creates: []string{bin}, OneShot: true},
		{Name: "count", Command: suite.Command{Args: []string{"sh", bin}}, Needs: []string{"build"}},
	}})
}
`

// count is a script that counts to n.
func count(n int) string {
	return fmt.Sprintf("i=0\nwhile [ $i -lt %d ]; do i=$((i+1)); done\n", n)
}

// countingCompiled guards the gate that is compiled from counting: all counters use one.
var countingCompiled sync.Once

// countingGate is the compiled gate of repositories whose suite is that of counting.
func countingGate(t *testing.T) string {
	t.Helper()
	_, repository := gate(t) // its folder stays until all tests have ended
	binary := filepath.Join(repository, "counting")
	countingCompiled.Do(func() {
		newConsumer(t, counting).mage(t, "-compile", binary).want(t, 0)
	})
	return binary
}

// A counter is a repository with three commits: one that counts to 10,000, one that
// differs in a comment, and one that counts to 20,000, which is main.
type counter struct {
	consumer
	gate string
}

func newCounter(t *testing.T) counter {
	t.Helper()
	testenv.Tool(t, "git")
	testenv.Tool(t, "sh")
	c := counter{consumer{dir: t.TempDir(), env: append(os.Environ(), "CLNRM_DIR=", "CLNRM_REF=", "CLNRM_BIN=", "GITHUB_BASE_REF=")}, countingGate(t)}
	c.write(t, "go.mod", "module example.com/count\n\ngo 1.26\n")
	c.write(t, "main.go", "package main\n\nfunc main() {}\n")
	c.git(t, "init", "--quiet", "--initial-branch=main")
	c.commit(t, count(10_000), "fast")
	c.commit(t, count(10_000)+"# the same\n", "same")
	c.commit(t, count(20_000), "slow")
	return c
}

func (c counter) git(t *testing.T, args ...string) string {
	t.Helper()
	return checkout{c.dir}.git(t, args...)
}

// commit commits everything with that script, and tags it.
func (c counter) commit(t *testing.T, script, tag string) {
	t.Helper()
	c.write(t, "count.sh", script)
	c.write(t, ".gitignore", ".perf/\n")
	c.git(t, "add", ".")
	c.git(t, "commit", "--quiet", "-m", tag)
	c.git(t, "tag", tag)
}

// run runs the compiled targets in the repository, which must not change it.
func (c counter) run(t *testing.T, args ...string) outcome {
	t.Helper()
	before := c.state(t)
	o := c.call(t, args...)
	if after := c.state(t); after != before {
		t.Errorf("%q has changed the user's repository:\n%s\nnow\n%s", args, before, after)
	}
	nothingLeft(t, c.dir)
	return o
}

// call runs the compiled targets in the repository.
func (c counter) call(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.gate, args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the status is looked at
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// state is the index, what git says of the checkout, and its worktrees.
func (c counter) state(t *testing.T) string {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(c.dir, ".git", "index"))
	if err != nil {
		t.Fatal(err)
	}
	notes, _ := filepath.Glob(filepath.Join(c.dir, ".git", "worktrees", "*"))
	return string(index) + checkout{c.dir}.state(t) + strings.Join(notes, " ")
}

func TestCompareRefs(t *testing.T) {
	c := newCounter(t)
	slower := c.run(t, "compareRefs", "fast", "slow", "-budget=60s", "-profile")
	slower.want(t, perf.ExitGate, "count", "SLOWER", "these binaries", "count cpu is SLOWER")
	t.Run("profile", func(t *testing.T) { c.profiled(t, slower) })
	r := c.run(t, "compareRefs", "slow", "fast", "-budget=60s", "-profile", "-json", "-seed=5", "-rebuilds=2").decoded(t)
	if len(r.Comparisons) == 0 || r.Comparisons[0].Verdict != perf.Faster || r.Comparisons[0].Old.Ref != "slow" || r.Comparisons[0].Seed != 5 || r.Comparisons[0].Builds != 2 || r.Comparisons[0].Profile != nil || r.Exit != 0 {
		t.Errorf("exit %d: %+v", r.Exit, r.Comparisons)
	}
	if r.Workload("build") != nil || r.Suite != "counting" {
		t.Error("a clean build was compared, and nobody asked for it")
	}
	// What is not committed; it is only read.
	c.write(t, "count.sh", count(40_000))
	c.run(t, "compareRefs", "HEAD", "WORKTREE", "-budget=60s", "-workload=count").want(t, perf.ExitGate, "SLOWER", "WORKTREE")
	c.write(t, "count.sh", "while ;\n")
	c.run(t, "compareRefs", "HEAD", "WORKTREE").want(t, perf.ExitFailure, "WORKTREE: build failed", "yntax error")
	c.run(t, "compareRefs", "HEAD", "nowhere").want(t, perf.ExitFailure, `there is no commit "nowhere"`)
	kept := len(results(t, c.dir))
	typo := c.run(t, "compareRefs", "HEAD", "HEAD", "-workload=cuont")
	typo.want(t, perf.ExitUsage, `did you mean "count"?`)
	if typo.stdout != "" || len(results(t, c.dir)) != kept {
		t.Errorf("a call that makes no sense has left a result, or printed\n%s", typo.stdout)
	}
	c.run(t, "compareRefs", "HEAD", "HEAD", "-rebuilds=-1").want(t, perf.ExitUsage, "-rebuilds=-1")
	c.run(t, "compareRefs", "HEAD", "HEAD", "-workload=BenchmarkNone").want(t, perf.ExitFailure, "nothing was compared")
	beside := c.run(t, "compareRefs", "fast", "fast", "-workload=count,BenchmarkNone", "-budget=1s")
	beside.want(t, perf.ExitFailure, "BenchmarkNone begins the name of no Go benchmark")
	if !strings.Contains(beside.stdout, "Nothing was compared.") {
		t.Errorf("a benchmark that is not there was found out after measuring:\n%s", beside.stdout)
	}
}

// Each ref has a build cache of its own, and a program that serves it where nothing is
// measured.
func TestBuildCaches(t *testing.T) {
	c := newCounter(t)
	home := t.TempDir()
	c.env = append(c.env, "XDG_CACHE_HOME="+home, "GOCACHE="+filepath.Join(home, "users"), "GOCACHEPROG=that of the user", "GOENV="+filepath.Join(home, "env"))
	if err := os.WriteFile(filepath.Join(home, "env"), []byte("GOCACHEPROG=/one/for/good\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const show = "echo \"run $GOCACHE $GOCACHEPROG; built $(cat $0.caches)\" >&2; exit 1\n"
	c.commit(t, show, "show")
	for side, refs := range map[string][2]string{"old": {"show", "fast"}, "new": {"fast", "show"}} {
		c.run(t, "compareRefs", refs[0], refs[1], "-workload=count").want(t, perf.ExitFailure, "go env -w has set GOCACHEPROG to /one/for/good")
		own := filepath.Join(home, "clnrm-perf", "go-build", side)
		others := filepath.Join(home, "users")
		if side == "new" {
			others += " " + filepath.Join(home, "clnrm-perf", "go-build", "old")
		}
		want := fmt.Sprintf("run %s ; built %s %s clnrm-perf-gocache %s %s\n", own, own, c.gate, own, others)
		if !c.logged(t, want) {
			t.Errorf("no run said\n%s", want)
		}
	}
}

// A gate that prints when it starts cannot serve a cache. What it builds begins with less.
func TestGateThatPrints(t *testing.T) {
	c := newCounter(t)
	printing := newConsumer(t, strings.Replace(counting, "import (", "import (\n\t_ \"example.com/greet/a\"\n", 1))
	printing.write(t, "a/a.go", "package a\n\nimport \"os\"\n\nfunc init() { os.Stdout.WriteString(\"hello\\n\") }\n")
	c.gate = filepath.Join(t.TempDir(), "gate")
	printing.mage(t, "-compile", c.gate).want(t, 0)
	c.run(t, "compareRefs", "fast", "fast", "-workload=count", "-budget=1s").want(t, 0, "cannot be taken over", "prints something else first")
}

// logged reports whether a log of a run holds the text.
func (c counter) logged(t *testing.T, text string) bool {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(c.dir, ".perf", "runs", "*", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(logs, func(name string) bool {
		data, err := os.ReadFile(name)
		return err == nil && strings.Contains(string(data), text)
	})
}

func TestRegressions(t *testing.T) {
	c := newCounter(t)
	// On main itself the parent is the base.
	c.run(t, "regressions", "-budget=60s").want(t, perf.ExitGate, "merge base with main", "SLOWER")
	c.git(t, "checkout", "--quiet", "-b", "branch", "same")
	c.run(t, "regressions", "-base=fast", "-budget=60s", "-minEffect=10%").want(t, 0, "NO CHANGE")
	c.run(t, "regressions", "-base=nowhere").want(t, perf.ExitFailure, "git fetch origin nowhere")
	c.run(t, "regressions", "-base=fast", "-workload=count", "-allowUnmeasured=cuont").want(t, perf.ExitFailure, `unknown name in -allowUnmeasured "cuont"`, `did you mean "count"?`, "build, count")
	c.run(t, "regressions", "-base=fast", "-workload=count", "-allowUnmeasured=cou").want(t, perf.ExitFailure, `did you mean "count"?`)
	shallow := c
	shallow.dir = filepath.Join(t.TempDir(), "clone")
	c.git(t, "clone", "--quiet", "--depth=1", "file://"+c.dir, shallow.dir)
	shallow.run(t, "regressions").want(t, perf.ExitFailure, "git fetch --unshallow origin")
}

// TestRegressionsOfABenchmarkThatIsGone: a gate must not turn green by losing what it
// looks at.
func TestRegressionsOfABenchmarkThatIsGone(t *testing.T) {
	c := newCounter(t)
	c.write(t, "x_test.go", "package main\n\nimport \"testing\"\n\nfunc BenchmarkX(b *testing.B) { for range b.N { _ = make([]int, b.N%7) } }\n")
	c.commit(t, count(10_000), "with")
	if err := os.Remove(filepath.Join(c.dir, "x_test.go")); err != nil {
		t.Fatal(err)
	}
	c.commit(t, count(10_000), "without")
	args := []string{"regressions", "-base=with", "-budget=60s", "-minEffect=10%"}
	c.run(t, args...).want(t, perf.ExitUnjudged, "NOT MEASURED", "BenchmarkX")
	c.run(t, append(args, "-allowUnmeasured=BenchmarkX")...).want(t, 0)
	c.run(t, append(args, "-allowUnmeasured=BenchmarkX,BenchmarkY")...).want(t, perf.ExitFailure, `unknown name in -allowUnmeasured "BenchmarkY"`, "BenchmarkX")
	// A benchmark that is not asked for is not looked for.
	c.run(t, append(args, "-workload=count", "-allowUnmeasured=BenchmarkY")...).want(t, 0)
}

// TestRegressionsOfADamagedRepository: a branch that git cannot read is there, so that it
// helps nobody to fetch it.
func TestRegressionsOfADamagedRepository(t *testing.T) {
	c := newCounter(t)
	c.git(t, "checkout", "--quiet", "-b", "branch", "same")
	commit := strings.TrimSpace(c.git(t, "rev-parse", "main"))
	object := filepath.Join(c.dir, ".git", "objects", commit[:2], commit[2:])
	if err := errors.Join(os.Chmod(object, 0o600), os.WriteFile(object, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	o := c.call(t, "regressions")
	o.want(t, perf.ExitFailure, `looking for the commit "main"`, "is corrupt")
	if strings.Contains(o.stderr, "there is no main") {
		t.Errorf("the branch is there, and git cannot read it:\n%s", o.stderr)
	}
}

func TestRemeasure(t *testing.T) {
	c := newCounter(t)
	c.git(t, "checkout", "--quiet", "fast")
	c.run(t, "benchmarks").want(t, 0)
	c.call(t, "baseline:save", "main").want(t, 0)
	c.run(t, "baseline:compare", "main", "-budget=60s").want(t, perf.ExitUsage, "-remeasure")
	c.run(t, "baseline:compare", "main", "-workload=count").want(t, perf.ExitUsage, "-remeasure")
	c.run(t, "baseline:compare", "main", "-remeasure", "-workload=none").want(t, perf.ExitUsage, "none")
	c.git(t, "checkout", "--quiet", "slow")
	c.run(t, "baseline:compare", "main", "-remeasure", "-gate", "-budget=60s").want(t, perf.ExitGate, "baseline main", "SLOWER")
	c.run(t, "baseline:compare", "main", "-remeasure", "-workload=count", "-budget=60s").want(t, 0, "SLOWER")
}

// TestCompareRefsInterrupted ends a comparison while it runs, by Ctrl-C and by a kill that
// nothing can catch: what the latter leaves goes with the next run.
func TestCompareRefsInterrupted(t *testing.T) {
	c := newCounter(t)
	c.commit(t, "exec \"$CLNRM_TEST_WAITER\" \"$CLNRM_TEST_ADDRESS\"\n", "waits")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLNRM_TEST_WAITER", self)
	before := c.state(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		w := newWaiters(t)
		t.Setenv("CLNRM_TEST_ADDRESS", w.listener.Addr().String())
		s := begin(t, c.dir, c.gate, "compareRefs", "waits", "HEAD", "-workload=count")
		w.started(t, 1)
		if during := c.state(t); during == before {
			t.Error("there is no worktree while it is measured")
		}
		deadline := time.Now().Add(cleanupLimit)
		if err := syscall.Kill(s.cmd.Process.Pid, sig); err != nil {
			t.Fatal(err)
		}
		_, output := s.ended(t, deadline)
		w.gone(t, deadline)
		if sig == syscall.SIGKILL {
			call(t, c.dir, fakeClnrm(t), "time", "go version", "-runs=1", "-memory=0", "-warmup=0").want(t, 0)
			nothingLeft(t, c.dir)
		} else {
			savedIncomplete(t, c.dir, output)
		}
		if after := c.state(t); after != before {
			t.Errorf("after %v the user's repository is not as it was:\n%s\nnow\n%s\n%s", sig, before, after, output)
		}
	}
}

// profiled holds what -profile wrote for what is SLOWER: files beside the result, named in
// it, and what a run of each side weighs.
func (c counter) profiled(t *testing.T, o outcome) {
	t.Helper()
	testenv.Tool(t, "perf")
	o.want(t, perf.ExitGate, "Profile (cpu) of count", "flame graph of the difference")
	results, err := filepath.Glob(filepath.Join(c.dir, ".perf", "runs", "*", "result.json"))
	if err != nil || len(results) != 1 {
		t.Fatalf("results %v, %v", results, err)
	}
	data, err := os.ReadFile(results[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := perf.DecodeResult(data, results[0])
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(r.Comparisons, func(c perf.Comparison) bool { return c.Profile != nil })
	if at < 0 {
		t.Fatalf("no profile: %+v", r.Warnings)
	}
	p := r.Comparisons[at].Profile
	if p.Kind != "cpu" || p.Unit != perf.Second || p.Runs < 1 || p.NewWeight <= p.OldWeight || len(p.Movers) == 0 || p.Movers[0].Flat <= 0 {
		t.Errorf("the profile of what counts twice as far: %+v", p)
	}
	for _, name := range []string{p.Old, p.New, p.Diff} {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(results[0]), filepath.FromSlash(name)))
		if err != nil || len(data) == 0 {
			t.Errorf("%s beside the result: %d bytes, %v", name, len(data), err)
		}
	}
}
