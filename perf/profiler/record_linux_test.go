package profiler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/pprof/profile"
	"golang.org/x/sys/unix"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// TestMain lets the test binary be what a test needs as a process of its own.
func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv("PROFILER_TEST_ROLE")]
	if !ok {
		os.Exit(m.Run())
	}
	if err := role(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var roles = map[string]func(args []string) error{"record": recordRole, "crowd": crowdRole, "filtered": filteredRole}

// inRole runs the test binary in a role, as the user nobody.
func inRole(t *testing.T, role string, args ...string) []byte {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become nobody")
	}
	// The link is followed when the child is nobody already, who may not enter the folder.
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), "PROFILER_TEST_ROLE="+role)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s as nobody: %v\n%s", role, err, complaints.String())
	}
	return out
}

const nobody = 65534

// burn builds the C program that takes CPU time in known shares, with more flags. Everybody
// may run it.
func burn(t testing.TB, flags ...string) string {
	t.Helper()
	testenv.Tool(t, "cc")
	dir := openDir(t)
	bin := filepath.Join(dir, "burn")
	args := append([]string{"-O2", "-g", "-fno-optimize-sibling-calls", "-pthread", "-o", bin, "testdata/burn.c"}, flags...)
	if out, err := exec.CommandContext(t.Context(), "cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// openDir is a temporary folder that others may enter.
func openDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// needsEvents skips the test where the kernel lets this process record nothing.
func needsEvents(t testing.TB) {
	t.Helper()
	testenv.Working(t, "perf events", func() error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		s, err := openSampler(KindCPU, callGraph{}, defaultFrequency, mostRing)
		if err == nil {
			s.close()
		}
		return err
	})
}

// wantWhole checks that a recording misses nothing: the samples weigh what the kernel's
// accounts say that the command took.
func wantWhole(t *testing.T, r *Recording) {
	t.Helper()
	var sum int64
	for _, s := range r.Profile.Sample {
		sum += s.Value[1]
	}
	if off := float64(sum)/float64(r.CPUTime) - 1; math.Abs(off) > 0.02 || r.Quality.Lost != 0 {
		t.Errorf("%d samples weigh %s, %+.1f %% from the %s of CPU time; %d were lost", r.Quality.Samples, time.Duration(sum), 100*off, r.CPUTime, r.Quality.Lost)
	}
	if r.Overhead <= 0 || r.Overhead > r.CPUTime/10 {
		t.Errorf("recording took %s beside the %s of the command", r.Overhead, r.CPUTime)
	}
}

// burnt are the functions of testdata/burn.c, in the order in which it reports their times.
var burnt = []string{"heavy", "middle", "light"}

// reporting makes a command of testdata/burn.c tell in a file how long each function took.
func reporting(t *testing.T, args []string) (c Command, report string) {
	t.Helper()
	report = filepath.Join(t.TempDir(), "report")
	return Command{Args: args, Env: append(os.Environ(), "BURN_REPORT="+report)}, report
}

// reported is how long each function took, and "shares" all of them, in all processes.
func reported(t *testing.T, report string) map[string]time.Duration {
	t.Helper()
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	took := map[string]time.Duration{}
	for i, word := range strings.Fields(string(text)) {
		ns, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		took[burnt[i%len(burnt)]] += time.Duration(ns)
		took["shares"] += time.Duration(ns)
	}
	return took
}

// wantShares holds a recording against the program's own clock. What is none of its
// functions, as the begin of each process, is longer on a machine that is busy.
func wantShares(t *testing.T, r *Recording, took map[string]time.Duration) {
	t.Helper()
	for name, nominal := range map[string]float64{"heavy": 0.6, "middle": 0.3, "light": 0.1, "shares": 1} {
		if share := took[name].Seconds() / took["shares"].Seconds(); math.Abs(share-nominal) > 0.03 {
			t.Errorf("%s took %.3f by the program's clock, and not %.1f", name, share, nominal)
		}
		want := took[name].Seconds() / r.CPUTime.Seconds()
		if share := cum(r.Profile, name); math.Abs(share-want) > 0.03 {
			t.Errorf("%s has %.3f of it, want %.3f", name, share, want)
		}
	}
}

// TestEvents records where the time is known: in both modes, in threads and in children.
func TestEvents(t *testing.T) {
	needsEvents(t)
	for mode, flags := range map[string][]string{"DWARF": nil, "frame pointers": {"-fno-omit-frame-pointer"}} {
		bin := burn(t, flags...)
		for _, args := range [][]string{{bin, "alone", "600"}, {bin, "threads", "300"}, {bin, "children", "300"}} {
			t.Run(mode+"/"+args[1], func(t *testing.T) {
				o := options(t)
				c, report := reporting(t, args)
				r, err := recordEvents(t.Context(), c, o, KindCPU)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(r.Mode, mode) || r.Runs != 1 {
					t.Errorf("%d runs in mode %q", r.Runs, r.Mode)
				}
				wantWhole(t, r)
				wantShares(t, r, reported(t, report))
				wantEmpty(t, o.Dir)
			})
		}
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
}

// TestAgainstPerf records the same program by perf: both see the same shares.
func TestAgainstPerf(t *testing.T) {
	needsEvents(t)
	needsPerf(t)
	c := Command{Args: []string{burn(t), "alone", "600"}}
	o := options(t)
	o.Via = ViaEvents
	ours, err := CPU(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Via = ViaPerf
	theirs, err := CPU(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(theirs.Tool, "perf") || strings.HasPrefix(ours.Tool, "perf") {
		t.Errorf("recorded by %q and %q", ours.Tool, theirs.Tool)
	}
	for _, name := range append(burnt, "shares") {
		if a, b := cum(ours.Profile, name), cum(theirs.Profile, name); math.Abs(a-b) > 0.03 {
			t.Errorf("%s has %.3f of it, and %.3f by perf", name, a, b)
		}
	}
	if a, b := ours.Quality.Samples, theirs.Quality.Samples; math.Abs(float64(a)/float64(b)-1) > 0.03 {
		t.Errorf("%d samples, and %d by perf", a, b)
	}
}

// TestPerfReads checks that perf script takes the file that is written: every sample is in
// it, and perf complains of nothing.
func TestPerfReads(t *testing.T) {
	needsEvents(t)
	perf := testenv.Tool(t, "perf")
	f, err := os.Create(filepath.Join(t.TempDir(), "perf.data"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := sampleRuns(t.Context(), Command{Args: []string{burn(t), "threads", "100"}}, options(t), KindCPU, callGraph{stack: firstStack}, f)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), perf, "script", "--no-inline", "-i", f.Name(), "-F", "comm,tid,time,event,ip,sym")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Errorf("perf script: %v\n%s", err, complaints.String())
	}
	samples := strings.Split(strings.TrimSpace(string(out)), "\n\n")
	whole := 0
	for _, s := range samples {
		if strings.Contains(s, " shares\n") && strings.Contains(s, "cpu-clock") {
			whole++
		}
	}
	if n := int(r.sampler.samples); len(samples) != n || whole < n*95/100 || n < 150 {
		t.Errorf("perf sees %d samples and %d whole stacks of %d", len(samples), whole, n)
	}
	info, err := exec.CommandContext(t.Context(), perf, "script", "--header-only", "-i", f.Name()).Output()
	if err != nil || !strings.Contains(string(info), "arch : "+machine()) || !strings.Contains(string(info), "name = cpu-clock") {
		t.Errorf("the header as perf reads it: %v\n%s", err, info)
	}
}

// TestEachRunIsRecorded runs a command again and again: each waits once, and none is missing.
func TestEachRunIsRecorded(t *testing.T) {
	needsEvents(t)
	if os.Geteuid() != 0 && paranoid() > 1 {
		t.Skip("the kernel shows its switches only to root")
	}
	o := options(t)
	o.Repeat = 10
	c := Command{Args: []string{testenv.Tool(t, "sleep"), "0.02"}}
	f, err := os.Create(filepath.Join(t.TempDir(), "perf.data"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := sampleRuns(t.Context(), c, o, KindOffCPU, callGraph{}, f)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := r.recording(c, o, KindOffCPU)
	if err != nil {
		t.Fatal(err)
	}
	if slept := time.Duration(rec.Report.Waits.Blocked); rec.Runs != 10 || slept < 200*time.Millisecond {
		t.Errorf("%d runs have waited for %s, each for 20 ms", rec.Runs, slept)
	}
}

// A recorded is what a process of another user tells of its recording.
type recorded struct {
	Samples, Lost  int64
	CPU, Weight    time.Duration
	Mode           string
	Notes          []string
	Rooted, Shares float64
	Err            string
	Nothing        bool
}

// recordRole records a command: DIR ARGS...
func recordRole(args []string) error {
	r, err := recordEvents(context.Background(), Command{Args: args[1:]}, Options{Dir: args[0]}, KindCPU)
	var out recorded
	if err != nil {
		out.Err, out.Nothing = err.Error(), errors.Is(err, ErrNothing)
	} else {
		out = recorded{Samples: r.Quality.Samples, Lost: r.Quality.Lost, CPU: r.CPUTime, Mode: r.Mode, Notes: r.Notes, Rooted: r.Quality.Rooted, Shares: cum(r.Profile, "shares")}
		for _, s := range r.Profile.Sample {
			out.Weight += time.Duration(s.Value[1])
		}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// userPart is the share of the CPU time whose samples met the user's side.
func userPart(r *Recording) float64 {
	var sum int64
	for _, s := range r.Profile.Sample {
		if len(s.Location) == 0 || !inKernel(s.Location[0]) {
			sum += s.Value[1]
		}
	}
	return float64(sum) / float64(r.CPUTime)
}

// recordedAsNobody records a command as a user without rights.
func recordedAsNobody(t *testing.T, args ...string) (out recorded) {
	t.Helper()
	dir := openDir(t)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	text := inRole(t, "record", append([]string{dir}, args...)...)
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	wantEmpty(t, dir)
	return out
}

// TestUnprivileged records as a user who may see nothing of the kernel, and lock little
// memory: nothing is lost with dumps of stacks on all CPUs.
func TestUnprivileged(t *testing.T) {
	needsEvents(t)
	if paranoid() > 2 {
		t.Skip("this kernel lets only root record")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become nobody")
	}
	bin := burn(t)
	r := recordedAsNobody(t, bin, "threads", "400")
	// Samples are of the user's side alone. How much that is, a recording of both sides tells;
	// the user time of the kernel's accounts does not: it divides the time by a few ticks.
	both, err := recordEvents(t.Context(), Command{Args: []string{bin, "threads", "400"}}, options(t), KindCPU)
	if err != nil {
		t.Fatal(err)
	}
	off := float64(r.Weight)/float64(r.CPU) - userPart(both)
	if r.Err != "" || r.Lost != 0 || math.Abs(off) > 0.03 || r.Shares < 0.97 || r.Rooted < 0.97 || !strings.HasPrefix(r.Mode, "DWARF") {
		t.Errorf("%+v, %+.1f %% off", r, 100*off)
	}
	if paranoid() == 2 && !strings.Contains(strings.Join(r.Notes, "\n"), "the kernel's own part is not in it") {
		t.Errorf("no word about the kernel in %q", r.Notes)
	}

	// What changes its user is not observed any more; but it runs as it would.
	if err := os.Chmod(bin, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if r := recordedAsNobody(t, bin, "root", "20"); !r.Nothing {
		t.Errorf("a set-user-ID program: %+v", r)
	}
}

// crowdRole opens samplers until the user may lock no more memory.
func crowdRole([]string) error {
	runtime.LockOSThread()
	var sizes []int
	for {
		s, err := openSampler(KindCPU, callGraph{stack: firstStack}, defaultFrequency, mostRing)
		if err != nil {
			return json.NewEncoder(os.Stdout).Encode(map[string]any{"sizes": sizes, "err": err.Error()})
		}
		defer s.close()
		sizes = append(sizes, len(s.rings[0].data))
	}
}

// TestLockedMemory checks that where others have locked what a user may lock, smaller rings
// do, and in the end a sentence.
func TestLockedMemory(t *testing.T) {
	needsEvents(t)
	if paranoid() < 0 || paranoid() > 2 {
		t.Skip("this kernel does not bound what may be locked, or lets only root record")
	}
	var got struct {
		Sizes []int
		Err   string
	}
	if err := json.Unmarshal(inRole(t, "crowd"), &got); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Sizes); n < 2 || got.Sizes[n-1] >= got.Sizes[0] || !strings.Contains(got.Err, "perf_event_mlock_kb") {
		t.Errorf("rings of %v, then %q", got.Sizes, got.Err)
	}
}

// filteredRole records under a filter that refuses perf_event_open, as those of containers do.
func filteredRole([]string) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_PERF_EVENT_OPEN, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))); errno != 0 {
		return errno
	}
	_, err := CPU(context.Background(), Command{Args: []string{"true"}}, Options{Dir: os.TempDir(), Via: ViaEvents})
	fmt.Print(err)
	return nil
}

// TestRefused checks what is said where the kernel refuses: for real under a filter, and
// for what this machine does not refuse in words.
func TestRefused(t *testing.T) {
	if out := string(inRole(t, "filtered")); !strings.Contains(out, "--cap-add=PERFMON") || !strings.Contains(out, "What is left") {
		t.Errorf("under a filter: %q", out)
	}
	for _, tc := range []struct {
		err  error
		c    circumstances
		want string
	}{
		{unix.EACCES, circumstances{paranoid: 3}, "lets only root record (" + paranoidFile + " is 3) (sysctl kernel.perf_event_paranoid=2"},
		{unix.EPERM, circumstances{paranoid: 2, filtered: true}, "seccomp"},
		{unix.EACCES, circumstances{paranoid: 2, ofKernel: true}, "sysctl kernel.perf_event_paranoid=1"},
		{unix.ENOSYS, circumstances{root: true}, "no perf_event_open"},
		{unix.EMFILE, circumstances{root: true}, "ulimit -n"},
		{unix.EPERM, circumstances{root: true}, "operation not permitted"},
	} {
		if r := refusedBy(tc.err, tc.c); !strings.Contains(r.Error(), tc.want) || !errors.Is(r, tc.err) {
			t.Errorf("%v: %q, want %q", tc, r, tc.want)
		}
	}
}

// TestWeaken goes down what an event asks for, until there is nothing left to give up.
func TestWeaken(t *testing.T) {
	s := cpuSampling(callGraph{stack: firstStack}, defaultFrequency)
	if s.name != "cycles" || !s.kernelToo() {
		t.Errorf("it begins with %s, kernel %v", s.name, s.kernelToo())
	}
	for _, step := range []struct {
		err  error
		name string
		more bool
	}{{unix.EACCES, "cycles", true}, {unix.ENOENT, cpuClock, true}, {unix.EINVAL, cpuClock, true}, {unix.EINVAL, cpuClock, true}, {unix.EINVAL, cpuClock, false}, {unix.EACCES, cpuClock, false}} {
		if more := s.weaken(step.err); more != step.more || s.name != step.name {
			t.Errorf("after %v: %s, %v", step.err, s.name, more)
		}
	}
	if s.kernelToo() || s.attr.Bits&bitBuildID != 0 || s.attr.Read_format != 0 {
		t.Errorf("it ends with %+v", s.attr)
	}
}

// TestLost fills rings that nobody empties, and counts what finds no room.
func TestLost(t *testing.T) {
	needsEvents(t)
	bin := burn(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := openSampler(KindCPU, callGraph{stack: firstStack}, defaultFrequency, leastRing)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if out, err := exec.CommandContext(t.Context(), bin, "alone", "200").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "perf.data"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := s.start(f, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	cpu, err := s.finish()
	if err != nil {
		t.Fatal(err)
	}
	all, want := float64(s.samples+s.lost), cpu.Seconds()*defaultFrequency
	if s.lost < 100 || math.Abs(all/want-1) > 0.05 {
		t.Errorf("%d samples and %d lost in %s", s.samples, s.lost, cpu)
	}
}

// TestStops checks that a recording which ends before its command leaves nothing behind,
// when the command ignores what it is told.
func TestStops(t *testing.T) {
	needsEvents(t)
	bin := burn(t)
	c := Command{Args: []string{bin, "forever"}}
	t.Run("its time is up", func(t *testing.T) {
		o := options(t)
		o.Duration, o.Repeat = 300*time.Millisecond, 5
		r, err := recordEvents(t.Context(), c, o, KindCPU)
		if err != nil {
			t.Fatal(err)
		}
		if r.Runs != 1 {
			t.Errorf("%d runs", r.Runs)
		}
		wantShare(t, r, "shares", 0.9)
		wantGone(t, bin, o.Dir)
	})
	t.Run("Ctrl-C", func(t *testing.T) {
		o := options(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for ctx.Err() == nil && len(processesOf(bin)) < 2 {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		_, err := recordEvents(ctx, c, o, KindCPU)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want that it was interrupted", err)
		}
		wantGone(t, bin, o.Dir)
	})
	t.Run("no room for samples", func(t *testing.T) {
		o := options(t)
		if _, err := sampleRuns(t.Context(), c, o, KindCPU, callGraph{}, small(t)); !errors.Is(err, unix.EPERM) {
			t.Errorf("%v, want that the file may not grow", err)
		}
		wantGone(t, bin, o.Dir)
	})
}

// small is a file that takes what comes first, and then no more.
func small(t *testing.T) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("small", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "small")
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW); err != nil {
		t.Fatal(err)
	}
	return f
}

// processesOf are those that run a program.
func processesOf(bin string) (out []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, l := range links {
		if name, err := os.Readlink(l); err == nil && name == bin {
			out = append(out, l)
		}
	}
	return out
}

func wantGone(t *testing.T, bin, dir string) {
	t.Helper()
	// One that was killed is gone a moment later.
	for deadline := time.Now().Add(10 * time.Second); len(processesOf(bin)) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%v is left", processesOf(bin))
		}
		time.Sleep(time.Millisecond)
	}
	wantEmpty(t, dir)
}

// TestVia takes the ways by their names.
func TestVia(t *testing.T) {
	for _, name := range []string{"", "events", "go", "perf"} {
		if v, err := ParseVia(name); err != nil || string(v) != name {
			t.Errorf("%q: %q, %v", name, v, err)
		}
	}
	if _, err := ParseVia("strace"); err == nil {
		t.Error("strace records CPU time")
	}
	_, err := CPU(t.Context(), Command{Args: []string{"true"}}, Options{Dir: t.TempDir(), Via: ViaGo})
	if _, ok := errors.AsType[*UnavailableError](err); !ok {
		t.Errorf("%v, want that true writes no profile", err)
	}
}

// TestInTime makes time of cycles.
func TestInTime(t *testing.T) {
	cost := &profile.ValueType{Type: "cycles", Unit: "count"}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, cost}, DefaultSampleType: "cycles", PeriodType: cost,
		Sample: []*profile.Sample{{Value: []int64{1, 3_000_000}}, {Value: []int64{2, 1_000_000}}},
	}
	inTime(p, time.Second)
	if a, b := p.Sample[0].Value[1], p.Sample[1].Value[1]; a != 750_000_000 || b != 250_000_000 || p.DefaultSampleType != "cpu" || p.SampleType[1].Unit != "nanoseconds" {
		t.Errorf("%d and %d %v", a, b, p.SampleType[1])
	}
}
