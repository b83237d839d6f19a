//go:build !linux

package container

// ownKernel is empty: containers of Linux run under a kernel of their own here.
func ownKernel() string { return "" }
