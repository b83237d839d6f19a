package main

import (
	"fmt"
	"os"

	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// newOwner says whose the containers and the image are: the run's that started us,
// or our own. A run's janitor finds by its mark what a kill of ours has left, and the
// image stays on the engine until the run lets go of it, so that the next process of
// the run finds it there.
func newOwner() (owner container.Owner, inherited bool, err error) {
	if run := os.Getenv(container.RunEnv); run != "" {
		if owner, err = container.ParseOwner(run); err != nil {
			return owner, false, fmt.Errorf("environment variable %s: %w", container.RunEnv, err)
		}
		return owner, true, nil
	}
	owner, err = container.NewOwner(ownRun(os.Getpid()))
	return owner, false, err
}

// ownRun is the id of the run that a process of this program is, started alone. An
// owner names its process in a way that lasts; this is for people who look at labels.
func ownRun(pid int) string { return fmt.Sprintf("cleanroom-%d", pid) }
