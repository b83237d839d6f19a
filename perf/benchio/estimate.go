package benchio

import "strings"

// Names of metrics that are no measurement, but what a tool made of its measurements: one
// value, beside the samples that it was made of.
const (
	WallMean   = "wall mean"    // hyperfine
	WallStddev = "wall stddev"  // hyperfine
	Slope      = "sec/op slope" // Criterion
)

// IsEstimate reports whether the metric called name is such a value, by itself or behind
// the name of a benchmark. Nothing is decided by it: the samples say more.
func IsEstimate(name string) bool {
	for _, estimate := range []string{WallMean, WallStddev, Slope} {
		if name == estimate || strings.HasSuffix(name, " "+estimate) {
			return true
		}
	}
	return false
}
