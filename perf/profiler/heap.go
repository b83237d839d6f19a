package profiler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf/profileio"
)

// recordHeaptrack records all costs of the heap in one run.
func recordHeaptrack(ctx context.Context, path string, c Command, o Options) (*Recording, error) {
	prefix := filepath.Join(o.Dir, "heaptrack")
	wrapped := c
	wrapped.Args = append([]string{path, "-o", prefix}, c.Args...)
	return recordHeap(ctx, wrapped, c, o, prefix+".*", toolVersion(ctx, path), "unwinding tables")
}

// recordDHAT records by valgrind, which runs the program on a processor of its own.
func recordDHAT(ctx context.Context, path string, c Command, o Options) (*Recording, error) {
	file := filepath.Join(o.Dir, "dhat.json")
	wrapped := c
	wrapped.Args = append([]string{path, "--tool=dhat", "--num-callers=100", "--dhat-out-file=" + file, "--"}, c.Args...)
	return recordHeap(ctx, wrapped, c, o, file, toolVersion(ctx, path), "unwinding tables")
}

func toolVersion(ctx context.Context, path string) string {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return filepath.Base(path)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return first
}

// recordHeap runs a recorder around the command and reads what it leaves.
func recordHeap(ctx context.Context, wrapped, c Command, o Options, pattern, tool, mode string) (*Recording, error) {
	out, err := run(ctx, wrapped, o.Duration)
	if err != nil {
		return nil, err
	}
	if err := out.failure(c); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s has left no %s:\n  %s", tool, pattern, out.out.last(12))
	}
	rec, err := readFile(files[0], profileio.Options{})
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	if err != nil {
		return nil, err
	}
	rec.Kind, rec.Tool, rec.Mode, rec.Runs = KindHeap, tool, mode, 1
	return rec, rec.assess(false)
}

// readFile reads a profile.
func readFile(name string, o profileio.Options) (*Recording, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	rec := new(Recording)
	rec.Profile, rec.Report, err = profileio.Read(f, name, o)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	rec.Notes = rec.Report.Notes
	return rec, nil
}
