//go:build !linux

package measure

import (
	"os"

	"github.com/shirou/gopsutil/v3/process"
)

// ancestors returns the unbroken chain of parents that are called one of names.
func ancestors(names []string) []ancestor {
	var out []ancestor
	for pid := int32(os.Getppid()); pid > 1; {
		p, err := process.NewProcess(pid)
		if err != nil {
			break
		}
		name, err := p.Name()
		if err != nil || !named(name, names) {
			break
		}
		out = append(out, ancestor{int(pid), name})
		if pid, err = p.Ppid(); err != nil {
			break
		}
	}
	return out
}

// watchProcess asks again and again: these systems offer no portable way to wait for
// a process that is no child.
func watchProcess(pid int, died func()) func() {
	return pollProcess(func() bool {
		alive, err := process.PidExists(int32(pid))
		return err != nil || alive
	}, died)
}
