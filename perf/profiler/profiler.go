// Package profiler records profiles of a command: where its CPU time goes ([CPU]), where
// it waits ([OffCPU]) and what it allocates ([Heap]). The result is a pprof profile with
// the quality of what came back.
//
// It uses what there is: events of the Linux kernel for every program, which needs nothing
// installed, or perf; heaptrack or valgrind for the heap; and for Go programs, on a machine
// with nothing but Go, what their own runtime writes: test binaries by their flags, programs
// that leave profiles in a folder which an environment variable names, and servers with
// net/http/pprof ([Fetch]).
//
// A profile is made of statistics: perf/calltree says what is in it, perf/flamegraph
// draws it. Timing a command is the work of perf/measure; a command that is recorded
// takes longer.
package profiler

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
	"github.com/seanchatmangpt/clnrm-perf/perf/profileio"
)

// A Kind is what a profile is about.
type Kind string

// The kinds of profiles.
const (
	KindCPU    Kind = "cpu"
	KindOffCPU Kind = "off-cpu"
	KindHeap   Kind = "heap"
)

// A Command is what is recorded.
type Command struct {
	Args []string
	Dir  string
	Env  []string // KEY=VALUE; nil: the environment of this process
	// Profiles is the name of an environment variable. Where it names a folder, the
	// command leaves profiles of Go's runtime in it, as cpu-*.pprof, heap-*.pprof,
	// block-*.pprof and mutex-*.pprof. Empty: the command knows nothing of the kind.
	Profiles string
}

func (c Command) String() string { return strings.Join(c.Args, " ") }

// Options say how to record. The zero value asks for nothing.
type Options struct {
	// Dir is where files lie while a recording is made; it must exist.
	Dir string
	// Frequency is how many samples are taken in a second of CPU time; 0 means 999,
	// which does not run in step with what happens every millisecond.
	Frequency int
	// Duration ends the recording, and the command with it; 0 waits for its end.
	Duration time.Duration
	// Repeat runs the command so often, one after the other; 0 means once. It is how a
	// program that takes milliseconds gives enough samples. A profile of the heap is
	// complete as it is, and always of one run.
	Repeat int
	// Seed decides the moments at which runs that are repeated are sampled; 0: any, which
	// the notes of the recording tell.
	Seed uint64
	// Via is what records; empty: the first that works.
	Via Via
	// Note is called with a sentence when something is tried in another way.
	Note func(string)
}

func (o Options) note(format string, args ...any) {
	if o.Note != nil {
		o.Note(fmt.Sprintf(format, args...))
	}
}

// A Recording is a profile and how it came about.
type Recording struct {
	Kind    Kind
	Profile *profile.Profile
	// Tool is what recorded it, with its version, and Mode how it found the callers.
	Tool, Mode string
	// Runs is how many runs of the command are in it. One that was ended counts; a
	// profile that a server has sent is of none.
	Runs int
	// CPUTime is what the command took while it was recorded, by the accounts of the
	// kernel, and Overhead what the recorder took beside it to keep the samples. Taking
	// them happens in the kernel, and is part of the command's time. Both are 0 where
	// another program has recorded.
	CPUTime, Overhead time.Duration

	Report  profileio.Report
	Quality Quality
	Notes   []string
}

// Quality says how far a profile can be believed. Shares are of the weight of the
// default sample type, from 0 to 1.
type Quality struct {
	// Rooted is the share of stacks that reach the function which a thread begins with;
	// the others were cut off, and stand in the wrong place.
	Rooted float64
	// Unknown is the share whose innermost frame has no name.
	Unknown float64
	// Lost is how many samples the recorder lost, Samples how many it has.
	Lost, Samples int64
}

// Limits of quality. Below MinRooted a profile says more about the recorder than about
// the program; above MaxTruncated a larger part of the stack is recorded.
const (
	MinRooted    = 0.80
	MaxTruncated = 0.02
)

// Warnings are sentences about what makes the profile doubtful, each with a remedy.
func (r *Recording) Warnings() []string {
	var out []string
	if r.Quality.Rooted < MinRooted {
		out = append(out, fmt.Sprintf("only %.0f %% of the stacks reach their root (%s): the callers in this profile cannot be believed; build with debug information (-g), or with frame pointers (-fno-omit-frame-pointer, -C force-frame-pointers=yes)", 100*r.Quality.Rooted, r.Mode))
	}
	if r.Quality.Unknown > 0.10 {
		out = append(out, fmt.Sprintf("%.0f %% of the weight has no name: build with symbols (no strip, no -s), and install those of the libraries", 100*r.Quality.Unknown))
	}
	if lost, all := r.Quality.Lost, r.Quality.Lost+r.Quality.Samples; lost*100 > all {
		out = append(out, fmt.Sprintf("%d of %d samples were lost: record with fewer in a second, or on a machine that is less busy", lost, all))
	}
	if r.Quality.Samples < minSamples && r.Kind == KindCPU {
		out = append(out, fmt.Sprintf("there are %d samples only: a share of 1 %% takes some hundreds; -seconds=30 takes more", r.Quality.Samples))
	}
	return out
}

// minSamples is how many samples of CPU time say anything about a share of 5 %: then its
// standard error is 2 %.
const minSamples = 100

// Sound reports whether the profile can be believed.
func (r *Recording) Sound() bool { return r.Quality.Rooted >= MinRooted }

// assess measures the quality. The stacks of Go's own profiles are whole unless they are
// deeper than the runtime records, and leave the first frame away; so those count as rooted.
func (r *Recording) assess(whole bool) error {
	value, err := r.Profile.SampleIndexByName("")
	if err != nil {
		return err
	}
	tree, err := calltree.FromProfile(r.Profile, value)
	if err != nil {
		return fmt.Errorf("the recording of %s: %w", r.Tool, err)
	}
	r.Quality = Quality{Rooted: 1, Unknown: tree.UnknownShare(), Lost: r.Report.Lost, Samples: r.Report.Samples}
	if !whole {
		// The first function of a program without symbols has no name that tells.
		walked := float64(r.Report.Whole) / float64(max(r.Report.Samples, 1))
		r.Quality.Rooted = max(rooted(r.Profile, value), min(walked, 1))
	}
	return nil
}

// rooted is the share of the weight whose outermost frame is one that a thread begins
// with. A thread that the kernel has not yet given a program, or gives a new one, has
// no such frame, and its stack is whole nevertheless.
func rooted(p *profile.Profile, value int) float64 {
	var whole, total int64
	for _, s := range p.Sample {
		total += s.Value[value]
		if isRooted(s) {
			whole += s.Value[value]
		}
	}
	if total == 0 {
		return 0
	}
	return float64(whole) / float64(total)
}

func isRooted(s *profile.Sample) bool {
	if len(s.Location) == 0 {
		return false
	}
	root := s.Location[len(s.Location)-1]
	for _, line := range root.Line {
		if line.Function != nil && calltree.IsEntry(frameOf(line.Function.Name, root)) {
			return true
		}
	}
	if startsProgram(s) {
		return true
	}
	if !inKernel(root) {
		return false
	}
	// In execve the old program is gone and the new one has not begun.
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function != nil && execCalls[line.Function.Name] {
				return true
			}
		}
	}
	return false
}

// startsProgram reports whether the outermost frame calls what the C library begins with. It
// is the program's own _start, which has no name in one that was stripped.
func startsProgram(s *profile.Sample) bool {
	n := len(s.Location)
	if n < 2 {
		return false
	}
	return slices.ContainsFunc(s.Location[n-2].Line, func(l profile.Line) bool {
		return l.Function != nil && strings.HasPrefix(l.Function.Name, "__libc_start_main")
	})
}

var execCalls = map[string]bool{
	"__x64_sys_execve": true, "__arm64_sys_execve": true, "__x64_sys_execveat": true, "do_execveat_common.isra.0": true, "do_execveat_common": true,
	"bprm_execve": true, "bprm_execve.part.0": true, "load_elf_binary": true,
}

func inKernel(l *profile.Location) bool { return l.Mapping != nil && calltree.IsKernel(l.Mapping.File) }

func frameOf(name string, l *profile.Location) calltree.Frame {
	f := calltree.Frame{Name: name, Kernel: inKernel(l)}
	if l.Mapping != nil {
		f.Module = l.Mapping.File
	}
	return f
}

// ErrNothing is the cause of errors about a recording that went well and has no sample:
// a program that never waits has no off-CPU profile.
var ErrNothing = errors.New("there is nothing to show")

// An UnavailableError says that this machine cannot record what was asked for, and what
// would help.
type UnavailableError struct {
	Kind   Kind
	Reason string
	Remedy string
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("no %s profile can be recorded here: %s; %s", e.Kind, e.Reason, e.Remedy)
}

// Heap records what a command allocates: by heaptrack, else by valgrind's DHAT. Both see
// calls of malloc alone, so a Go program has to write heap profiles by itself.
func Heap(ctx context.Context, c Command, o Options) (*Recording, error) {
	if isCargo(c) {
		return heapOfCargo(ctx, c, o)
	}
	if isGo(programOf(c)) || canWrite(c) {
		if canWrite(c) {
			return recordRuntime(ctx, c, o, KindHeap)
		}
		return nil, &UnavailableError{KindHeap, c.Args[0] + " is a Go program, whose memory malloc does not see, and it writes no heap profile", "profile its tests, or take one from net/http/pprof (-url=http://HOST/debug/pprof/heap)"}
	}
	if path, err := exec.LookPath("heaptrack"); err == nil {
		return recordHeaptrack(ctx, path, c, o)
	}
	if path, err := exec.LookPath("valgrind"); err == nil {
		o.note("heaptrack is not installed: taking valgrind's DHAT, under which a program is about 30 times as slow")
		return recordDHAT(ctx, path, c, o)
	}
	return nil, &UnavailableError{KindHeap, "neither heaptrack nor valgrind is installed", "install one of them (the target doctor says how)"}
}
