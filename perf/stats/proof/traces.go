package proof

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"strings"
)

//go:embed testdata/*.txt
var traceFiles embed.FS

// traceNames are the recordings in testdata; README.md there says how each was made.
var traceNames = []string{"unpinned", "pinned", "unpinned-loaded", "pinned-loaded", "unpinned-busy"}

// recorded returns the scenarios that replay the recordings: wall and CPU time of each.
func recorded() ([]scenario, error) {
	var all []scenario
	for _, name := range traceNames {
		wall, cpu, err := readTrace(name)
		if err != nil {
			return nil, err
		}
		all = append(all,
			scenario{name: name + " wall", weak: strings.HasPrefix(name, "unpinned"), runs: replay(wall)},
			scenario{name: name + " cpu", runs: replay(cpu)})
	}
	return all, nil
}

// readTrace reads one recording: a line a run, wall and CPU time in microseconds.
func readTrace(name string) (wall, cpu []float64, err error) {
	file := "testdata/" + name + ".txt"
	data, err := traceFiles.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("reading a recorded trace: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		var w, c float64
		if _, err := fmt.Sscanf(line, "%g %g", &w, &c); err != nil || !(w > 0 && c > 0) {
			return nil, nil, fmt.Errorf("%s:%d: want a wall and a CPU time above zero, found %q", file, len(wall)+1, line)
		}
		wall, cpu = append(wall, w), append(cpu, c)
	}
	return wall, cpu, nil
}

// replay starts anywhere in a trace and follows it in order, since its correlation is
// what it is recorded for, and comes round at its end.
func replay(trace []float64) func(r *rand.Rand) func() float64 {
	return func(r *rand.Rand) func() float64 {
		at := r.IntN(len(trace))
		return func() float64 {
			at = (at + 1) % len(trace)
			return trace[at]
		}
	}
}
