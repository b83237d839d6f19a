package profiler

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// killBelow ends all that a process has started, and not the process.
func killBelow(pid int) {
	for _, child := range children(pid) {
		killBelow(child)
		_ = syscall.Kill(child, syscall.SIGKILL) // one that is gone is well
	}
}

// children are the processes that the threads of a process have started (proc(5)); none
// where it is gone.
func children(pid int) []int {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	var out []int
	for _, task := range tasks {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			continue
		}
		for word := range strings.FieldsSeq(string(data)) {
			if id, err := strconv.Atoi(word); err == nil {
				out = append(out, id)
			}
		}
	}
	return out
}

// dieWithParent makes the kernel tell a command to end when this process dies: a recorder
// politely, as it ends its own command then; a subject, which may ignore that, for good.
func dieWithParent(sys *syscall.SysProcAttr, alone bool) {
	sys.Pdeathsig = syscall.SIGTERM
	if alone {
		sys.Pdeathsig = syscall.SIGKILL
	}
}
