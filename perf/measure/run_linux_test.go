package measure_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

func init() {
	roles["die"] = func(args []string) { // SIGNAL
		sig := syscall.Signal(number(args[0]))
		signal.Reset(sig)
		must(unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}))
		must(syscall.Kill(os.Getpid(), sig))
		<-time.After(time.Hour)
	}
	// leave WHAT starts a process of that role which outlives it, and prints its id.
	roles["leave"] = func(args []string) { leave(self(args[0]), false) }
	// daemon does so as daemons begin: through a process in between, which exits,
	// and in a session of its own.
	roles["daemon"] = func(args []string) {
		middle := self("leave-session", args...)
		middle.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		middle.Stderr = os.Stderr
		out, err := middle.Output()
		must(err)
		fmt.Print(string(out))
	}
	roles["leave-session"] = func(args []string) { leave(self(args[0]), true) }
	roles["daemon-then-hang"] = func(args []string) {
		roles["daemon"](args)
		roles["stubborn"](nil)
	}
	roles["yes"] = func([]string) {
		fmt.Println("ready")
		for {
			if _, err := os.Stderr.WriteString("yes\n"); err != nil {
				return
			}
		}
	}
	roles["brief"] = func([]string) {
		fmt.Println("ready")
		<-time.After(2 * time.Millisecond)
	}
	roles["affinity"] = func([]string) {
		var set unix.CPUSet
		must(unix.SchedGetaffinity(0, &set))
		for cpu := range len(set) * 64 {
			if set.IsSet(cpu) {
				fmt.Println(cpu)
			}
		}
	}
	roles["until-eof"] = func(args []string) { // exits with STATUS at the end of its input
		fmt.Println("ready")
		_, _ = bufio.NewReader(os.Stdin).ReadString(0)
		os.Exit(number(args[0]))
	}
	roles["write"] = func(args []string) { // BYTES, through a child that it waits for
		cmd := self("flood", args[0])
		cmd.Stdout = os.Stdout
		must(cmd.Run())
	}
}

// leave starts cmd, waits until it says that it is ready, prints its process id
// and does not wait for it. It keeps the standard error of this process open.
func leave(cmd *exec.Cmd, session bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	must(err)
	fmt.Println(cmd.Process.Pid)
}

// pids are the numbers that a command printed, one a line.
func pids(t *testing.T, r measure.Run) []int {
	t.Helper()
	var list []int
	for _, word := range strings.Fields(string(r.Output)) {
		if n, err := strconv.Atoi(word); err == nil {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		t.Fatalf("the command named no process: %.100q", r.Output)
	}
	return list
}

func checkGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if err := unix.Kill(pid, 0); err != unix.ESRCH {
			t.Errorf("process %d is still there (%v)", pid, err)
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

func TestSignalDeath(t *testing.T) {
	for _, test := range []struct {
		signal unix.Signal
		name   string
	}{{unix.SIGKILL, "SIGKILL"}, {unix.SIGSEGV, "SIGSEGV"}} {
		r := run(t, role("die", itoa(int(test.signal))))
		if test.signal == unix.SIGSEGV && r.Signal == "" {
			continue // the Go runtime of the child may turn it into exit status 2
		}
		if r.Signal != test.name || r.ExitCode != -1 {
			t.Errorf("got signal %q, status %d; want %s, -1", r.Signal, r.ExitCode, test.name)
		}
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), "killed by "+test.name) {
			t.Errorf("Err() = %v", err)
		}
	}
}

func TestKernelAccounts(t *testing.T) {
	const size = 1 << 20
	r := run(t, role("write", itoa(size)))
	if !r.HasIO || r.WrittenBytes < size || r.WrittenBytes > 2*size {
		t.Errorf("written %d bytes (%v), want what the grandchild wrote, %d, and little more", r.WrittenBytes, r.HasIO, size)
	}
	if !r.HasFaults || r.MinorFaults < 50 {
		t.Errorf("%d minor faults (%v)", r.MinorFaults, r.HasFaults)
	}
	if r.HasRunDelay && (r.RunDelay <= 0 || r.RunDelay > r.Wall) {
		t.Errorf("run delay %v in %v", r.RunDelay, r.Wall)
	}
	if r.HasPressure && (r.Pressure < 0 || r.Pressure > r.Wall+time.Second) {
		t.Errorf("pressure %v in %v", r.Pressure, r.Wall)
	}
}

// TestWallEndsWithReaping holds the reaping up, and expects that in the wall time.
func TestWallEndsWithReaping(t *testing.T) {
	const pause = 50 * time.Millisecond
	var dead time.Time
	defer measure.OnDeath(func() {
		dead = time.Now()
		for time.Since(dead) < pause {
		}
	})()
	r := run(t, role("exit", "0"))
	if least := dead.Add(pause).Sub(r.Start); r.Wall < least {
		t.Errorf("wall %v, but it was not reaped before %v", r.Wall, least)
	}
	if !r.HasIO || !r.HasFaults {
		t.Errorf("I/O %v, faults %v; both are known until it is reaped", r.HasIO, r.HasFaults)
	}
}

func TestLeftBehindIsEnded(t *testing.T) {
	for _, test := range []struct{ how, what string }{
		{"leave", "hang"}, {"leave", "stubborn"}, {"daemon", "hang"}, {"daemon", "stubborn"},
		{"leave", "yes"}, // holds the pipe open and keeps it full
	} {
		t.Run(test.how+" "+test.what, func(t *testing.T) {
			c := role(test.how, test.what)
			c.KeepOutput = 16 << 20 // all of it, to find the process id
			r := run(t, c)
			if err := r.Err(); err != nil {
				t.Fatal(err)
			}
			if len(r.LeftBehind) != 1 || !strings.HasPrefix(r.LeftBehind[0], r.Args[0]) {
				t.Errorf("left behind %q, want one process of %s", r.LeftBehind, r.Args[0])
			}
			checkGone(t, pids(t, r)[:1])
			mem, err := c.RunMemory(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(mem.Run.LeftBehind) != 1 || !strings.HasPrefix(mem.Run.LeftBehind[0], r.Args[0]) {
				t.Errorf("memory run: left behind %q", mem.Run.LeftBehind)
			}
			checkGone(t, pids(t, mem.Run)[:1])
		})
	}
}

func TestBriefSurvivorIsNotLeftBehind(t *testing.T) {
	defer measure.WithPatience(time.Minute)()
	r := run(t, role("leave", "brief"))
	if len(r.LeftBehind) > 0 {
		t.Errorf("left behind %q, which ended by itself", r.LeftBehind)
	}
	checkGone(t, pids(t, r))
	mem, err := role("leave", "brief").RunMemory(t.Context())
	if err != nil || len(mem.Run.LeftBehind) > 0 {
		t.Errorf("memory run left behind %q, %v", mem.Run.LeftBehind, err)
	}
}

func TestTimeoutEndsTree(t *testing.T) {
	c := role("daemon-then-hang", "stubborn")
	c.Timeout, c.Grace = 1500*time.Millisecond, 50*time.Millisecond
	begin := time.Now()
	r := run(t, c)
	if !r.TimedOut || r.Signal != "SIGKILL" {
		t.Errorf("timed out %v, signal %q", r.TimedOut, r.Signal)
	}
	checkGone(t, pids(t, r))
	mem, err := c.RunMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !mem.Run.TimedOut || mem.Run.Signal != "SIGKILL" {
		t.Errorf("memory run: timed out %v, signal %q", mem.Run.TimedOut, mem.Run.Signal)
	}
	checkGone(t, pids(t, mem.Run))
	if passed := time.Since(begin); passed > 8*time.Second {
		t.Errorf("it took %v", passed)
	}
}

func TestGraceLetsCommandEnd(t *testing.T) {
	c := role("polite")
	c.Timeout, c.Grace = time.Second, time.Minute
	r := run(t, c)
	if !r.TimedOut || r.ExitCode != 5 || !strings.Contains(string(r.Output), "terminated") {
		t.Errorf("timed out %v, status %d, output %q", r.TimedOut, r.ExitCode, r.Output)
	}
	c.Grace = -1
	if r := run(t, c); r.Signal != "SIGKILL" {
		t.Errorf("without grace: status %d, signal %q", r.ExitCode, r.Signal)
	}
}

func TestPinning(t *testing.T) {
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	cpu := firstCPU(before)
	c := role("affinity")
	c.CPUs = []int{cpu}
	if got := string(run(t, c).Output); got != fmt.Sprintln(cpu) {
		t.Errorf("pinned to %d, ran on %q", cpu, got)
	}
	mem, err := c.RunMemory(t.Context())
	if err != nil || string(mem.Run.Output) != fmt.Sprintln(cpu) {
		t.Errorf("memory run pinned to %d: %q, %v", cpu, mem.Run.Output, err)
	}
	c.CPUs = nil
	if got := strings.Fields(string(run(t, c).Output)); len(got) != before.Count() {
		t.Errorf("unpinned on %q, want %d CPUs", got, before.Count())
	}
	for _, bad := range []int{4000, -1, 1 << 20} {
		c.CPUs = []int{cpu, bad}
		_, err := c.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "available are") {
			t.Errorf("CPU %d: %v", bad, err)
		} else if last := "8191"; strings.Contains(err.Error(), last) { // of the mask, not of the kernel
			t.Errorf("CPU %d: the kernel has no CPU %s, which is offered: %v", bad, last, err)
		}
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
		t.Errorf("affinity of this thread: %v, was %v", after, before)
	}
}

func firstCPU(set unix.CPUSet) int {
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			return cpu
		}
	}
	return 0
}

// TestOtherChildrenAreUntouched starts children by os/exec, one of them in a
// session of its own, and expects them and their exit statuses intact.
func TestOtherChildrenAreUntouched(t *testing.T) {
	plain, endPlain := startOther(t, "41", false)
	session, endSession := startOther(t, "42", true)
	quick := self("exit", "43")
	if err := quick.Start(); err != nil { // a zombie by the time of the sweep, not reaped yet
		t.Fatal(err)
	}
	if r := run(t, role("daemon", "hang")); len(r.LeftBehind) != 1 {
		t.Errorf("left behind %q, want the daemon alone", r.LeftBehind)
	}
	mem, err := role("daemon", "hang").RunMemory(t.Context())
	if err != nil || len(mem.Run.LeftBehind) != 1 {
		t.Errorf("memory run left behind %q, %v", mem.Run.LeftBehind, err)
	}
	endPlain()
	endSession()
	for cmd, want := range map[*exec.Cmd]int{plain: 41, session: 42, quick: 43} {
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("other child: %v, want exit status %d", cmd.ProcessState, want)
		}
	}
}

func startOther(t *testing.T, status string, session bool) (cmd *exec.Cmd, end func()) {
	t.Helper()
	cmd = self("until-eof", status)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, func() { in.Close() }
}

func TestNothingAccumulates(t *testing.T) {
	c := measure.Command{Args: []string{testenv.Tool(t, "true")}}
	count := func() (fds, goroutines, children int) {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		tasks, _ := os.ReadDir("/proc/self/task")
		for _, task := range tasks {
			list, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
			children += len(strings.Fields(string(list)))
		}
		return len(names), runtime.NumGoroutine(), children
	}
	run(t, c)
	fds, goroutines, children := count()
	for i := range 200 {
		run(t, c)
		if i%10 == 0 {
			if _, err := c.RunMemory(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A goroutine that has handed its result over may take a moment to be gone.
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > goroutines && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	fds2, goroutines2, children2 := count()
	if fds2 != fds || goroutines2 > goroutines || children2 != children {
		t.Errorf("after 200 runs: %d file descriptors, %d goroutines, %d children; were %d, %d, %d",
			fds2, goroutines2, children2, fds, goroutines, children)
	}
	var attr int32
	if err := prctlGet(unix.PR_GET_CHILD_SUBREAPER, &attr); err != nil || attr != 0 {
		t.Errorf("still child subreaper: %d, %v", attr, err)
	}
}

func TestInterpreterIsNamed(t *testing.T) {
	script := t.TempDir() + "/script"
	if err := os.WriteFile(script, []byte("#!/no/such/shell -e\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := measure.Command{Args: []string{script}}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not its interpreter /no/such/shell") {
		t.Errorf("got %v", err)
	}
}
