package profiler

import "syscall"

// dieWithParent makes the kernel tell a command to end when this process dies. perf ends
// its own command then.
func dieWithParent(sys *syscall.SysProcAttr) { sys.Pdeathsig = syscall.SIGTERM }
