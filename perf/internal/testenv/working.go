package testenv

import (
	"sync"
	"testing"
)

// tried holds the outcome of every attempt by its name, as a func() error.
var tried sync.Map

// Working skips the test unless what is called name works, and fails it under
// PERF_REQUIRE. It is for what being installed says nothing about, such as a Docker
// engine. The attempt is made once in a test binary: a service that hangs is waited
// for once, and not by every test.
func Working(t testing.TB, name string, try func() error) {
	t.Helper()
	attempt, _ := tried.LoadOrStore(name, sync.OnceValue(try))
	if err := attempt.(func() error)(); err != nil {
		Missing(t, name, err.Error())
	}
}
