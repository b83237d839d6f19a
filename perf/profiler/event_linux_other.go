//go:build linux && !amd64 && !arm64

package profiler

// userRegisters: what this architecture's are is not known here, so that only frame
// pointers serve.
const userRegisters = 0
