package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// serviceReady is what a service writes once it is up.
const serviceReady = "ready\n"

// stepMain is the process of one step: it runs the command line args[0] with
// the sh applet and an empty standard input, and ends when the runner does.
func stepMain(args []string) int {
	go dieWithRunner(os.Stdin)
	return runAppletWith(strings.NewReader(""), []string{"sh", "-c", strings.Join(args, " ")})
}

// serviceMain is the process of a service: it is up until the runner ends it or
// is gone itself. Its argument, the name of the service, is for ps to show.
func serviceMain([]string) int {
	fmt.Print(serviceReady)
	dieWithRunner(os.Stdin)
	return exitOK
}

// containerServiceMain is the process of a service in a container, which has no
// lifeline: it is up until somebody stops its container. The first process of a
// container is not ended by a signal that it does not ask for.
func containerServiceMain() int {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	fmt.Print(serviceReady)
	<-ended
	return exitOK
}

// dieWithRunner waits for the end of the lifeline and ends the process. The
// runner removes the directory of a step that it has ended; this is reached
// only when the runner was killed, and nobody else is left to do it.
func dieWithRunner(lifeline io.Reader) {
	_, _ = io.Copy(io.Discard, lifeline) // an error means the same as the end
	if dir, err := os.Getwd(); err == nil && isStepDir(dir) {
		_ = os.Chdir(filepath.Dir(dir)) // Windows keeps the directory that one is in
		_ = os.RemoveAll(dir)
	}
	os.Exit(exitFailed)
}

// isStepDir reports whether dir was made for a step, and is not where a person
// happened to call the program.
func isStepDir(dir string) bool {
	return strings.HasPrefix(filepath.Base(dir), stepDirPrefix) &&
		filepath.Base(os.Getenv("HOME")) == filepath.Base(dir)
}
