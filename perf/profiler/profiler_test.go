package profiler

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	httppprof "net/http/pprof"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/profileio"
)

// worker builds the Go program in testdata.
func worker(t *testing.T) string {
	t.Helper()
	testenv.Tool(t, "go")
	bin := filepath.Join(t.TempDir(), "worker")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./testdata/worker").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// alloc builds the C program in testdata, with more flags.
func alloc(t testing.TB, flags ...string) string {
	t.Helper()
	testenv.Tool(t, "cc")
	bin := filepath.Join(t.TempDir(), "alloc")
	args := append([]string{"-O2", "-g", "-fno-optimize-sibling-calls", "-o", bin, "testdata/alloc.c"}, flags...)
	if out, err := exec.CommandContext(t.Context(), "cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// needsPerf skips the test where perf cannot record.
func needsPerf(t *testing.T) {
	t.Helper()
	testenv.Tool(t, "perf")
	testenv.Working(t, "perf", func() error {
		out, err := exec.Command("perf", "record", "-q", "-o", os.DevNull, "-e", "cpu-clock", "--", "true").CombinedOutput()
		if err != nil {
			return errors.New(strings.TrimSpace(string(out)))
		}
		return nil
	})
}

// cum is the share of the default sample type in stacks that a function is on.
func cum(p *profile.Profile, name string) float64 {
	value, err := p.SampleIndexByName("")
	if err != nil {
		return 0
	}
	var have, total int64
	for _, s := range p.Sample {
		total += s.Value[value]
		if onStack(s, name) {
			have += s.Value[value]
		}
	}
	return float64(have) / float64(max(total, 1))
}

func onStack(s *profile.Sample, name string) bool {
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function != nil && line.Function.Name == name {
				return true
			}
		}
	}
	return false
}

func wantShare(t *testing.T, r *Recording, name string, least float64) {
	t.Helper()
	if share := cum(r.Profile, name); share < least {
		t.Errorf("%s is in %.0f %% of %s, want at least %.0f %%:\n%s", name, 100*share, r.Kind, 100*least, strings.Join(foldedLines(r.Profile), "\n"))
	}
}

func foldedLines(p *profile.Profile) []string {
	var b strings.Builder
	value, err := p.SampleIndexByName("")
	if err != nil || profileio.WriteFoldedProfile(&b, p, value, profileio.FoldOptions{}) != nil {
		return nil
	}
	lines := strings.Split(b.String(), "\n")
	return lines[:min(len(lines), 30)]
}

func options(t *testing.T) Options {
	return Options{Dir: t.TempDir(), Note: func(s string) { t.Log(s) }}
}

// TestCPUOfC records a C program without frame pointers: its stacks come by DWARF.
func TestCPUOfC(t *testing.T) {
	needsPerf(t)
	o := options(t)
	r, err := CPU(t.Context(), Command{Args: []string{alloc(t), "3", "400000000"}}, o)
	if err != nil {
		t.Fatal(err)
	}
	wantShare(t, r, "spin", 0.8)
	wantShare(t, r, "main", 0.8)
	if !strings.HasPrefix(r.Mode, "DWARF") || r.Quality.Rooted < 0.9 || r.Quality.Samples < 10 {
		t.Errorf("mode %q, quality %+v", r.Mode, r.Quality)
	}
	if st := r.Profile.SampleType[1]; st.Type != "cpu" || st.Unit != "nanoseconds" {
		t.Errorf("sample type %+v", st)
	}
	if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
}

// TestShortCommandsAreRepeated records programs of milliseconds: their runs are added up,
// and what repeats them is not in the profile.
func TestShortCommandsAreRepeated(t *testing.T) {
	needsPerf(t)
	for name, flags := range map[string][]string{"DWARF": nil, "frame pointers": {"-fno-omit-frame-pointer"}} {
		o := options(t)
		o.Repeat = 8
		r, err := CPU(t.Context(), Command{Args: []string{alloc(t, flags...), "3", "30000000"}}, o)
		if err != nil {
			t.Fatal(err)
		}
		wantShare(t, r, "spin", 0.5)
		if !strings.HasPrefix(r.Mode, name) {
			t.Errorf("mode %q, want %s", r.Mode, name)
		}
		if sh := shareOf(r.Profile, "sh") + shareOf(r.Profile, "dash"); sh > 0.2 {
			t.Errorf("%s: the shell of the loop has %.0f %% of the profile", name, 100*sh)
		}
		for _, s := range r.Profile.Sample {
			if len(s.Label["pid"]) > 0 {
				t.Fatalf("%s: runs are kept apart by their pid: %v", name, s.Label)
			}
		}
	}
}

// shareOf is the share of the samples of a program.
func shareOf(p *profile.Profile, comm string) float64 {
	var have, total int64
	for _, s := range p.Sample {
		total += s.Value[1]
		if len(s.Label["comm"]) == 1 && s.Label["comm"][0] == comm {
			have += s.Value[1]
		}
	}
	return float64(have) / float64(max(total, 1))
}

// TestCPUOfGo records a Go program, by its frame pointers.
func TestCPUOfGo(t *testing.T) {
	needsPerf(t)
	r, err := CPU(t.Context(), Command{Args: []string{worker(t)}}, options(t))
	if err != nil {
		t.Fatal(err)
	}
	wantShare(t, r, "main.compute", 0.5)
	if !strings.HasPrefix(r.Mode, "frame pointers") || r.Quality.Rooted < 0.8 {
		t.Errorf("mode %q, quality %+v", r.Mode, r.Quality)
	}
}

// TestOffCPU records where a program sleeps, and how long.
func TestOffCPU(t *testing.T) {
	needsPerf(t)
	r, err := OffCPU(t.Context(), Command{Args: []string{alloc(t), "3", "1000", "300000"}}, options(t))
	if err != nil {
		t.Fatal(err)
	}
	wantShare(t, r, "waits", 0.5)
	if blocked := time.Duration(r.Report.Waits.Blocked); blocked < 300*time.Millisecond {
		t.Errorf("it slept for 300 ms, and %s were recorded", blocked)
	}
}

// TestDuration ends a command that would not end by itself, and keeps what was recorded.
func TestDuration(t *testing.T) {
	needsPerf(t)
	o := options(t)
	o.Duration = 700 * time.Millisecond
	r, err := CPU(t.Context(), Command{Args: []string{alloc(t), "3", "1000000000000"}}, o)
	if err != nil {
		t.Fatal(err)
	}
	wantShare(t, r, "spin", 0.8)
}

// TestFailures checks that a subject that fails is named, and that nothing goes on after
// an interruption.
func TestFailures(t *testing.T) {
	needsPerf(t)
	_, err := CPU(t.Context(), Command{Args: []string{"sh", "-c", "echo no such luck >&2; exit 3"}}, options(t))
	if err == nil || !strings.Contains(err.Error(), "no such luck") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%v, want the exit status and the last words", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = CPU(ctx, Command{Args: []string{alloc(t), "3", "1000000000000"}}, options(t))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want that it was interrupted", err)
	}
	_, err = OffCPU(t.Context(), Command{Args: []string{"/no/such/program"}}, options(t))
	if err == nil {
		t.Error("a program that is not there was recorded")
	}
}

// TestHeapByHeaptrack and TestHeapByDHAT record the same program.
func TestHeapByHeaptrack(t *testing.T) {
	path := testenv.Tool(t, "heaptrack")
	r, err := recordHeaptrack(t.Context(), path, Command{Args: []string{alloc(t), "1000"}}, options(t))
	checkHeap(t, r, err)
	temporary, err := r.Profile.SampleIndexByName("temporary_objects")
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, s := range r.Profile.Sample {
		if onStack(s, "temporary") {
			n += s.Value[temporary]
		}
	}
	if n != 1000 {
		t.Errorf("%d temporary allocations of 1000", n)
	}
}

func TestHeapByDHAT(t *testing.T) {
	path := testenv.Tool(t, "valgrind")
	r, err := recordDHAT(t.Context(), path, Command{Args: []string{alloc(t), "1000"}}, options(t))
	checkHeap(t, r, err)
}

// checkHeap checks what testdata/alloc.c does.
func checkHeap(t *testing.T, r *Recording, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"alloc_space": 1000*64 + 800_000 + 4096, "peak_space": 800_000, "leaked_space": 4096, "alloc_objects": 1009}
	for name, v := range want {
		i, err := r.Profile.SampleIndexByName(name)
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, s := range r.Profile.Sample {
			if onStack(s, "main") {
				sum += s.Value[i]
			}
		}
		if sum != v {
			t.Errorf("%s below main is %d, want %d", name, sum, v)
		}
	}
}

// TestGoAlone takes profiles with nothing but Go: of a program that writes them, of a
// test binary, and of go test.
func TestGoAlone(t *testing.T) {
	bin := worker(t)
	program := Command{Args: []string{bin}, Profiles: "WORKER_PROFILES"}
	tests := filepath.Join(t.TempDir(), "worker.test")
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.com/worker\n\ngo 1.26\n")
	write(t, dir, "worker_test.go", "package worker\n\nimport (\n\t\"testing\"\n\t\"time\"\n)\n\nvar sink []byte\n\nfunc compute(n int) (sum int) {\n\tfor i := range n {\n\t\tsum += i % 7\n\t}\n\treturn sum\n}\n\nfunc TestX(t *testing.T) {\n\tfor began := time.Now(); time.Since(began) < 300*time.Millisecond; {\n\t\tcompute(1000000)\n\t}\n\tfor range 100 {\n\t\tsink = make([]byte, 1<<16)\n\t}\n}\n")
	if out, err := inDir(exec.CommandContext(t.Context(), "go", "test", "-c", "-o", tests, "."), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tc := range []struct {
		name string
		c    Command
		kind Kind
		fn   string
	}{
		{"a program", program, KindCPU, "main.compute"},
		{"a program", program, KindHeap, "main.allocate"},
		{"a program", program, KindOffCPU, "main.wait"},
		{"a test binary", Command{Args: []string{tests}, Dir: dir}, KindOffCPU, "testing.(*T).Run"},
		{"a test binary", Command{Args: []string{tests, "-test.v"}, Dir: dir}, KindCPU, "example.com/worker.TestX"},
		{"go test", Command{Args: []string{"go", "test", "-count=1", "./..."}, Dir: dir}, KindCPU, "example.com/worker.TestX"},
		{"go test", Command{Args: []string{"go", "test", "-count=1", "./..."}, Dir: dir}, KindHeap, "example.com/worker.TestX"},
	} {
		if !canWrite(tc.c) {
			t.Errorf("%s is not known to write profiles", tc.name)
		}
		r, err := recordRuntime(t.Context(), tc.c, options(t), tc.kind)
		if err != nil {
			t.Errorf("%s of %s: %v", tc.kind, tc.name, err)
			continue
		}
		wantShare(t, r, tc.fn, 0.5)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.pprof")); len(left) > 0 {
		t.Errorf("%v is left in the project", left)
	}
	if _, err := recordRuntime(t.Context(), Command{Args: []string{"go", "test", "./none"}, Dir: dir}, options(t), KindCPU); err == nil {
		t.Error("a package that is not there was profiled")
	}
}

func inDir(cmd *exec.Cmd, dir string) *exec.Cmd {
	cmd.Dir = dir
	return cmd
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestMutexBesideBlock checks that a wait for a lock is told twice and counted once: where it
// waits, and where the lock is let go.
func TestMutexBesideBlock(t *testing.T) {
	r, err := recordRuntime(t.Context(), Command{Args: []string{worker(t)}, Profiles: "WORKER_PROFILES"}, options(t), KindOffCPU)
	if err != nil {
		t.Fatal(err)
	}
	p := r.Profile
	mutex, err := p.SampleIndexByName("mutex_delay")
	if err != nil || p.DefaultSampleType != "delay" {
		t.Fatalf("sample types %v, default %s, %v", p.SampleType, p.DefaultSampleType, err)
	}
	delay, err := p.SampleIndexByName("")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Sample {
		if s.Value[delay] > 0 && s.Value[mutex] > 0 {
			t.Errorf("a stack is of both profiles: %v", s.Value)
		}
		if onStack(s, "main.release") && s.Value[mutex] < int64(5*time.Millisecond) {
			t.Errorf("main.release let a lock go that was waited for: %v", s.Value)
		}
	}
	wantShare(t, r, "main.wait", 0.3)
}

// TestFetch takes profiles from a server.
func TestFetch(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", httppprof.Index)
	mux.HandleFunc("/debug/pprof/profile", httppprof.Profile)
	server := httptest.NewServer(mux)
	defer server.Close()
	stop := make(chan bool)
	defer close(stop)
	go spin(stop)
	r, err := Fetch(t.Context(), server.URL, Options{Duration: time.Second}, KindCPU)
	if err != nil {
		t.Fatal(err)
	}
	wantShare(t, r, "github.com/seanchatmangpt/clnrm-perf/perf/profiler.spin", 0.3)
	if r, err = Fetch(t.Context(), server.URL, Options{}, KindHeap); err != nil || r.Profile.DefaultSampleType != "alloc_space" {
		t.Errorf("heap: %v", err)
	}
	if _, err = Fetch(t.Context(), server.URL+"/debug/pprof/none", Options{}, KindHeap); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v, want what the server says", err)
	}
}

func spin(stop chan bool) {
	for n := 0; ; n++ {
		if n%1000 == 0 {
			select {
			case <-stop:
				return
			default:
			}
		}
	}
}

// TestHeapOfGo checks that a Go program is not sent through a recorder of malloc, which
// would see next to nothing.
func TestHeapOfGo(t *testing.T) {
	_, err := Heap(t.Context(), Command{Args: []string{worker(t)}}, options(t))
	if _, ok := errors.AsType[*UnavailableError](err); !ok || !strings.Contains(err.Error(), "is a Go program") {
		t.Errorf("%v, want that it is a Go program", err)
	}
}

// TestCallGraph checks how the mode follows from the program.
func TestCallGraph(t *testing.T) {
	for bin, want := range map[string]int{alloc(t): firstStack, alloc(t, "-fno-omit-frame-pointer"): 0, worker(t): 0, "/no/such": firstStack} {
		if g := chooseCallGraph(Command{Args: []string{bin}}); g.stack != want {
			t.Errorf("%s: %s, want a stack of %d", bin, g, want)
		}
	}
	g, n := callGraph{stack: firstStack}, 0
	for more := true; more; n++ {
		g, more = g.larger()
	}
	if g.stack != lastStack || n != 4 {
		t.Errorf("%d bytes of stack after %d tries", g.stack, n)
	}
}

// TestWarnings checks that a doubtful profile says so.
func TestWarnings(t *testing.T) {
	r := &Recording{Kind: KindCPU, Mode: "frame pointers", Quality: Quality{Rooted: 0.3, Unknown: 0.5, Lost: 50, Samples: 60}}
	all := strings.Join(r.Warnings(), "\n")
	for _, want := range []string{"only 30 % of the stacks", "50 % of the weight has no name", "50 of 110 samples were lost", "60 samples only"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %q", want, all)
		}
	}
	if r.Sound() {
		t.Error("30 % are enough")
	}
	r.Quality = Quality{Rooted: 1, Samples: 1000}
	if w := r.Warnings(); len(w) > 0 || !r.Sound() {
		t.Errorf("a good profile gets %q", w)
	}
}

// TestRooted counts what a stack ends in.
func TestRooted(t *testing.T) {
	for text, want := range map[string]float64{
		"x 1/1 1.5: 1 cpu-clock: \n\t 1 work (/x)\n\t 2 _start (/x)\n\nx 1/1 1.6: 3 cpu-clock: \n\t 1 work (/x)\n\n":         0.25,
		"x 1/1 1.5: 1 cpu-clock: \n\t 1 bprm_execve ([kernel.kallsyms])\n\t 2 entry ([kernel.kallsyms])\n\n":                 1,
		"x 1/1 1.5: 1 cpu-clock: \n\t 1 work (/x)\n\t 2 __libc_start_main@@GLIBC_2.34 (/libc.so.6)\n\t 3 [unknown] (/x)\n\n": 1,
		"x 1/1 1.5: 1 cpu-clock: \n\t 1 work (/x)\n\t 2 [unknown] (/x)\n\n":                                                  0,
		"x 1/1 1.5: 1 cpu-clock: \n\t 1 clear_page ([kernel.kallsyms])\n\n":                                                  0,
	} {
		p, _, err := profileio.Read(strings.NewReader(text), "in", profileio.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := rooted(p, 1); got != want {
			t.Errorf("%q: %v of the weight, want %v", text, got, want)
		}
	}
}
