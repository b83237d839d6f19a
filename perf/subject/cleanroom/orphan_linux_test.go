package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestKilledRunner: when the runner is killed, with no chance to clean up, its
// steps and services end by themselves and remove their directories. The test
// adopts them as a subreaper, so that it can wait for their end.
func TestKilledRunner(t *testing.T) {
	const prSetChildSubreaper = 36 // prctl(2)
	adopt := func(on uintptr) {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, on, 0); errno != 0 {
			t.Fatal(errno)
		}
	}
	adopt(1)
	defer adopt(0)

	r := newRoom(t, map[string]string{"in/a.clnrm.toml": busyFile}).start("run", "--force", "in")
	r.until("Process started successfully, executing command")
	children := childrenOf(t, r.cmd.Process.Pid)
	if len(children) != 2 {
		t.Fatalf("children %v, want a service and a step", children)
	}
	r.end(syscall.SIGKILL)
	for _, pid := range children {
		p, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(); err != nil {
			t.Errorf("wait for %d: %v", pid, err)
		}
	}
	r.wantNoLeftovers()
}

// childrenOf reads the children that any thread of pid has, proc_pid_task(5).
func childrenOf(t *testing.T, pid int) (pids []int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(files) == 0 {
		t.Skipf("this kernel lists no children: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(string(text)) {
			var child int
			if _, err := fmt.Sscan(word, &child); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, child)
		}
	}
	return pids
}
