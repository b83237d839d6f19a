//go:build linux

// Probe is the program in the containers whose lifecycles are timed: it does as
// little as a program can, so that what is timed is the engine. Its flags make it
// misbehave on demand, for whoever wants to see that it is noticed.
//
// It is one file of the standard library alone, because it is built from its source
// text, for the system of the engine, where the module's other files may not be.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	// The first thing, as the time before it is the engine's and after it the program's.
	began := time.Now()
	var (
		ignore = flag.Bool("ignore-term", false, "end by SIGKILL only")
		delay  = flag.Duration("delay", 0, "time to become ready")
		spin   = flag.Duration("cpu", 0, "processor time to use before being ready")
		memory = flag.Int("memory", 0, "MiB to hold from before being ready")
		listen = flag.String("listen", "", "TCP address to listen on when ready, such as :8080")
		silent = flag.Bool("silent", false, "never say that it is ready")
		say    = flag.String("say", "", "a line for the standard error output, first of all")
		exit   = flag.Int("exit", -1, "end with this status instead of being ready")
		dial   = flag.String("dial", "", "end with status 0 if this TCP address accepts a connection, or else 1")
		flood  = flag.Bool("flood", false, "write lines as fast as they are taken, until the end")
		lag    = flag.Duration("stop-delay", 0, "time to end after SIGTERM")
	)
	flag.Usage = func() {} // the line about what is wrong is enough
	flag.Parse()

	// As process 1 of a container it would ignore SIGTERM without a handler.
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, os.Interrupt)
	if *say != "" {
		fmt.Fprintln(os.Stderr, *say)
	}
	if *dial != "" {
		connect(*dial)
	}
	if *exit >= 0 {
		os.Exit(*exit)
	}
	hold(*memory)
	burn(*spin)
	time.Sleep(*delay)
	if *listen != "" {
		serve(*listen)
	}
	if !*silent {
		// One write, so that it arrives as one.
		os.Stdout.WriteString("READY main=" + strconv.FormatInt(began.UnixNano(), 10) + "\n")
	}
	if *flood {
		go pour()
	}
	<-term
	for *ignore {
		<-term
	}
	time.Sleep(*lag)
}

// connect ends the program with whether an address accepts a connection, as the
// checks do by which services are known to be ready.
func connect(address string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = conn.Close() // nothing was written
	os.Exit(0)
}

// pour fills the container's log.
func pour() {
	lines := []byte(strings.Repeat(strings.Repeat("flood ", 20)+"\n", 64))
	for {
		if _, err := os.Stdout.Write(lines); err != nil {
			return
		}
	}
}

var held []byte

// hold takes memory and touches it: untouched pages take nothing.
func hold(mebibytes int) {
	held = make([]byte, mebibytes<<20)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
}

// burn uses processor time, however much of it others leave.
func burn(d time.Duration) {
	var used syscall.Rusage
	for time.Duration(used.Utime.Nano()+used.Stime.Nano()) < d {
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // cannot fail so
	}
}

// serve accepts connections, says READY to each and closes it.
func serve(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("READY\n")) // whoever asked may be gone
			_ = conn.Close()
		}
	}()
}
