//go:build !unix

package main

import "os/exec"

// inOwnGroup leaves cmd as it is: a step runs all its applets inside its own
// process, so that ending the process ends the step where groups are unknown.
func inOwnGroup(cmd *exec.Cmd) {}
