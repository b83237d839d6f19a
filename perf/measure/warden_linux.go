package measure

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Warden is a process that ends what measured commands have left when this process is
// killed, which can end nothing then: the kernel ends the command itself, and descendants
// in sessions of their own live on as children of nobody. It is in a session of its own
// and holds the read end of a pipe, whose write end this process alone has; when that
// closes without a word, it looks for processes that carry the mark of the run in their
// environment, which they inherit, and sends them SIGKILL.
//
// What gives its children another environment hides them from it, and so does a process
// of another user. A nil Warden marks nothing and may be closed.
type Warden struct {
	PID  int // of its process
	pipe *os.File
	mark string // KEY=VALUE
}

// The two processes that WardenMain plays. The first one starts the second and ends, so
// that this process has no child which a run would have to tell from those of a command.
const (
	wardenLauncher = "launch"
	wardenWatcher  = "watch"
)

const (
	wardenReady = "ready " // its process id behind it
	wardenDone  = "done\n"
	// wardenStart is how long a warden may take to be ready.
	wardenStart = 20 * time.Second
	// wardenLimit is how long it looks for processes at most, wardenPause how long it
	// waits between two looks, and wardenLooks how many in a row must find nothing: what
	// is forked during one look is found by the next.
	wardenLimit = 10 * time.Second
	wardenPause = 50 * time.Millisecond
	wardenLooks = 3
)

// WardenMain is what a program calls first of all, in an init func or in main, with the
// value of the environment variable [WardenEnv]. Usually that is empty and ok is false.
// Where ok is true this process was a warden: the program must exit with the status at
// once.
func WardenMain(part string) (status int, ok bool) {
	var err error
	switch part {
	case wardenLauncher:
		cmd := wardenCommand(wardenWatcher)
		cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
		if err = cmd.Start(); err == nil {
			err = cmd.Process.Release()
		}
	case wardenWatcher:
		err = watchOver(os.Stdin, os.Stdout)
	default:
		return 0, false
	}
	if err != nil {
		return 1, true // who started it sees the pipe close
	}
	return 0, true
}

// wardenCommand is this program as a part of a warden. The kernel's own link leads to it
// even after its file was removed.
func wardenCommand(part string) *exec.Cmd {
	return &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{"clnrm-perf-warden"}, Env: []string{WardenEnv + "=" + part}, Dir: "/",
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
}

// StartWarden starts a warden and returns when it is at its post. It must be called while
// nothing is measured: a process that appears meanwhile is taken for the command's. The
// program must call [WardenMain] first of all.
func StartWarden(ctx context.Context) (_ *Warden, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("starting the warden, which would end what a command has left if this process were killed: %w", err)
		}
	}()
	in, pipe, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answers, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close(), pipe.Close())
	}
	defer answers.Close()
	w := &Warden{pipe: pipe, mark: wardenMark + "=" + rand.Text()}
	cmd := wardenCommand(wardenLauncher)
	cmd.Stdin, cmd.Stdout = in, out
	err = errors.Join(cmd.Run(), in.Close(), out.Close(), context.Cause(ctx))
	if err == nil {
		_, err = io.WriteString(pipe, w.mark+"\n")
	}
	if err == nil {
		w.PID, err = awaitReady(answers)
	}
	if err != nil {
		return nil, errors.Join(err, pipe.Close())
	}
	return w, nil
}

// awaitReady reads the answer of a warden, which is its process id.
func awaitReady(answers *os.File) (pid int, err error) {
	if err := answers.SetReadDeadline(time.Now().Add(wardenStart)); err != nil {
		return 0, err
	}
	said, err := io.ReadAll(answers)
	if err != nil {
		return 0, err
	}
	number, ready := strings.CutPrefix(string(said), wardenReady)
	if pid, err = strconv.Atoi(number); !ready || err != nil {
		return 0, errors.New("it ended at once; this program must call measure.WardenMain when it starts")
	}
	return pid, nil
}

// Env is what the environment of measured commands must have in addition.
func (w *Warden) Env() []string {
	if w == nil {
		return nil
	}
	return []string{w.mark}
}

// Close sends the warden home: whatever was started has ended.
func (w *Warden) Close() error {
	if w == nil {
		return nil
	}
	_, err := io.WriteString(w.pipe, wardenDone)
	if err = errors.Join(err, w.pipe.Close()); err != nil {
		return fmt.Errorf("sending the warden home: %w", err)
	}
	return nil
}

// watchOver is the work of a warden.
func watchOver(pipe io.Reader, answers io.WriteCloser) error {
	// What ends the run by a signal to all must not end this.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	lines := bufio.NewReader(pipe)
	mark, err := lines.ReadString('\n')
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(answers, "%s%d", wardenReady, os.Getpid()); err != nil {
		return err
	}
	if err := answers.Close(); err != nil {
		return err
	}
	if word, _ := lines.ReadString('\n'); word == wardenDone {
		return nil
	}
	endMarked(strings.TrimSuffix(mark, "\n"))
	return nil
}

// endMarked kills what carries the mark, until nothing does.
func endMarked(mark string) {
	for begin, quiet := time.Now(), 0; quiet < wardenLooks && time.Since(begin) < wardenLimit; quiet++ {
		if quiet > 0 {
			time.Sleep(wardenPause)
		}
		names, err := readNames("/proc")
		if err != nil {
			return
		}
		for _, name := range names {
			if pid, err := strconv.Atoi(name); err == nil && marked(pid, mark) {
				killMarked(pid, mark)
				quiet = -1
			}
		}
	}
}

// marked reports whether a process was given the mark in its environment.
func marked(pid int, mark string) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)) // empty of a zombie
	return err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+mark+"\x00"))
}

// killMarked kills a process, and no other that has got its id meanwhile.
func killMarked(pid int, mark string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) { // before Linux 5.3
		_ = unix.Kill(pid, unix.SIGKILL)
		return
	}
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if marked(pid, mark) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}
