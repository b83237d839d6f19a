package measure_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// watchings are the ways in which the tracer hears of execve beforehand.
var watchings = []struct {
	name string
	set  func() (undo func())
}{
	{"filter", func() func() { return func() {} }},
	{"every call", measure.WithoutFilter},
}

// TestMemoryBeforeExec holds the bound to what a process took before it executed a
// program, which gives it back at once.
func TestMemoryBeforeExec(t *testing.T) {
	requireTracing(t)
	program, small := compileC(t, "exec"), testenv.Tool(t, "true")
	defer measure.WithPatience(time.Minute)() // for the orphan
	for _, watching := range watchings {
		for _, mode := range []string{"once", "at", "filter", "thread", "fails", "vfork", "orphan", "both"} {
			times := 3
			if mode == "once" && watching.name == "filter" {
				times = 50 // a sampler meets it now and then
			}
			t.Run(watching.name+"/"+mode, func(t *testing.T) {
				defer watching.set()()
				for range times {
					mem := runMemory(t, measure.Command{Args: []string{program, mode, "80", small}})
					checkMega(t, "bound", mem.PeakBound, 80, 84)
					if mem.Peak > mem.PeakRSS || mem.PeakRSS > mem.PeakBound {
						t.Errorf("peak %d, resident sets %d, bound %d are out of order", mem.Peak, mem.PeakRSS, mem.PeakBound)
					}
				}
			})
		}
	}
}

// TestMemoryUntilExec lets a process take memory while it executes a program, and
// expects all that it came to have.
func TestMemoryUntilExec(t *testing.T) {
	requireTracing(t)
	program := compileC(t, "exec")
	for _, watching := range watchings {
		t.Run(watching.name, func(t *testing.T) {
			defer watching.set()()
			for range 5 {
				mem := runMemory(t, measure.Command{Args: []string{program, "growing", "200", ""}})
				taken := int64(number(strings.TrimSpace(string(mem.Run.Output))))
				if mem.PeakBound < taken || mem.PeakBound > taken+4*mega {
					t.Errorf("bound is %d, want %d and little more", mem.PeakBound, taken)
				}
			}
		})
	}
}

// TestMemoryBeforeExecOf32Bits does so for a 32-bit program, in itself and below a
// shell of 64 bits, whose filter it inherits.
func TestMemoryBeforeExecOf32Bits(t *testing.T) {
	requireTracing(t)
	cc, small, sh := testenv.Tool(t, "cc"), testenv.Tool(t, "true"), testenv.Tool(t, "sh")
	bin := filepath.Join(t.TempDir(), "exec32")
	if out, err := exec.Command(cc, "-m32", "-O1", "-fno-pic", "-no-pie", "-fno-stack-protector", "-nostdlib", "-static", "-o", bin,
		filepath.Join("testdata", "exec32.c")).CombinedOutput(); err != nil {
		t.Skipf("cc makes no 32-bit programs: %v\n%s", err, out)
	}
	if out, err := exec.Command(bin, small).CombinedOutput(); err != nil {
		t.Skipf("no 32-bit program runs here: %v %s", err, out)
	}
	for _, args := range [][]string{{bin, small}, {sh, "-c", bin + " " + small + "; true"}} {
		for range 3 {
			mem := runMemory(t, measure.Command{Args: args})
			checkMega(t, "bound", mem.PeakBound, 80, 84)
		}
	}
}

// TestTracingCommandIsNamed runs a command that traces another, which it cannot in a
// memory run.
func TestTracingCommandIsNamed(t *testing.T) {
	requireTracing(t)
	// Not a Go program: what traces itself stops at every signal, and that runtime sends
	// itself some.
	traced := measure.Command{Args: []string{compileC(t, "trace-self")}}
	for _, watching := range watchings {
		undo := watching.set()
		mem, err := traced.RunMemory(t.Context())
		undo()
		if err != nil {
			t.Fatal(err)
		}
		if err := mem.Run.Err(); err == nil || !strings.Contains(err.Error(), "exit status 97, and it calls ptrace(2), which fails in a memory run") {
			t.Errorf("%s: %v", watching.name, err)
		}
	}
	if err := run(t, traced).Err(); err != nil {
		t.Errorf("timed: %v", err)
	}
}
