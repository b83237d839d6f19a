package measure_test

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

func init() {
	roles["name-and-hang"] = func([]string) {
		fmt.Println(os.Getpid())
		<-time.After(time.Hour)
	}
	// host measures another role as a program that uses this package does.
	roles["host"] = func(args []string) { // time|memory ROLE [ARG...]
		c := role(args[1], args[2:]...)
		c.OnOutput = func(_ int, p []byte, _ time.Time) { fmt.Print(string(p)) }
		if args[0] == "memory" {
			_, err := c.RunMemory(ctxNever)
			must(err)
			return
		}
		_, err := c.Run(ctxNever)
		must(err)
	}
}

// TestDeathOfHost kills a program that measures, and expects what it measures
// to die with it: a timed command itself, of a traced one the whole tree.
func TestDeathOfHost(t *testing.T) {
	requireTracing(t)
	for _, args := range [][]string{{"time", "name-and-hang"}, {"memory", "name-and-hang"}, {"memory", "daemon-then-hang", "hang"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			host := self("host", args...)
			out, err := host.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				testenv.Missing(t, "pidfd", err.Error())
			}
			defer unix.Close(fd)
			if err := host.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = host.Wait()
			dead := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			if n, err := unix.Poll(dead, 10_000); n != 1 {
				t.Errorf("process %d outlives its host (%v)", pid, err)
				unix.Kill(pid, unix.SIGKILL)
			}
		})
	}
}

// TestForkChainIsCaught ends a command that flees by forking.
func TestForkChainIsCaught(t *testing.T) {
	chain := compileC(t, "chain")
	c := measure.Command{Args: []string{chain}}
	run(t, c)
	checkNoneRuns(t, chain)
	runMemory(t, c)
	checkNoneRuns(t, chain)
}

// checkNoneRuns looks for processes of a program and kills them.
func checkNoneRuns(t *testing.T, program string) {
	t.Helper()
	for range 20 {
		names, err := os.ReadDir("/proc")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			exe, err := os.Readlink("/proc/" + name.Name() + "/exe")
			if pid, _ := strconv.Atoi(name.Name()); err == nil && exe == program && pid > 0 {
				t.Errorf("process %d of %s still runs", pid, program)
				unix.Kill(pid, unix.SIGKILL)
			}
		}
	}
}
