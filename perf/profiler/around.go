package profiler

import (
	"context"
	"errors"
	"path/filepath"
)

// Around is for a command that somebody else runs, because it has to be talked to while it
// runs: it returns the command with perf around it, and what reads the recording when that
// has ended, by an interrupt (SIGINT) to its process group or by itself.
//
// It needs perf, as the recorder and the command must be one tree of processes that another
// program starts. Options.Duration and Options.Repeat are left to who runs it.
func Around(ctx context.Context, c Command, o Options, kind Kind) (wrapped Command, finish func(context.Context) (*Recording, error), err error) {
	reason := perfWorks(kind)
	if reason == "" && kind == KindHeap {
		reason = "perf does not see allocations"
	}
	if reason != "" {
		return Command{}, nil, &UnavailableError{kind, reason, "a command that is not to end by itself is recorded by perf alone (the target doctor says how to install it)"}
	}
	o.Repeat, o.Duration = 1, 0
	r := perfRun{c: c, o: o, kind: kind, data: filepath.Join(o.Dir, string(kind)+".perf.data")}
	graph := chooseCallGraph(c)
	finish = func(ctx context.Context) (rec *Recording, err error) {
		defer func() { err = errors.Join(err, r.remove()) }()
		if rec, err = r.read(ctx); err != nil {
			return nil, err
		}
		rec.Tool, rec.Mode = perfVersion(ctx), graph.String()
		return rec, nil
	}
	return r.command(graph, false), finish, nil
}
