//go:build !linux && !darwin && !windows

package container

import "os"

// thisHost knows nothing of other processes here: every owner is taken to be alive.
func thisHost() hostView {
	return hostView{pid: os.Getpid(), process: func(int) (uint64, bool) { return 0, true }}
}
