package container

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// JanitorLimit is how long after the end of its run a janitor is there at most.
const JanitorLimit = 60 * time.Second

const (
	// janitorBudget leaves a little of the limit for ending.
	janitorBudget = JanitorLimit - 2*time.Second
	// janitorQuiet is how long nothing of the run must have appeared before the janitor
	// leaves. An engine carries out what it was asked for after the asking client is
	// dead: 100 containers at once came one by one over 20 s on two cores.
	janitorQuiet = 10 * time.Second
	// janitorPause is the time between two looks, and between two attempts at an engine
	// that does not answer.
	janitorPause = 500 * time.Millisecond
	// janitorCall bounds one look, so that an engine which accepts and never answers
	// does not take the whole budget.
	janitorCall = 20 * time.Second
)

// janitorPrepared says that this program calls JanitorMain, so that executing it again
// gives a janitor, and not the program's work a second time.
var janitorPrepared atomic.Bool

// JanitorMain is what a program calls first of all, in an init func or in main, with
// the value of the environment variable [JanitorEnv]. Usually that is empty and ok is
// false. Where ok is true this process was a janitor and its work is done: the program
// must exit with the status at once.
func JanitorMain(part string) (status int, ok bool) {
	var err error
	switch part {
	case janitorLauncher:
		err = launchSweeper()
	case janitorSweeper:
		err = janitor(os.Stdin, os.Stdout)
	default:
		janitorPrepared.Store(true)
		return 0, false
	}
	if err != nil {
		// Only the run reads this, and only if it happens before the janitor is ready.
		_, _ = fmt.Fprintln(os.Stdout, err)
		return 1, true
	}
	return 0, true
}

// launchSweeper starts the janitor proper in the session that this process began, and
// lets it be an orphan. What the run had inherited, such as the lock of a shell script
// or the other end of a CI agent's pipe, is closed before.
func launchSweeper() error {
	if err := closeInherited(); err != nil {
		return err
	}
	cmd, err := janitorCommand(janitorSweeper)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	if err := startDetached(cmd); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// janitor waits at the pipe. It answers that it is ready when it has read the order,
// and not when it has reached the engine, which may be down for a while.
func janitor(orders io.Reader, answers io.Writer) error {
	// All that a terminal, an agent or a closing session sends. To end on SIGTERM would
	// be to leave the containers of a run that got the same signal; and without the
	// run there is nothing here to wait for.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	w := janitorWork{}
	lines := bufio.NewReader(orders)
	if err := w.take(lines); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(answers, "%s%d\n", lineReady, os.Getpid()); err != nil {
		return nil // the run is gone before it began
	}
	if w.listen(lines) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), janitorBudget)
	defer cancel()
	return w.sweep(ctx)
}

// janitorWork is what a janitor knows of its run.
type janitorWork struct {
	attribution Attribution
	settings    Settings
	claimed     []string // ids of containers
}

// take reads the order.
func (w *janitorWork) take(lines *bufio.Reader) error {
	first, err := lines.ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading what to clean up: %w", err)
	}
	var order janitorOrder
	if err := json.Unmarshal([]byte(first), &order); err != nil {
		return fmt.Errorf("reading what to clean up: %w", err)
	}
	w.settings = order.Settings
	w.attribution = Attribution{Sessions: order.Sessions}
	w.attribution.Owner, err = ParseOwner(order.Owner)
	return err
}

// listen reads claims until the run says that it is done, or is no more. A last line
// without its end is one that the run was killed in the middle of: half an id is none.
func (w *janitorWork) listen(lines *bufio.Reader) (done bool) {
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return false
		}
		line = strings.TrimSuffix(line, "\n")
		if line == lineDone {
			return true
		}
		if id, ok := strings.CutPrefix(line, lineClaim); ok && id != "" {
			w.claimed = append(w.claimed, id)
		}
	}
}

// sweep removes what is the run's, again and again, until nothing has appeared for a
// while or the time is up.
func (w *janitorWork) sweep(ctx context.Context) error {
	var engine Engine
	var last error
	quiet := time.Now()
	for {
		var found bool
		if engine, found, last = w.look(ctx, engine); found || last != nil {
			quiet = time.Now()
		}
		if time.Since(quiet) >= janitorQuiet {
			break
		}
		pause := time.NewTimer(janitorPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return errors.Join(ctx.Err(), last)
		case <-pause.C:
		}
	}
	return nil
}

// look connects if need be, and removes what is there.
func (w *janitorWork) look(ctx context.Context, engine Engine) (_ Engine, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, janitorCall)
	defer cancel()
	if engine == nil {
		if engine, err = Connect(ctx, w.settings); err != nil {
			return nil, false, err
		}
	}
	swept, err := removeRound(ctx, engine, w.attribution, w.claimed)
	return engine, len(swept.Removed)+len(swept.Left) > 0, err
}
