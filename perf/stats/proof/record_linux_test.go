package proof

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// -record measures the traces in testdata anew, on two idle CPUs at best; it takes
// about three minutes.
var record = flag.Bool("record", false, "record the traces in testdata anew")

const (
	recordedRuns = 1500
	// childBlocks is what makes the child take some 17 ms.
	childBlocks = 1000
	childEnv    = "PROOF_RECORD_CHILD"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "work":
		hash(childBlocks)
		os.Exit(0)
	case "spin":
		for { // until its parent ends it
			hash(1)
		}
	}
	os.Exit(m.Run())
}

// hash is the work of the child: hashing in a cache-sized buffer, so that it
// computes, allocates nothing and waits for nobody.
func hash(blocks int) byte {
	buffer := make([]byte, 32<<10)
	for range blocks {
		sum := sha256.Sum256(buffer)
		copy(buffer, sum[:])
	}
	return buffer[0]
}

// TestRecord records the traces. README.md in testdata says under which conditions.
func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("traces are recorded anew only by -record")
	}
	for _, loaded := range []bool{false, true} {
		for _, pinned := range []bool{false, true} {
			if err := recordTrace(pinned, loaded); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func recordTrace(pinned, loaded bool) error {
	name, runOn := "unpinned", func(f func() error) error { return f() }
	if pinned {
		name, runOn = "pinned", func(f func() error) error { return onCPU(0, f) }
	}
	if loaded {
		name += "-loaded"
		spinner := child("spin")
		if err := onCPU(1, spinner.Start); err != nil {
			return err
		}
		defer func() {
			_ = spinner.Process.Kill()
			_ = spinner.Wait()
		}()
	}
	var out bytes.Buffer
	err := runOn(func() error {
		for i := range recordedRuns + 5 {
			wall, cpu, err := runChild()
			if err != nil {
				return err
			}
			if i >= 5 { // the others are warm-up
				fmt.Fprintf(&out, "%d %d\n", wall.Microseconds(), cpu.Microseconds())
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("testdata", name+".txt"), out.Bytes(), 0o644)
}

func child(role string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{childEnv + "=" + role, "GOMAXPROCS=1"}
	return cmd
}

// runChild runs the command once and returns its wall time and its CPU time.
func runChild() (wall, cpu time.Duration, err error) {
	cmd := child("work")
	start := time.Now()
	err = cmd.Run()
	wall = time.Since(start)
	if err != nil {
		return 0, 0, err
	}
	return wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// onCPU runs f on a thread that is bound to one CPU, and with it every process that f
// starts. The thread is never unlocked, so that it ends together with its goroutine.
func onCPU(cpu int, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		var set unix.CPUSet
		set.Set(cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			done <- fmt.Errorf("binding a thread to CPU %d: %w", cpu, err)
			return
		}
		done <- f()
	}()
	return <-done
}
