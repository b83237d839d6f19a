package targets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
	"github.com/seanchatmangpt/clnrm-perf/perf/flamegraph"
	"github.com/seanchatmangpt/clnrm-perf/perf/perfdata"
	"github.com/seanchatmangpt/clnrm-perf/perf/profileio"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
)

// opened opens a profile: a file, the folder of a profile that was recorded here, or -
// for the standard input.
func opened(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, perf.Usagef("reading a profile: %w", err)
	}
	if info.IsDir() {
		name = filepath.Join(name, "profile.pb.gz")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, perf.Usagef("reading a profile: %w", err)
	}
	return f, nil
}

// script is the text that perf script makes of perf.data.
type script struct {
	io.Reader
	cmd    *exec.Cmd
	stderr *strings.Builder
}

// scripted starts perf script on a file.
func scripted(ctx context.Context, name string) (_ io.ReadCloser, err error) {
	s := &script{cmd: exec.CommandContext(ctx, "perf", "script", "--no-inline", "--ns", "--show-lost-events", "-i", name), stderr: new(strings.Builder)}
	s.cmd.Stderr = s.stderr
	if s.Reader, err = s.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("perf script may read it: %w (the target doctor says how to install perf)", err)
	}
	return s, nil
}

// Close waits for the end, which comes only when all was read.
func (s *script) Close() error {
	_, _ = io.Copy(io.Discard, s.Reader)
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(s.cmd.Args, " "), err, strings.TrimSpace(s.stderr.String()))
	}
	return nil
}

// readGrace is how long a reader may take to notice that the run has ended.
const readGrace = time.Second

// throughFile calls read with a profile, and gives it up when the context ends: a pipe
// without a writer waits, and a dead network disk may never come to an end. What still reads
// then ends with the process.
func throughFile(ctx context.Context, con console, name string, read func(io.Reader) error) error {
	done := make(chan error, 1)
	go func() { done <- throughPerf(ctx, con, name, read) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(readGrace):
		return fmt.Errorf("reading %s: %s", name, interrupted(ctx))
	}
}

// throughPerf calls read with a profile. One of perf that only perf reads goes through
// perf script.
func throughPerf(ctx context.Context, con console, name string, read func(io.Reader) error) error {
	in, err := opened(name)
	if err != nil {
		return err
	}
	err = errors.Join(read(in), in.Close())
	if !errors.Is(err, perfdata.ErrUnsupported) || name == "-" {
		return err
	}
	_ = report.Note(con.err, err.Error()+": taking perf script")
	text, serr := scripted(ctx, name)
	if serr != nil {
		return errors.Join(err, serr)
	}
	return errors.Join(read(text), text.Close())
}

// readProfile reads a profile and tells what is to be known of it.
func readProfile(ctx context.Context, con console, name, event string) (p *profile.Profile, rep profileio.Report, err error) {
	err = throughFile(ctx, con, name, func(in io.Reader) (err error) {
		p, rep, err = profileio.Read(in, name, profileio.Options{Event: event, Threads: true, CPUs: true})
		return err
	})
	if err != nil {
		return nil, rep, err
	}
	tell(con, name, rep)
	return p, rep, nil
}

// partly is the error of a file of which something could not be read, once what could be
// read has been used.
func partly(name string, r profileio.Report) error {
	if r.Faulty == 0 {
		return nil
	}
	return ended(perf.ExitFailure, "%s in %s could not be read; the rest was", counted(r.Faulty, "place"), name)
}

// tell says what was read and what was not.
func tell(con console, name string, r profileio.Report) {
	if len(r.Others) > 0 {
		_ = report.Note(con.err, fmt.Sprintf("%s (%s) has %s, and %s, which -event takes", name, r.Format, r.Event, strings.Join(r.Others, ", ")))
	}
	for i, f := range r.Faults {
		if i == maxShownFaults {
			break
		}
		_ = report.Note(con.err, f.Error())
	}
	if more := r.Faulty - min(len(r.Faults), maxShownFaults); more > 0 {
		_ = report.Note(con.err, fmt.Sprintf("and %d more like these", more))
	}
	for _, n := range r.Notes {
		_ = report.Note(con.err, n)
	}
	if r.Lost > 0 {
		_ = report.Note(con.err, fmt.Sprintf("%d samples were lost when it was recorded", r.Lost))
	}
}

// drawn is the target flamegraph.
func drawn(ctx context.Context, in, out, event string) error {
	ctx, stop := guarded(ctx)
	defer stop()
	con := stdConsole()
	p, rep, err := readProfile(ctx, con, in, event)
	if err != nil {
		return bare(err)
	}
	value, err := calltree.SampleIndex(p, "")
	if err != nil {
		return bare(err)
	}
	write := func(w io.Writer) error { return draw(w, in, p, value) }
	if out == "" {
		err = write(con.out)
	} else {
		err = writeWhole(out, write)
	}
	if err != nil {
		return bare(err)
	}
	return partly(in, rep)
}

// folded is the target fold.
func folded(ctx context.Context, in, event string, o profileio.FoldOptions) error {
	ctx, stop := guarded(ctx)
	defer stop()
	con := stdConsole()
	var rep profileio.Report
	err := throughFile(ctx, con, in, func(f io.Reader) (err error) {
		rep, err = profileio.Fold(con.out, f, in, profileio.Options{Event: event}, o)
		return err
	})
	if err != nil {
		return bare(err)
	}
	tell(con, in, rep)
	return partly(in, rep)
}

// profilesCompared is the target profileDiff.
func profilesCompared(ctx context.Context, oldName, newName, out, event string, keep bool) error {
	ctx, stop := guarded(ctx)
	defer stop()
	con := stdConsole()
	var trees []*calltree.Tree
	var faults error
	for _, name := range []string{oldName, newName} {
		p, rep, err := readProfile(ctx, con, name, event)
		if err != nil {
			return bare(err)
		}
		faults = cmp.Or(faults, partly(name, rep))
		value, err := calltree.SampleIndex(p, "")
		if err != nil {
			return bare(err)
		}
		t, err := calltree.FromProfile(p, value)
		if err != nil {
			return bare(fmt.Errorf("%s: %w", name, err))
		}
		trees = append(trees, t)
	}
	d, err := calltree.Diff(trees[0], trees[1], calltree.DiffOptions{KeepWeights: keep})
	if err != nil {
		return bare(err)
	}
	title := oldName + " and " + newName
	if err := writeWhole(out, func(w io.Writer) error { return flamegraph.WriteDiff(w, d, flamegraph.Options{Title: title}) }); err != nil {
		return bare(err)
	}
	err = report.ProfileDiff(con.out, d, con.style)
	if err := errors.Join(err, report.ProfileFiles(con.err, []string{out})); err != nil {
		return bare(err)
	}
	return faults
}
