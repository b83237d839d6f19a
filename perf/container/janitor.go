package container

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// JanitorEnv is the environment variable whose value a program hands to [JanitorMain].
const JanitorEnv = "CLNRM_PERF_JANITOR"

// The two processes that JanitorMain plays. The first one only starts the second, and
// ends: who follows the processes of a run from parent to child, in order to end them,
// does not find the janitor.
const (
	janitorLauncher = "launch"
	janitorSweeper  = "sweep"
)

// What the run writes to the janitor, a line each: an order (JSON) first, then claims,
// at last the word that nothing is left to do.
const (
	lineClaim = "claim "
	lineDone  = "done"
)

// lineReady is what the janitor answers, followed by its process id, when it has taken
// the order.
const lineReady = "ready "

// janitorStart is how long the janitor may take to answer.
const janitorStart = 20 * time.Second

// A janitorOrder is the first line that the janitor reads. It does not come by the
// arguments or the environment, which every user of the machine can see.
type janitorOrder struct {
	Owner    string   `json:"owner"`
	Sessions []string `json:"sessions,omitempty"`
	Settings Settings `json:"settings"`
}

// A Janitor is a process that cleans up after a run which could not do so itself: one
// that was killed, or that Mage gave five seconds for what takes twelve. It is in a
// session of its own and holds the read end of a pipe, whose write end the run alone
// has; when the run ends, however it does, the kernel closes that. Then the janitor
// removes what carries the run's mark until nothing more appears, and ends within
// [JanitorLimit].
//
// It holds no terminal, stream, folder or other file of the run. What can end it are a
// SIGKILL to itself, the end of its container or of its control group, and a restart;
// after those the sweep at the start of the next run is what remains ([Sweep]).
type Janitor struct {
	PID int // of the janitor's process

	mu      sync.Mutex
	orders  *os.File // nil when closed
	answers *janitorAnswers
}

// janitorAnswers is what the janitor says. gone is closed when there is no more to
// hear, because the janitor has ended; reason then says why, if it did.
type janitorAnswers struct {
	ready  chan int // gets its process id
	gone   chan struct{}
	reason error
}

// StartJanitor starts the janitor of a run, and returns when it is at its post. It must
// be called before the run's first container is created, and while nothing is being
// measured: perf/measure takes a process that appears meanwhile for the subject's. The
// settings are those that reached the engine, and info what it then said of itself.
//
// The janitor is this program, executed once more; the program must hand
// [JanitorEnv] to [JanitorMain] first of all, or StartJanitor refuses.
func StartJanitor(ctx context.Context, a Attribution, s Settings, info Info) (_ *Janitor, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("starting the janitor, which would remove the containers of this run if it were killed: %w", err)
		}
	}()
	if !janitorPrepared.Load() {
		return nil, errors.New("this program does not call container.JanitorMain when it starts")
	}
	if s, err = s.pinned(info); err != nil {
		return nil, err
	}
	order, err := json.Marshal(janitorOrder{a.Owner.String(), a.Sessions, s})
	if err != nil {
		return nil, err
	}
	orders, answers, err := launchJanitor(ctx)
	if err != nil {
		return nil, err
	}
	j := &Janitor{orders: orders}
	if err := j.write(string(order)); err != nil {
		return nil, errors.Join(err, orders.Close(), answers.Close())
	}
	j.answers = hear(answers)
	timer := time.NewTimer(janitorStart)
	defer timer.Stop()
	select {
	case j.PID = <-j.answers.ready:
		return j, nil
	case <-j.answers.gone:
		err = fmt.Errorf("it ended at once: %w", j.answers.reason)
	case <-timer.C:
		err = fmt.Errorf("no answer for %v", janitorStart)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return nil, errors.Join(err, orders.Close()) // it sees the pipe close, and finds nothing
}

// launchJanitor starts the launcher and waits for its end. The pipes' other ends are
// then held by the janitor alone. Neither end that stays here is passed on to other
// children: [os.Pipe] sets close-on-exec.
func launchJanitor(ctx context.Context) (orders, answers *os.File, err error) {
	in, orders, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	answers, out, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(err, in.Close(), orders.Close())
	}
	cmd, err := janitorCommand(janitorLauncher)
	if err == nil {
		cmd.Stdin, cmd.Stdout = in, out
		err = startDetached(cmd)
	}
	if err == nil {
		// The launcher is not killed when ctx ends: it ends by itself in no time.
		err = cmd.Wait()
	}
	err = errors.Join(err, in.Close(), out.Close(), context.Cause(ctx))
	if err != nil {
		// Nobody holds the other end any more: what there is to read is why.
		if said, readErr := io.ReadAll(io.LimitReader(answers, 1<<10)); readErr == nil && len(said) > 0 {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said)))
		}
		return nil, nil, errors.Join(err, orders.Close(), answers.Close())
	}
	return orders, answers, nil
}

// pinned returns settings that mean the same engine from another folder, and after
// the docker command was told to use another context.
func (s Settings) pinned(info Info) (Settings, error) {
	if socket, ok := strings.CutPrefix(info.Endpoint, "unix://"); ok {
		path, err := filepath.Abs(socket)
		if err != nil {
			return s, err
		}
		s.Host, s.Context = "unix://"+path, ""
	} else if strings.HasPrefix(info.Endpoint, "npipe://") {
		s.Host, s.Context = info.Endpoint, ""
	}
	for _, folder := range []*string{&s.CertPath, &s.ConfigDir} {
		if *folder == "" {
			continue
		}
		path, err := filepath.Abs(*folder)
		if err != nil {
			return s, err
		}
		*folder = path
	}
	return s, nil
}

// janitorCommand is this program as a janitor. Its environment holds the part that it
// plays, and the home folder, where certificates and contexts are. CI systems find by
// their variables what they kill.
func janitorCommand(part string) (*exec.Cmd, error) {
	program, err := ownProgram()
	if err != nil {
		return nil, err
	}
	env := []string{JanitorEnv + "=" + part}
	if home, err := os.UserHomeDir(); err == nil {
		env = append(env, homeVariable+"="+home)
	}
	return &exec.Cmd{Path: program, Args: []string{"clnrm-perf-janitor"}, Env: env, Dir: rootOf(program)}, nil
}

// ownProgram is what to execute in order to get this program again. On Linux it is the
// kernel's own link, which leads to the file even after go test, go run or Mage removed
// or replaced it.
func ownProgram() (string, error) {
	const link = "/proc/self/exe"
	if runtime.GOOS == "linux" {
		if _, err := os.Stat(link); err == nil {
			return link, nil
		}
	}
	return os.Executable()
}

// hear reads the janitor's answers until its end.
func hear(answers *os.File) *janitorAnswers {
	a := &janitorAnswers{ready: make(chan int, 1), gone: make(chan struct{}), reason: io.ErrUnexpectedEOF}
	go func() {
		defer close(a.gone)
		lines := bufio.NewScanner(answers)
		for lines.Scan() {
			pid, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), lineReady))
			if err != nil {
				a.reason = errors.New(lines.Text())
				continue
			}
			a.ready <- pid
		}
		_ = answers.Close() // nothing was written to it
	}()
	return a
}

// Claim tells the janitor of a container that is the run's own and does not say so
// itself: [Recorder] calls it.
func (j *Janitor) Claim(id string) error { return j.tell(lineClaim + id) }

// tell writes a line, unless the line would be two.
func (j *Janitor) tell(line string) error {
	if strings.ContainsAny(line, "\r\n") {
		return fmt.Errorf("telling the janitor %q: it is not one line", line)
	}
	return j.write(line)
}

func (j *Janitor) write(line string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.orders == nil {
		return errors.New("writing to the janitor: it was dismissed")
	}
	if _, err := j.orders.WriteString(line + "\n"); err != nil {
		return fmt.Errorf("writing to the janitor: %w; if this run is killed, the next one cleans up after it", err)
	}
	return nil
}

// Dismiss tells the janitor that the run has cleaned up, and waits for its end. Where
// the run failed to, it must call [Janitor.Abandon] instead.
func (j *Janitor) Dismiss(ctx context.Context) error {
	err := j.write(lineDone)
	j.Abandon()
	timer := time.NewTimer(janitorStart)
	defer timer.Stop()
	select {
	case <-j.answers.gone: // also if somebody killed it before: it is not needed any more
		return nil
	case <-ctx.Done():
		err = errors.Join(err, context.Cause(ctx))
	case <-timer.C:
		err = errors.Join(err, fmt.Errorf("no end for %v", janitorStart))
	}
	return fmt.Errorf("the janitor, process %d, was dismissed and is still there; it ends by itself within %v: %w", j.PID, JanitorLimit, err)
}

// Abandon leaves to the janitor what the run has not removed, and does not wait.
func (j *Janitor) Abandon() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.orders != nil {
		_ = j.orders.Close() // each line was written by itself
		j.orders = nil
	}
}
