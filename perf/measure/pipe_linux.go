package measure

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// pipeSize is what a pipe is asked to hold: the most that an unprivileged
// process may have by default (/proc/sys/fs/pipe-max-size), so that a command
// which writes in bursts never waits for its reader.
const pipeSize = 1 << 20

// A pipe takes one output stream of the command.
//
// The write end stays open here as well. The pipe therefore never reports its
// hang-up, which would wake the reader while the kernel is still taking the
// dying command down, on the very CPU that does so. Nobody waits for end of file:
// after the death of the command the pipe is read until it is empty, which a
// background process that keeps it open cannot delay.
type pipe struct {
	stream int
	r, w   int
}

func (p *pipe) open() error {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	p.r, p.w = fds[0], fds[1]
	if err := unix.SetNonblock(p.r, true); err != nil {
		p.close()
		return fmt.Errorf("pipe: %w", err)
	}
	// Refused when the user holds many pipes; the default of 64 KiB serves too.
	_, _ = unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, pipeSize)
	return nil
}

func (p *pipe) close() {
	_ = unix.Close(p.r)
	_ = unix.Close(p.w)
}

// read takes what one read returns and reports its length, 0 if the pipe is empty.
func (p *pipe) read(a *attempt) int {
	n, err := unix.Read(p.r, a.buf)
	if err != nil || n <= 0 {
		return 0
	}
	a.tail.add(a.buf[:n])
	if a.cmd.OnOutput != nil {
		a.cmd.OnOutput(p.stream, a.buf[:n], time.Now())
	}
	return n
}

// drain empties the pipe, but takes no more than a pipe holds: what is still
// running in the background may fill it as fast as it is read.
func (p *pipe) drain(a *attempt) {
	for rest := pipeSize; rest > 0; {
		n := p.read(a)
		if n == 0 {
			return
		}
		rest -= n
	}
}

// An event is an eventfd: a descriptor that another goroutine makes readable.
type event struct{ fd int }

func newEvent() (event, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return event{-1}, fmt.Errorf("eventfd: %w", err)
	}
	return event{fd}, nil
}

// signal makes the event readable. A write of 1 to an eventfd fails only when its
// counter is full, and then it is readable already.
func (e event) signal() { _, _ = unix.Write(e.fd, []byte{1, 0, 0, 0, 0, 0, 0, 1}) }

func (e event) close() { _ = unix.Close(e.fd) }
