package profiler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Via is a way of recording CPU time.
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
	return "", perf.Usagef("-via=%s: CPU time is recorded via %s", name, strings.Join(ways, ", "))
}

// CPU records where the CPU time of a command goes: by the kernel's events, else by the
// profiles of Go's runtime, where the command can write them, else by perf, which may be
// allowed what this process is not, or by xctrace on macOS. Options.Via takes one of these alone.
func CPU(ctx context.Context, c Command, o Options) (*Recording, error) {
	switch o.Via {
	case ViaPerf:
		return viaPerf(ctx, c, o)
	case ViaGo:
		return viaGo(ctx, c, o)
	case ViaXctrace:
		if reason := xctraceWorks(ctx); reason != "" {
			return nil, &UnavailableError{KindCPU, reason, "leave -via=xctrace out"}
		}
		return recordXctrace(ctx, c, o)
	}
	rec, err := recordEvents(ctx, c, o)
	refused, isRefusal := errors.AsType[*refusal](err)
	switch {
	case !isRefusal:
		return rec, err
	case o.Via == ViaEvents:
	case canWrite(c):
		o.note("%s: taking the profile that the program's own Go runtime writes", refused)
		return recordRuntime(ctx, c, o, KindCPU)
	case perfWorks() == "":
		o.note("%s: trying perf", refused)
		return recordPerf(ctx, c, o, KindCPU)
	case xctraceWorks(ctx) == "":
		return recordXctrace(ctx, c, o)
	}
	return nil, &UnavailableError{KindCPU, refused.reason, refused.remedy + ". What is left are Go programs, which can do it by themselves: go test, net/http/pprof (-url), or one that writes a profile"}
}

func viaPerf(ctx context.Context, c Command, o Options) (*Recording, error) {
	if reason := perfWorks(); reason != "" {
		return nil, &UnavailableError{KindCPU, reason, "install perf (the target doctor says how), or leave -via=perf out"}
	}
	return recordPerf(ctx, c, o, KindCPU)
}

func viaGo(ctx context.Context, c Command, o Options) (*Recording, error) {
	if !canWrite(c) {
		return nil, &UnavailableError{KindCPU, c.String() + " is not known to write a profile of its Go runtime", "leave -via=go out, or profile go test, a test binary or a server (-url)"}
	}
	return recordRuntime(ctx, c, o, KindCPU)
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
