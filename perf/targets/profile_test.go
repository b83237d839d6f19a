package targets_test

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

const (
	oldFolded = "main;parse;read 20\nmain;parse;lex 20\nmain;gone 20\n"
	newFolded = "main;parse;read 60\nmain;parse;lex 20\n"
)

// Any file becomes a picture, and folded stacks become what they were.
func TestFlamegraphAndFold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, dir, "a.folded", oldFolded)
	call(t, dir, nil, "flamegraph", "a.folded", "-o=a.svg").want(t, 0)
	if svg := readText(t, filepath.Join(dir, "a.svg")); !strings.Contains(svg, "<svg") || !strings.Contains(svg, "parse") {
		t.Errorf("no picture: %.200s", svg)
	}
	if o := call(t, dir, nil, "flamegraph", "a.folded"); o.status != 0 || !strings.Contains(o.stdout, "</svg>") {
		t.Errorf("exit status %d, on stdout %.200s", o.status, o.stdout)
	}
	if o := call(t, dir, nil, "fold", "a.folded"); o.status != 0 || o.stdout != "main;gone 20\nmain;parse;lex 20\nmain;parse;read 20\n" {
		t.Errorf("exit status %d, %q", o.status, o.stdout)
	}
}

// What is written to a device or a pipe goes into it. To put a file in its place, as is done
// with files, would take /dev/null from everybody where root draws a picture.
func TestPictureToADevice(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no such files")
	}
	dir := t.TempDir()
	writeText(t, dir, "a.folded", oldFolded)
	link := filepath.Join(dir, "device")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	call(t, dir, nil, "flamegraph", "a.folded", "-o=device").want(t, 0)
	call(t, dir, nil, "profileDiff", "a.folded", "a.folded", "-o=device").want(t, 0)
	if target, err := os.Readlink(link); err != nil || target != os.DevNull {
		t.Errorf("the device was replaced: %q, %v", target, err)
	}
	call(t, dir, nil, "flamegraph", "a.folded", "-o=.").want(t, 1, "a folder stands where the file belongs")
}

// The folded stacks of perf script's text are those of its peers, and what was left out
// is told.
func TestFoldOptions(t *testing.T) {
	dir := t.TempDir()
	writeText(t, dir, "p.txt", "Thread 7 8/9 [000] 1.000001: 5 cycles:u: \n\t ffffffff81000010 read ([kernel.kallsyms])\n\t 7f10 [unknown] (/opt/lib x.so)\n\nx 1/1 1.000002: 7 faults: \n\t 1 b (/x)\n\n")
	for args, want := range map[string]string{
		"":              "Thread_7;[lib x.so];read 5\n",
		"-tid -kernel":  "Thread_7-8/9;[lib x.so];read_[k] 5\n",
		"-addrs":        "Thread_7;[lib x.so <7f10>];read 5\n",
		"-event=faults": "x;b 7\n",
	} {
		o := call(t, dir, nil, append([]string{"fold", "p.txt"}, strings.Fields(args)...)...)
		if o.status != 0 || o.stdout != want {
			t.Errorf("%q: exit status %d, %q, want %q\n%s", args, o.status, o.stdout, want, o.stderr)
		}
	}
	call(t, dir, nil, "fold", "p.txt").want(t, 0, "has cycles, and faults, which -event takes")
	call(t, dir, nil, "fold", "p.txt", "-event=none").want(t, 1, `no sample of the event "none"`)
	call(t, dir, nil, "fold", "none.txt").want(t, 2, "none.txt")
	writeText(t, dir, "prose.txt", "this is a letter\n")
	call(t, dir, nil, "flamegraph", "prose.txt", "-o=out.svg").want(t, 1, "its format is none of")
	if _, err := os.Stat(filepath.Join(dir, "out.svg")); err == nil {
		t.Error("a picture of a letter was written")
	}
	writeText(t, dir, "bad.txt", "x 1/1 1.000002: 7 faults: \n\t 1 b (/x)\n\nwhat is this\n")
	call(t, dir, nil, "fold", "bad.txt").want(t, 1, "x;b 7", "bad.txt:4")
	call(t, dir, nil, "flamegraph", "bad.txt", "-o=bad.svg").want(t, 1, "bad.txt:4", "the rest was")
	call(t, dir, nil, "profileDiff", "bad.txt", "p.txt", "-event=faults", "-o=diff.svg").want(t, 1, "bad.txt:4", "the rest was")
	for _, name := range []string{"bad.svg", "diff.svg"} {
		if svg := readText(t, filepath.Join(dir, name)); !strings.Contains(svg, "</svg>") {
			t.Errorf("%s is no picture of the rest: %.200s", name, svg)
		}
	}
}

// A difference tells what grew by all that it calls, and what is gone.
func TestProfileDiff(t *testing.T) {
	dir := t.TempDir()
	writeText(t, dir, "old.folded", oldFolded)
	writeText(t, dir, "new.folded", newFolded)
	o := call(t, dir, nil, "profileDiff", "old.folded", "new.folded", "-keep")
	o.want(t, 0, "Biggest movers", "read", "+40", "gone", "-20")
	if svg := readText(t, filepath.Join(dir, "diff.svg")); !strings.Contains(svg, "gone") {
		t.Error("what is gone is not in the picture")
	}
	call(t, dir, nil, "profileDiff", "old.folded", "none").want(t, 2)
}

// What makes no sense is refused before anything runs.
func TestProfileUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	call(t, dir, nil, "profile").want(t, 2, "neither a Cargo.toml nor a go.mod")
	call(t, dir, nil, "profile", "-cmd=x", "-seconds=soon").want(t, 2, "-seconds")
	call(t, dir, nil, "profile", "-workload=none").want(t, 2)
	call(t, dir, nil, "profile", "-cmd=").want(t, 2, "-cmd= names nothing")
	call(t, dir, nil, "triage", "-workload= ").want(t, 2, "-workload= names nothing")
	call(t, dir, nil, "profile", "-cmd=x", "-via=strace").want(t, 2, "events, go, perf")
	call(t, dir, nil, "profile", "-url=http://localhost", "-via=perf").want(t, 2, "take one of them")
	call(t, dir, nil, "profile", "-cmd=x", "-workload=y").want(t, 2, "-cmd=x", "-workload=y", "take one of them")
	call(t, dir, nil, "profile", "-url=http://localhost", "-cmd=x").want(t, 2, "-url=http://localhost", "-cmd=x", "take one of them")
	call(t, dir, nil, "triage", "-cmd=x", "-report=md=a,md=b").want(t, 2, "two reports")
	call(t, dir, nil, "triage", "-cmd=x", "-report=md=a,json=a").want(t, 2, "two reports")
	call(t, dir, nil, "triage", "-cmd=x", "-report=md=.").want(t, 2, "no regular file")
	call(t, dir, fakeClnrm(t), "profile", "-workload=hot").want(t, 2, "hot")
	call(t, dir, nil, "cleanroomProfile").want(t, 2, "use the target profile here")
	if left, err := os.ReadDir(filepath.Join(dir, ".perf", "profiles")); err == nil && len(left) > 0 {
		t.Errorf("%v was written", left)
	}
}

// goProgram is a module with a program and a test that compute.
func goProgram(t *testing.T) string {
	t.Helper()
	testenv.Tool(t, "go")
	dir := t.TempDir()
	writeText(t, dir, "go.mod", "module example.com/busy\n\ngo 1.26\n")
	writeText(t, dir, "busy.go", "package busy\n\n// Work computes.\nfunc Work(n int) (sum int) {\n\tfor i := range n {\n\t\tsum += i % 7\n\t}\n\treturn sum\n}\n")
	writeText(t, dir, "busy_test.go", "package busy\n\nimport (\n\t\"testing\"\n\t\"time\"\n)\n\nfunc TestWork(t *testing.T) {\n\tfor began := time.Now(); time.Since(began) < time.Second/2; {\n\t\tWork(1000000)\n\t}\n}\n")
	return dir
}

// With nothing but Go, the tests of a module are profiled by their own runtime; what is
// written opens in pprof, which counts as we do.
func TestProfileWithGoAlone(t *testing.T) {
	t.Parallel()
	dir := goProgram(t)
	o := call(t, dir, []string{"PATH=" + onlyGo(t)}, "profile")
	o.want(t, 0, `profiling "test suite"`, "the Go runtime", "busy.Work", "Hot path", "Top", "Compute")
	agrees(t, o, onlyFile(t, filepath.Join(dir, ".perf", "profiles", "*", "profile.pb.gz")))
	nothingLeft(t, dir)
	for _, name := range []string{"flamegraph.svg", "stacks.folded"} {
		if text := readText(t, onlyFile(t, filepath.Join(dir, ".perf", "profiles", "*", name))); !strings.Contains(text, "busy.Work") {
			t.Errorf("%s does not show what computes", name)
		}
	}
}

// onlyGo is a PATH with the go command and no profiler.
func onlyGo(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(path)
}

// topRow is a row of our table, and of pprof's.
var topRow = regexp.MustCompile(`(?m)^\s*([0-9.]+) ?(?:ms|s|µs)\s+([0-9.]+) ?%.*\s(\S+)$`)

// share is the flat share that a row tells, in percent.
func share(row []string) float64 {
	v, err := strconv.ParseFloat(row[2], 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// agrees holds our table against go tool pprof -top: the same functions come first.
func agrees(t *testing.T, o outcome, file string) {
	t.Helper()
	testenv.Tool(t, "go")
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "tool", "pprof", "-top", "-nodefraction=0", file)
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(o.stdout, "Top (")
	ours, theirs := topRow.FindStringSubmatch(table), topRow.FindStringSubmatch(strings.ReplaceAll(out.String(), " (inline)", ""))
	if ours == nil || theirs == nil || ours[3] != theirs[3] || !(math.Abs(share(ours)-share(theirs)) <= 0.1) { // they round to other places
		t.Errorf("we say first %q\npprof says   %q\n%s", ours, theirs, out.String())
	}
}

// A program of the machine is profiled with nothing installed, and what sleeps gets an
// off-CPU profile beside the CPU one.
func TestProfileByEvents(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "perf") // where it works, so do events
	dir := t.TempDir()
	o := call(t, dir, nil, "profile", "-cmd=sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; sleep 0.6'", "-seconds=2")
	o.want(t, 0, " of Linux ", "beside the", "-cmd names it", "off-CPU profile beside", "of off-cpu", "stacks reach their root")
	folded := readText(t, onlyFile(t, filepath.Join(dir, ".perf", "profiles", "*", "off-cpu", "stacks.folded")))
	if !strings.Contains(folded, "nanosleep") {
		t.Errorf("the sleep is not in it:\n%.2000s", folded)
	}
	agrees(t, o, onlyFile(t, filepath.Join(dir, ".perf", "profiles", "*", "profile.pb.gz")))
	nothingLeft(t, dir)
	call(t, dir, nil, "profile", "-cmd=sh -c 'exit 3'").want(t, 1, "exit")
}

// perf.data is read by way of perf script.
func TestFlamegraphOfPerfData(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "perf")
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "perf", "record", "-q", "-g", "-e", "cpu-clock", "-o", "perf.data", "--", "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		testenv.Missing(t, "perf", err.Error()+": "+string(out))
	}
	call(t, dir, nil, "flamegraph", "perf.data", "-o=p.svg").want(t, 0)
	if o := call(t, dir, nil, "fold", "perf.data"); o.status != 0 || !strings.HasPrefix(o.stdout, "sh;") {
		t.Errorf("exit status %d: %.300s%s", o.status, o.stdout, o.stderr)
	}
}

// A C program's heap is recorded where there is a recorder.
func TestProfileHeap(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "heaptrack")
	dir := t.TempDir()
	call(t, dir, nil, "profileHeap", "-cmd=ls -l /").want(t, 0, "heaptrack", "alloc_space", "Hot path")
	if o := call(t, dir, nil, "fold", filepath.Dir(onlyFile(t, filepath.Join(dir, ".perf", "profiles", "*", "profile.pb.gz"))), "-event=alloc_objects"); o.status != 0 || o.stdout == "" {
		t.Errorf("exit status %d, %q %s", o.status, o.stdout, o.stderr)
	}
}
