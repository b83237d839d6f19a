package measure_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

const mega = 1 << 20

func init() {
	roles["touch"] = func(args []string) { // MEGABYTES
		touch(number(args[0]))
	}
	roles["hold"] = func(args []string) { // MEGABYTES, until the end of its input
		memory := touch(number(args[0]))
		fmt.Println("ready")
		_, _ = io.ReadAll(os.Stdin)
		runtime.KeepAlive(memory)
	}
	roles["together"] = func(args []string) { // CHILDREN MEGABYTES, at one time
		var ends []func() error
		for range number(args[0]) {
			ends = append(ends, holder(args[1]))
		}
		for _, end := range ends {
			must(end())
		}
	}
	roles["together-hang"] = func(args []string) { // CHILDREN MEGABYTES, for as long as it may
		for range number(args[0]) {
			holder(args[1])
		}
		<-time.After(time.Hour)
	}
	roles["killed"] = func(args []string) { // MEGABYTES, in a child that is killed
		cmd := self("hold", args[0])
		_, err := cmd.StdinPipe()
		must(err)
		out, err := cmd.StdoutPipe()
		must(err)
		must(cmd.Start())
		_, err = bufio.NewReader(out).ReadString('\n')
		must(err)
		must(cmd.Process.Kill())
		_ = cmd.Wait()
	}
	roles["in-turn"] = func(args []string) { // CHILDREN MEGABYTES, one after another
		for range number(args[0]) {
			must(holder(args[1])())
		}
	}
	roles["burst"] = func(args []string) { // TIMES CHILDREN MEGABYTES, each of short life
		for range number(args[0]) {
			var wg sync.WaitGroup
			for range number(args[1]) {
				wg.Go(func() { must(self("touch", args[2]).Run()) })
			}
			wg.Wait()
		}
	}
	roles["big-spawner"] = func(args []string) { // MEGABYTES TIMES PROGRAM
		memory := touch(number(args[0]))
		for range number(args[1]) {
			must(exec.Command(args[2]).Run())
		}
		runtime.KeepAlive(memory)
	}
	// stop-self stops itself until its child continues it.
	roles["stop-self"] = func([]string) {
		other := self("continuer", itoa(os.Getpid()))
		in, err := other.StdinPipe()
		must(err)
		must(other.Start())
		// To this thread: another might take its time to be stopped by a signal to the
		// process, while this one goes on and ends the continuer.
		runtime.LockOSThread()
		must(unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP))
		fmt.Println("continued")
		in.Close()
		must(other.Wait())
	}
	roles["continuer"] = func(args []string) { // PID, until the end of its input
		eof := make(chan struct{})
		go func() {
			_, _ = io.ReadAll(os.Stdin)
			close(eof)
		}()
		for ticks := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-ticks.C:
				_ = syscall.Kill(number(args[0]), syscall.SIGCONT)
			case <-eof:
				return
			}
		}
	}
	roles["signals"] = func([]string) { // sends itself signals and counts them
		got := make(chan os.Signal, 10)
		signal.Notify(got, syscall.SIGUSR1, syscall.SIGTRAP)
		for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTRAP} {
			must(syscall.Kill(os.Getpid(), s))
			fmt.Println(<-got)
		}
	}
}

// touch takes memory from the system, outside the Go heap, and writes to all of it.
func touch(megabytes int) []byte {
	memory, err := unix.Mmap(-1, 0, megabytes*mega, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	must(err)
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	return memory
}

// holder starts a process that holds memory, and returns once it does.
func holder(megabytes string) (end func() error) {
	cmd := self("hold", megabytes)
	in, err := cmd.StdinPipe()
	must(err)
	out, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	must(err)
	return func() error {
		in.Close()
		return cmd.Wait()
	}
}

func runMemory(t *testing.T, c measure.Command) measure.Memory {
	t.Helper()
	mem, err := c.RunMemory(t.Context())
	if err == nil {
		err = mem.Run.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("peak %d, RSS %d, bound %d KiB; %s", mem.Peak>>10, mem.PeakRSS>>10, mem.PeakBound>>10, mem.Reason)
	return mem
}

// requireTracing skips where the tests themselves run without ptrace.
func requireTracing(t *testing.T) {
	t.Helper()
	if mem := runMemory(t, role("exit", "0")); !mem.HasPeakBound {
		testenv.Missing(t, "ptrace", mem.Reason)
	}
}

// checkMega expects a size from lo to hi MiB. A child of the test binary takes
// some MiB by itself, more under the race detector: ownSize.
func checkMega(t *testing.T, what string, got int64, lo, hi int) {
	t.Helper()
	if got < int64(lo)*mega || got > int64(hi)*mega {
		t.Errorf("%s is %.1f MiB, want %d to %d", what, float64(got)/mega, lo, hi)
	}
}

// ownSize is what one process of the test binary may take, in MiB.
const ownSize = 25

func TestMemoryOfTree(t *testing.T) {
	requireTracing(t)
	together := runMemory(t, role("together", "3", "50"))
	checkMega(t, "peak of three at once", together.Peak, 150, 150+4*ownSize)
	checkMega(t, "resident sets of three at once", together.PeakRSS, 150, 150+4*ownSize)
	checkMega(t, "bound of three at once", together.PeakBound, 150, 150+4*ownSize)
	inTurn := runMemory(t, role("in-turn", "3", "50"))
	checkMega(t, "peak of three in turn", inTurn.Peak, 50, 50+2*ownSize)
	checkMega(t, "resident sets of three in turn", inTurn.PeakRSS, 50, 50+2*ownSize)
	checkMega(t, "bound of three in turn", inTurn.PeakBound, 50, 50+2*ownSize)
}

func TestMemoryBySampling(t *testing.T) {
	defer measure.Without(false, true)()
	c := role("together-hang", "3", "50")
	c.Timeout, c.Grace = 2*time.Second, -1
	mem, err := c.RunMemory(t.Context())
	if err != nil || !mem.Run.TimedOut {
		t.Fatalf("timed out %v, %v", mem.Run.TimedOut, err)
	}
	checkMega(t, "peak of three at once", mem.Peak, 150, 150+4*ownSize)
	checkMega(t, "resident sets of three at once", mem.PeakRSS, 150, 150+4*ownSize)
	if mem.HasPeakBound || mem.PeakBound != 0 || mem.Reason == "" {
		t.Errorf("bound %d (%v), reason %q; want none, with a reason", mem.PeakBound, mem.HasPeakBound, mem.Reason)
	}
}

func TestPreforkedMemoryCountsOnce(t *testing.T) {
	requireTracing(t)
	prefork := compileC(t, "prefork")
	mem := runMemory(t, measure.Command{Args: []string{prefork, "100", "5"}})
	checkMega(t, "peak", mem.Peak, 100, 115)
	checkMega(t, "resident sets", mem.PeakRSS, 500, 650)
	checkMega(t, "bound", mem.PeakBound, 600, 650)
}

func TestShortLivedMemoryIsBounded(t *testing.T) {
	requireTracing(t)
	mem := runMemory(t, role("burst", "10", "1", "30"))
	checkMega(t, "bound of one at a time", mem.PeakBound, 30, 30+2*ownSize)
	mem = runMemory(t, role("burst", "10", "3", "30"))
	checkMega(t, "bound of three at a time", mem.PeakBound, 30, 90+4*ownSize)
	killed := runMemory(t, role("killed", "30"))
	checkMega(t, "bound of a killed process", killed.PeakBound, 30, 30+2*ownSize)
	if mem.Peak > mem.PeakRSS || mem.PeakRSS > mem.PeakBound {
		t.Errorf("peak %d, resident sets %d, bound %d are out of order", mem.Peak, mem.PeakRSS, mem.PeakBound)
	}
}

// TestRunnerIsNotCounted holds 300 MiB here, which ru_maxrss of any child would
// report as the child's.
func TestRunnerIsNotCounted(t *testing.T) {
	requireTracing(t)
	trueProgram := testenv.Tool(t, "true")
	heap := make([]byte, 300*mega)
	for i := 0; i < len(heap); i += 4096 {
		heap[i] = 1
	}
	mem := runMemory(t, measure.Command{Args: []string{trueProgram}})
	runtime.KeepAlive(heap)
	for what, got := range map[string]int64{"peak": mem.Peak, "resident sets": mem.PeakRSS, "bound": mem.PeakBound} {
		if got <= 0 || got > 3*mega {
			t.Errorf("%s of true is %d bytes, want 1 to 3 MiB", what, got)
		}
	}
	if !mem.HasPeak || !mem.HasPeakRSS || !mem.HasPeakBound || mem.Reason != "" {
		t.Errorf("not measured: %s", mem.Reason)
	}
}

// TestSharedUntilExec expects that a child does not count between vfork and
// execve, when it runs in its parent's memory.
func TestSharedUntilExec(t *testing.T) {
	requireTracing(t)
	mem := runMemory(t, role("big-spawner", "200", "40", testenv.Tool(t, "true")))
	checkMega(t, "peak", mem.Peak, 200, 200+2*ownSize)
	checkMega(t, "resident sets", mem.PeakRSS, 200, 200+2*ownSize)
	checkMega(t, "bound", mem.PeakBound, 200, 200+2*ownSize)
}

func TestTracedBehaviour(t *testing.T) {
	requireTracing(t)
	if got := string(runMemory(t, role("stop-self")).Run.Output); got != "continued\n" {
		t.Errorf("a stopped process: %q", got)
	}
	if got := string(runMemory(t, role("signals")).Run.Output); got != "user defined signal 1\ntrace/breakpoint trap\n" {
		t.Errorf("signals: %q", got)
	}
	mem, err := role("exit", "3", "words").RunMemory(t.Context())
	if err != nil || mem.Run.ExitCode != 3 || string(mem.Run.Output) != "words\n" {
		t.Errorf("status %d, output %q, %v", mem.Run.ExitCode, mem.Run.Output, err)
	}
	mem, err = role("die", itoa(int(unix.SIGKILL))).RunMemory(t.Context())
	if err != nil || mem.Run.Signal != "SIGKILL" {
		t.Errorf("signal %q, %v", mem.Run.Signal, err)
	}
	c := role("polite")
	c.Timeout, c.Grace = time.Second, time.Minute
	mem, err = c.RunMemory(t.Context())
	if err != nil || !mem.Run.TimedOut || mem.Run.ExitCode != 5 {
		t.Errorf("timed out %v, status %d, %v", mem.Run.TimedOut, mem.Run.ExitCode, err)
	}
}

func TestTracedShellPipeline(t *testing.T) {
	requireTracing(t)
	sh := testenv.Tool(t, "sh")
	script := "for i in 1 2 3; do echo line $i | cat; done | (cat; exit 4)"
	mem, err := measure.Command{Args: []string{sh, "-c", script}}.RunMemory(t.Context())
	if err != nil || mem.Run.ExitCode != 4 || strings.Count(string(mem.Run.Output), "line") != 3 {
		t.Errorf("status %d, output %q, %v", mem.Run.ExitCode, mem.Run.Output, err)
	}
	if len(mem.Run.LeftBehind) > 0 {
		t.Errorf("left behind %q", mem.Run.LeftBehind)
	}
}

func TestWithoutPidfd(t *testing.T) {
	defer measure.Without(true, false)()
	r := run(t, role("exit", "3", "words"))
	if r.ExitCode != 3 || string(r.Output) != "words\n" || r.Wall <= 0 {
		t.Errorf("status %d, output %q, wall %v", r.ExitCode, r.Output, r.Wall)
	}
	c := role("hang")
	c.Timeout = 50 * time.Millisecond
	if r := run(t, c); !r.TimedOut {
		t.Error("no timeout")
	}
}
