package profiler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Via is a way of recording.
type Via string

// The ways, in the order in which they are tried.
const (
	ViaEvents Via = "events" // the kernel's events, recorded by this process
	ViaGo     Via = "go"     // what the program's own Go runtime writes
	ViaPerf   Via = "perf"   // the program perf, which must be installed
)

var ways = []string{string(ViaEvents), string(ViaGo), string(ViaPerf), string(ViaXctrace)}

// ParseVia takes the name of a way; an empty one leaves the choice to [CPU].
func ParseVia(name string) (Via, error) {
	if name == "" || slices.Contains(ways, name) {
		return Via(name), nil
	}
	return "", perf.Usagef("-via=%s: profiles are recorded via %s", name, strings.Join(ways, ", "))
}

// CPU records where the CPU time of a command goes: of go test by the profiles of Go's
// runtime, of others by the kernel's events, else by the profiles of Go's runtime, where the command can write them, else by perf, which may be
// allowed what this process is not, or by xctrace on macOS. Options.Via takes one of these alone.
func CPU(ctx context.Context, c Command, o Options) (*Recording, error) {
	return record(ctx, c, o, KindCPU)
}

// OffCPU records where a command waits, in the same ways: by the switches away from the
// CPU, or by the block and mutex profiles of Go's runtime.
func OffCPU(ctx context.Context, c Command, o Options) (*Recording, error) {
	return record(ctx, c, o, KindOffCPU)
}

func record(ctx context.Context, c Command, o Options, kind Kind) (*Recording, error) {
	switch o.Via {
	case ViaPerf:
		return viaPerf(ctx, c, o, kind)
	case ViaGo:
		return viaGo(ctx, c, o, kind)
	case ViaXctrace:
		return viaXctrace(ctx, c, o, kind)
	}
	if o.Via == "" && isGoTest(c) {
		// It compiles, links, and removes the test binary before anybody can read its symbols.
		o.note("go test is recorded by the profiles that its test binaries write of themselves")
		return recordRuntime(ctx, c, o, kind)
	}
	rec, err := recordEvents(ctx, c, o, kind)
	refused, isRefusal := errors.AsType[*refusal](err)
	switch {
	case !isRefusal:
		return rec, err
	case o.Via == ViaEvents:
	case canWrite(c):
		o.note("%s: taking the profile that the program's own Go runtime writes", refused)
		return recordRuntime(ctx, c, o, kind)
	case perfWorks(kind) == "":
		o.note("%s: trying perf", refused)
		return recordPerf(ctx, c, o, kind)
	case kind == KindCPU && xctraceWorks(ctx) == "":
		return recordXctrace(ctx, c, o)
	}
	return nil, &UnavailableError{kind, refused.reason, refused.remedy + ". What is left are Go programs, which can do it by themselves: go test, net/http/pprof (-url), or one that writes a profile"}
}

func viaPerf(ctx context.Context, c Command, o Options, kind Kind) (*Recording, error) {
	if reason := perfWorks(kind); reason != "" {
		return nil, &UnavailableError{kind, reason, "install perf (the target doctor says how), or leave -via=perf out"}
	}
	return recordPerf(ctx, c, o, kind)
}

func viaXctrace(ctx context.Context, c Command, o Options, kind Kind) (*Recording, error) {
	reason := xctraceWorks(ctx)
	if kind != KindCPU {
		reason = "xctrace is asked for CPU time alone"
	}
	if reason != "" {
		return nil, &UnavailableError{kind, reason, "leave -via=xctrace out"}
	}
	return recordXctrace(ctx, c, o)
}

func viaGo(ctx context.Context, c Command, o Options, kind Kind) (*Recording, error) {
	if !canWrite(c) {
		return nil, &UnavailableError{kind, c.String() + " is not known to write a profile of its Go runtime", "leave -via=go out, or profile go test, a test binary or a server (-url)"}
	}
	return recordRuntime(ctx, c, o, kind)
}

// A refusal is a kernel that does not let this process record, with the reason.
type refusal struct {
	reason, remedy string
	err            error
}

func (r *refusal) Error() string { return r.reason + " (" + r.remedy + ")" }

func (r *refusal) Unwrap() error { return r.err }

// noteOverhead says what recording took.
func (r *Recording) noteOverhead() {
	if r.CPUTime <= 0 {
		return
	}
	r.Notes = append(r.Notes, fmt.Sprintf("recording took %s of CPU time beside the %s of the command (%.2f %%)",
		r.Overhead.Round(10*time.Microsecond), r.CPUTime.Round(time.Millisecond), 100*float64(r.Overhead)/float64(r.CPUTime)))
}

// inTime makes time of the weights of a profile of cycles: the CPU time that was counted
// while they were, in the proportions of the cycles.
func inTime(p *profile.Profile, cpu time.Duration) {
	var total float64
	for _, s := range p.Sample {
		total += float64(s.Value[1])
	}
	if total == 0 || cpu <= 0 {
		return // what it is in is said by its type
	}
	for _, s := range p.Sample {
		s.Value[1] = int64(math.Round(float64(s.Value[1]) / total * float64(cpu)))
	}
	*p.SampleType[1] = profile.ValueType{Type: "cpu", Unit: "nanoseconds"}
	p.DefaultSampleType = p.SampleType[1].Type
	p.PeriodType = p.SampleType[1]
}
