package container

import (
	"context"
	"time"
)

// Use is the memory and the processor time of a container. What could not be read
// is absent, never zero: its source is empty, and Missing says why.
type Use struct {
	// In bytes. Stats says what is in them; Memory from a cgroup's file holds the page
	// cache too.
	Memory, Peak int64
	CPU          time.Duration

	MemorySource, PeakSource, CPUSource string // where each was read; empty: nowhere
	Missing                             []string
}

// sourceStats is the source of what the engine itself reports.
const sourceStats = "the engine's statistics"

// ReadUse reads what a running container uses and has used at most: from one request
// for statistics, and what these lack (the peak, under cgroup v2) from the container's
// cgroup, where the engine runs under this machine's kernel and the files can be
// read. Read it before the container is stopped: the cgroup is gone then.
func ReadUse(ctx context.Context, e Engine, id string) (Use, error) {
	s, err := e.Stats(ctx, id)
	if err != nil {
		return Use{}, err
	}
	var u Use
	if s.HasMemory {
		u.Memory, u.MemorySource = s.Memory, sourceStats
	}
	if s.HasPeak {
		u.Peak, u.PeakSource = s.Peak, sourceStats
	}
	if s.HasCPU {
		u.CPU, u.CPUSource = s.CPU, sourceStats
	}
	if u.MemorySource != "" && u.PeakSource != "" && u.CPUSource != "" {
		return u, nil
	}
	reason := "the engine runs under another kernel than this program, and its cgroups cannot be read here"
	if e.Info().SharesClock {
		reason, err = fillFromCgroup(ctx, e, id, &u)
		if err != nil {
			return Use{}, err
		}
	}
	u.explain(reason)
	return u, nil
}

// fillFromCgroup reads what is missing from the files of the container's cgroup; the
// reason says why they could not be found.
func fillFromCgroup(ctx context.Context, e Engine, id string, u *Use) (reason string, err error) {
	c, err := e.Container(ctx, id)
	if err != nil {
		return "", err
	}
	reason = "its cgroup does not tell it"
	if group, err := findCgroup("/", c.PID, c.ID); err != nil {
		reason = err.Error()
	} else {
		group.fill(u)
	}
	return reason, nil
}

// explain adds a sentence for each value that is absent.
func (u *Use) explain(reason string) {
	for _, v := range []struct{ name, source string }{
		{"memory", u.MemorySource}, {"peak memory", u.PeakSource}, {"processor time", u.CPUSource},
	} {
		if v.source == "" {
			u.Missing = append(u.Missing, v.name+": the engine does not report it, and "+reason)
		}
	}
}
