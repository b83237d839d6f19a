// Command worker is a Go program to be profiled: it computes, allocates, waits for a
// channel and for a lock. Where WORKER_PROFILES names a folder, it leaves profiles of its runtime there.
package main

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

var sink []byte

//go:noinline
func allocate() {
	for range 1000 {
		sink = make([]byte, 4096)
	}
}

//go:noinline
func compute(until time.Time) (n int) {
	for time.Now().Before(until) {
		for i := range 100_000 {
			n += i % 7
		}
	}
	return n
}

//go:noinline
func wait() {
	done := make(chan bool)
	time.AfterFunc(100*time.Millisecond, func() { close(done) })
	<-done
}

// hold makes another goroutine wait for a lock.
//
//go:noinline
func hold() {
	var mu sync.Mutex
	mu.Lock()
	done := make(chan bool)
	go func() {
		mu.Lock()
		mu.Unlock() //nolint:staticcheck // that it had to wait is all that is wanted
		close(done)
	}()
	time.Sleep(20 * time.Millisecond)
	release(&mu)
	<-done
}

//go:noinline
func release(mu *sync.Mutex) { mu.Unlock() }

func main() {
	dir := os.Getenv("WORKER_PROFILES")
	if dir != "" {
		runtime.MemProfileRate = 1
		runtime.SetBlockProfileRate(1)
		runtime.SetMutexProfileFraction(1)
		check(pprof.StartCPUProfile(create(dir, "cpu")))
	}
	compute(time.Now().Add(300 * time.Millisecond))
	allocate()
	wait()
	hold()
	if dir != "" {
		pprof.StopCPUProfile()
		check(pprof.Lookup("allocs").WriteTo(create(dir, "heap"), 0))
		check(pprof.Lookup("block").WriteTo(create(dir, "block"), 0))
		check(pprof.Lookup("mutex").WriteTo(create(dir, "mutex"), 0))
	}
}

func create(dir, name string) *os.File {
	f, err := os.Create(filepath.Join(dir, name+"-1.pprof"))
	check(err)
	return f
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
