package profiler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/profileio"
)

// ViaXctrace is xctrace(1) of Xcode, on macOS.
const ViaXctrace Via = "xctrace"

// xctraceWorks says why xctrace cannot record here; empty if it can. The command line tools
// without Xcode have a program of that name, which only says so.
func xctraceWorks(ctx context.Context) string {
	if runtime.GOOS != "darwin" {
		return "xctrace is a tool of macOS"
	}
	if _, err := exec.LookPath("xctrace"); err != nil {
		return "xctrace is not installed"
	}
	if err := exec.CommandContext(ctx, "xctrace", "version").Run(); err != nil {
		return "xctrace does not run: it needs Xcode, and not its command line tools alone"
	}
	return ""
}

// timeProfile is the table of a recording that holds its samples.
const timeProfile = `/trace-toc/run[@number="1"]/data/table[@schema="time-profile"]`

// recordXctrace records CPU time by the template Time Profiler of Instruments, as cargo
// instruments does, and reads what xctrace exports. It follows the one program that it
// launches, and records it once: starting Instruments takes seconds.
func recordXctrace(ctx context.Context, c Command, o Options) (rec *Recording, err error) {
	trace := filepath.Join(o.Dir, "cpu.trace")
	defer func() { err = errors.Join(err, os.RemoveAll(trace)) }() // it is a folder
	// xctrace ends the program by itself when the time is up; who waits for it only makes
	// sure that it does.
	limit := o.Duration
	if limit > 0 {
		limit += grace
	}
	out, err := run(ctx, xctraceCommand(c, o, trace), limit)
	if err != nil {
		return nil, err
	}
	if err := out.failure(c); err != nil && o.Duration == 0 {
		return nil, err
	}
	if _, err := os.Stat(trace); err != nil {
		return nil, fmt.Errorf("xctrace has recorded nothing of %s:\n  %s", c, out.out.last(12))
	}
	text, err := output(ctx, Command{Args: []string{"xctrace", "export", "--input", trace, "--xpath", timeProfile}, Dir: o.Dir})
	if err != nil {
		return nil, fmt.Errorf("exporting what xctrace has recorded of %s: %w", c, err)
	}
	rec = &Recording{Kind: KindCPU, Tool: "xctrace, Time Profiler", Mode: "as Instruments unwinds", Runs: 1}
	if rec.Profile, rec.Report, err = profileio.Read(strings.NewReader(string(text)), "the export of xctrace", profileio.Options{}); err != nil {
		return nil, err
	}
	if len(rec.Profile.Sample) == 0 {
		return nil, fmt.Errorf("%w: xctrace took no sample of %s", ErrNothing, c)
	}
	// The weight is what a profile is about, and not the number of rows.
	rec.Profile.DefaultSampleType = rec.Profile.SampleType[len(rec.Profile.SampleType)-1].Type
	return rec, rec.assess(false)
}

// xctraceCommand is xctrace record around the command. The program gets an environment of
// its own; what differs from that of this process is handed on by name.
func xctraceCommand(c Command, o Options, trace string) Command {
	args := []string{"xctrace", "record", "--template", "Time Profiler", "--no-prompt", "--output", trace}
	if o.Duration > 0 {
		args = append(args, "--time-limit", fmt.Sprintf("%dms", o.Duration/time.Millisecond))
	}
	own := os.Environ()
	for _, entry := range c.Env {
		if !slices.Contains(own, entry) {
			args = append(args, "--env", entry)
		}
	}
	args = append(args, "--target-stdout", os.DevNull, "--launch", "--")
	return Command{Args: append(args, c.Args...), Dir: c.Dir, Env: c.Env}
}
