// Package profileio turns profiles of other programs into the pprof model
// (github.com/google/pprof/profile) and back, one file a format.
//
// A reader takes a stream and gives stacks with what they cost; bad input is reported
// with file and line, and the rest is read. What it gives can be written as folded
// stacks, the line format that flame graph programs share, or taken as a pprof
// profile, from which perf/calltree makes call trees and perf/flamegraph pictures.
//
// The package runs nothing, and opens no file but those with the symbols of perf.data,
// which perf/perfdata reads. Recording is done by perf/profiler.
package profileio
