package measure_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

func init() {
	roles["try"] = func([]string) { // measures in both ways, and tells the errors
		_, err := role("exit", "0").Run(ctxNever)
		_, merr := role("exit", "0").RunMemory(ctxNever)
		for _, err := range []error{err, merr} {
			_, refused := errors.AsType[*measure.StartError](err)
			fmt.Println(refused, err)
		}
	}
}

// In a PID namespace under the /proc of another one, every number read there would be
// about processes that have nothing to do with the command.
func TestProcOfAnotherNamespace(t *testing.T) {
	host := self("try")
	host.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		host.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	out, err := host.Output()
	if err != nil {
		testenv.Missing(t, "pidns", "a PID namespace cannot be made: "+err.Error())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 {
		t.Fatalf("it says %q, want an error for each of two runs", out)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "true ") || !strings.Contains(line, "another PID namespace") {
			t.Errorf("it says %q, want a refusal with its reason", line)
		}
	}
}
