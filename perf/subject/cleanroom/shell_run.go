package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
)

// process is what an applet sees of the world.
type process struct {
	in  io.Reader
	out *bufio.Writer
	err io.Writer
	dir *os.Root // the files that it may touch: those of its directory
	env []string
}

// complain writes a message of the applet name and returns status.
func (p *process) complain(status int, name string, err error) int {
	_, _ = fmt.Fprintf(p.err, "%s: %v\n", name, err) // the status tells it too
	return status
}

// The statuses by which a shell tells why it could not run a command.
const (
	statusSyntax   = 2
	statusNotFound = 127
)

// runAppletWith runs argv[0] with in as its input and the process's own output,
// complaints, directory and environment.
func runAppletWith(in io.Reader, argv []string) int {
	dir, err := os.OpenRoot(".")
	if err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "%s: open the current directory: %v\n", argv[0], err)
		return exitFailed
	}
	defer func() { _ = dir.Close() }() // nothing is written through it
	p := &process{in: in, out: bufio.NewWriterSize(os.Stdout, pipeBuffer), err: os.Stderr, dir: dir, env: os.Environ()}
	return p.call(argv)
}

// pipeBuffer is what an applet gathers before it writes, in bytes.
const pipeBuffer = 32 << 10

// runApplet runs argv[0] as the program's own command.
func runApplet(argv []string) int { return runAppletWith(os.Stdin, argv) }

// call runs the applet argv[0] and sees to it that its output has left.
func (p *process) call(argv []string) int {
	run := findApplet(argv[0])
	if run == nil {
		return p.complain(statusNotFound, argv[0], errors.New("not in the clean room, which has: "+appletNames))
	}
	status := run(p, argv[1:])
	// A reader that has seen enough closes its end: no fault of the writer.
	if err := p.out.Flush(); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return p.complain(max(status, exitFailed), argv[0], err)
	}
	return status
}

// appletSh runs a command line: sh -c LINE.
func appletSh(p *process, args []string) int {
	if len(args) < 2 || args[0] != "-c" {
		return p.complain(statusSyntax, "sh", errors.New("only sh -c LINE is known here"))
	}
	list, err := parseShell(args[1])
	if err != nil {
		return p.complain(statusSyntax, "sh", err)
	}
	status, done := 0, false
	for _, l := range list {
		// Both operators are of one rank and look at what ran last: in
		// "false && a || b" a is passed over and b runs.
		if l.after == "&&" && status != 0 || l.after == "||" && status == 0 {
			continue
		}
		if status, done = p.runPipeline(l.commands, status); done {
			break
		}
	}
	return status
}

// runPipeline runs commands at the same time, each reading what the one before
// writes, and returns the status of the last. done tells that it was an exit,
// which ends the shell; inside a longer pipeline it ends that command alone.
func (p *process) runPipeline(commands []simple, last int) (status int, done bool) {
	if len(commands) == 1 && commands[0].words[0] == "exit" {
		return p.exit(commands[0].words[1:], last)
	}
	// Goroutines in place of processes: a step stays one process, which can be
	// measured and ended as one, and a pipe costs no start of a program.
	var wg sync.WaitGroup
	q := *p
	closeIn := func() error { return nil } // the shell's own input serves its next command too
	for _, c := range commands[:len(commands)-1] {
		r, w := io.Pipe()
		left, closeLeft := q, closeIn
		left.out = bufio.NewWriterSize(w, pipeBuffer)
		wg.Go(func() {
			left.runSimple(c)
			_ = w.Close()   // the reader sees the end; closing a pipe never fails
			_ = closeLeft() // the writer before sees that nobody reads any more
		})
		q.in, closeIn = r, r.Close
	}
	status = q.runSimple(commands[len(commands)-1])
	_ = closeIn()
	wg.Wait()
	return status, false
}

// exit is the shell's own command: exit [STATUS].
func (p *process) exit(args []string, last int) (status int, done bool) {
	if len(args) == 0 {
		return last, true
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 || n > 255 {
		return p.complain(statusSyntax, "exit", fmt.Errorf("%q is no status from 0 to 255", args[0])), true
	}
	return n, true
}

// runSimple runs one command with its redirection.
func (p *process) runSimple(c simple) (status int) {
	if c.words[0] == "exit" {
		status, _ = p.exit(c.words[1:], 0)
		return status
	}
	if c.output == "" {
		return p.call(c.words)
	}
	// Created before the command runs, as a shell does it: sort f > f loses f.
	f, err := p.dir.Create(c.output)
	if err != nil {
		return p.complain(exitFailed, "sh", err)
	}
	p.out = bufio.NewWriterSize(f, pipeBuffer)
	status = p.call(c.words)
	if err := f.Close(); err != nil {
		return p.complain(max(status, exitFailed), c.output, err)
	}
	return status
}
