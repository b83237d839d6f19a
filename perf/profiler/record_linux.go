package profiler

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/profileio"
)

// recordEvents records by the kernel's own events, without any program, until the stacks
// are whole or nothing else can be tried. A *refusal is what the kernel says to it.
func recordEvents(ctx context.Context, c Command, o Options, kind Kind) (*Recording, error) {
	graph := chooseCallGraph(c)
	var best *Recording
	for more := true; more; {
		rec, err := recordSamples(ctx, c, o, kind, graph)
		if err != nil {
			return nil, err
		}
		rec.Mode = graph.String()
		if best == nil || rec.Quality.Rooted > best.Quality.Rooted {
			best = rec
		}
		if best.Quality.Rooted >= 1-MaxTruncated {
			break
		}
		if graph, more = graph.larger(); more {
			o.note("%.1f %% of the stacks were cut off: recording again with %d bytes of stack", 100*(1-rec.Quality.Rooted), graph.stack)
		}
	}
	return best, nil
}

// An eventRun is what was recorded of all runs of a command.
type eventRun struct {
	sampler *sampler
	file    *os.File
	runs    int
	cpu     time.Duration // of the command and all that it has started
}

// recordSamples makes one recording and reads it.
func recordSamples(ctx context.Context, c Command, o Options, kind Kind, graph callGraph) (*Recording, error) {
	// Without a name: nothing is left of it, however this process ends.
	file, err := os.CreateTemp(o.Dir, "samples-*.perf.data")
	if err != nil {
		return nil, fmt.Errorf("making a file for samples: %w", err)
	}
	defer func() { _ = file.Close() }() // what was written to it is read by now
	if err := os.Remove(file.Name()); err != nil {
		return nil, err
	}
	r, err := sampleRuns(ctx, c, o, kind, graph, file)
	if err != nil {
		return nil, err
	}
	return r.recording(c, o, kind)
}

// sampleRuns runs the command as often as it is to be run, under one sampler.
func sampleRuns(ctx context.Context, c Command, o Options, kind Kind, graph callGraph, file *os.File) (*eventRun, error) {
	// The events are this thread's, and the processes that it starts inherit them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := openSampler(kind, graph, cmp.Or(o.Frequency, defaultFrequency), mostRing)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if kind == KindCPU && o.Repeat > 1 {
		s.differ(cmp.Or(o.Frequency, defaultFrequency), o.Seed)
	}
	recording, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if err := s.start(file, fail); err != nil {
		return nil, err
	}
	r := &eventRun{sampler: s, file: file}
	began := time.Now()
	for range max(o.Repeat, 1) {
		limit := time.Duration(0)
		if o.Duration > 0 {
			if limit = o.Duration - time.Since(began); limit <= 0 {
				break
			}
		}
		if err := s.vary(); err != nil {
			return nil, err
		}
		out, err := runAs(recording, c, limit, true)
		if err != nil {
			return nil, cause(ctx, recording, err)
		}
		if err := out.failure(c); err != nil {
			return nil, err
		}
		r.runs++
		r.cpu += out.cpu
		if out.ended {
			break
		}
	}
	counted, err := s.finish()
	r.cpu = cmp.Or(counted, r.cpu)
	return r, err
}

// cause is why a run ended: what became of the recording, if it was not the caller who
// ended it.
func cause(ctx, recording context.Context, err error) error {
	if failed := context.Cause(recording); ctx.Err() == nil && failed != nil {
		return failed
	}
	return err
}

// recording reads what was recorded.
func (r *eventRun) recording(c Command, o Options, kind Kind) (*Recording, error) {
	s := r.sampler
	if s.samples == 0 {
		return nil, nothing(c, o, kind)
	}
	rec, err := r.read(kind)
	if err != nil {
		return nil, err
	}
	if len(rec.Profile.Sample) == 0 {
		return nil, nothing(c, o, kind)
	}
	rec.Tool, rec.Runs = s.name+" of "+kernelRelease(), r.runs
	rec.CPUTime, rec.Overhead = r.cpu, s.cost
	rec.noteOverhead()
	if s.name == cycles || s.periods != nil && s.kernelToo() {
		inTime(rec.Profile, r.cpu)
	}
	rec.Report.Lost = int64(s.lost)
	if !s.kernelToo() {
		rec.Notes = append(rec.Notes, "the kernel's own part is not in it: this user may not see that (sysctl kernel.perf_event_paranoid=1, or root)")
	}
	if s.periods != nil {
		rec.Notes = append(rec.Notes, s.periods.note(r.runs))
	}
	if s.throttled > 0 {
		rec.Notes = append(rec.Notes, fmt.Sprintf("the kernel held samples back %d times, as they took it too long", s.throttled))
	}
	if wanted := cmp.Or(o.Frequency, defaultFrequency); kind == KindCPU && s.attr.Sample < uint64(wanted) {
		rec.Notes = append(rec.Notes, fmt.Sprintf("%d samples a second, as the kernel allows no more (kernel.perf_event_max_sample_rate)", s.attr.Sample))
	}
	return rec, rec.assess(false)
}

// read reads the samples. Runs of one command are not told apart.
func (r *eventRun) read(kind Kind) (*Recording, error) {
	rec := &Recording{Kind: kind}
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	var err error
	one := r.runs <= 1
	rec.Profile, rec.Report, err = profileio.Read(r.file, "the samples", profileio.Options{Threads: one, CPUs: one, OffCPU: kind == KindOffCPU})
	if err != nil {
		return nil, fmt.Errorf("reading what was recorded: %w", err)
	}
	rec.Notes = rec.Report.Notes
	return rec, nil
}
