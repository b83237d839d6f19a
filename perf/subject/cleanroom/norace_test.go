//go:build !race || !unix

package main

// leaveQuickly has nothing to do without the race detector.
func leaveQuickly() {}
