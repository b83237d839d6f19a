package targets

import (
	"cmp"
	"context"

	"github.com/seanchatmangpt/clnrm-perf/perf/profileio"
	"github.com/seanchatmangpt/clnrm-perf/perf/profiler"
)

// Profile shows where the time goes: a flame graph, the hot path, the top functions.
//
// It builds the subject, runs a workload once as it is, and then records it: by events of
// the Linux kernel, which needs nothing installed, or where those are refused through what
// a Go program's runtime writes; -via=perf records through Linux perf. A subject that mostly waits gets an off-CPU profile beside the CPU one. It writes
// .perf/profiles/ID/: flamegraph.svg, profile.pb.gz (go tool pprof) and stacks.folded.
//
// Examples:
//
//	go tool mage profile -workload=self-test -open
//	go tool mage profile -cmd="grep -c func main.go" -seconds=5
//	go tool mage profile -url=http://localhost:6060 -seconds=30
//
// Exit status: 0; 1 if the subject failed or could not be recorded, with -strict also if
// less than 80 % of the stacks reach their root; 2 if the call makes no sense.
//
//mage:multiline
func Profile(ctx context.Context,
	workload *string, /* the workload to record (default: the one that shows most) */
	cmd *string, /* a command to record instead */
	url *string, /* a server with net/http/pprof to ask instead */
	seconds *string, /* time to record, after which the command is ended; default: about 10 s of whole runs */
	via *string, /* record via events, go or perf (default: the first that works) */
	open *bool, /* show the flame graph */
	strict *bool, /* a profile that cannot be believed fails */
) error {
	if err := subjects(workload, cmd, url); err != nil {
		return err
	}
	return profiled(ctx, profileOptions{workload: str(workload), cmd: str(cmd), url: str(url), seconds: str(seconds), via: str(via), open: is(open), strict: is(strict)})
}

// CleanroomProfile is profile for the embedded cleanroom subject.
//
// Example:
//
//	go tool mage cleanroomProfile -workload=validate
//
// Exit status: as profile.
//
//mage:multiline
func CleanroomProfile(ctx context.Context,
	workload *string, /* the workload to record; default self-test */
	seconds *string, /* time to record; default: about 10 s of whole runs */
	via *string, /* record via events, go or perf (default: the first that works) */
	open *bool, /* show the flame graph */
	strict *bool, /* a profile that cannot be believed fails */
) error {
	if err := subjects(workload, nil, nil); err != nil {
		return err
	}
	return profiled(ctx, profileOptions{workload: str(workload), seconds: str(seconds), via: str(via), open: is(open), strict: is(strict), cleanroom: true})
}

// ProfileHeap shows what allocates: allocations, bytes, peak, leaked, temporary.
//
// It uses heaptrack, or valgrind's DHAT, which see calls of malloc; a Go program writes
// profiles of its own heap. All costs are sample types of one profile.
//
// Examples:
//
//	go tool mage profileHeap -cmd="sort big.txt"
//	go tool pprof -sample_index=peak_space -top .perf/profiles/ID/profile.pb.gz
//
// Exit status: as profile.
//
//mage:multiline
func ProfileHeap(ctx context.Context,
	workload *string, /* the workload to record (default: the one that shows most) */
	cmd *string, /* a command to record instead */
	url *string, /* a server with net/http/pprof to ask instead */
	open *bool, /* show the flame graph */
	strict *bool, /* a profile that cannot be believed fails */
) error {
	if err := subjects(workload, cmd, url); err != nil {
		return err
	}
	return profiled(ctx, profileOptions{workload: str(workload), cmd: str(cmd), url: str(url), open: is(open), strict: is(strict), kinds: []profiler.Kind{profiler.KindHeap}})
}

// ProfileOffCpu shows where the program waits, and for how long.
//
// Each time that a thread gives the CPU away is a sample, which costs the time until it
// runs again. Time in which it could have run, and another program did, is not in it.
//
// Example:
//
//	go tool mage profileOffCpu -cmd="curl -s http://localhost:8080/"
//
// Exit status: as profile.
//
//mage:multiline
func ProfileOffCpu(ctx context.Context, //nolint:revive // Mage makes profileOffCpu of it, and of OffCPU something that nobody can type
	workload *string, /* the workload to record (default: the one that shows most) */
	cmd *string, /* a command to record instead */
	url *string, /* a server with net/http/pprof to ask instead */
	seconds *string, /* time to record; default: about 10 s of whole runs */
	via *string, /* record via events, go or perf (default: the first that works) */
	open *bool, /* show the flame graph */
	strict *bool, /* a profile that cannot be believed fails */
) error {
	if err := subjects(workload, cmd, url); err != nil {
		return err
	}
	return profiled(ctx, profileOptions{workload: str(workload), cmd: str(cmd), url: str(url), seconds: str(seconds), via: str(via), open: is(open), strict: is(strict), kinds: []profiler.Kind{profiler.KindOffCPU}})
}

// ProfileAll records CPU, heap and off-CPU, one after the other.
//
// Example:
//
//	go tool mage profileAll -workload=self-test
//
// Exit status: as profile; what cannot be recorded does not keep the others from it.
//
//mage:multiline
func ProfileAll(ctx context.Context,
	workload *string, /* the workload to record (default: the one that shows most) */
	cmd *string, /* a command to record instead */
	url *string, /* a server with net/http/pprof to ask instead */
	seconds *string, /* time to record; default: about 10 s of whole runs */
	via *string, /* record CPU and waits via events, go or perf (default: the first that works) */
	strict *bool, /* a profile that cannot be believed fails */
) error {
	all := []profiler.Kind{profiler.KindCPU, profiler.KindHeap, profiler.KindOffCPU}
	if err := subjects(workload, cmd, url); err != nil {
		return err
	}
	return profiled(ctx, profileOptions{workload: str(workload), cmd: str(cmd), url: str(url), seconds: str(seconds), via: str(via), strict: is(strict), kinds: all})
}

// ProfileDiff shows what changed between two profiles: mage profileDiff OLD NEW.
//
// Both may be of any format that flamegraph takes, or folders below .perf/profiles. What
// grew is red and what shrank is blue, by all that a frame calls; stacks that vanished
// are in the picture. The weights of both are made equal, so that a longer recording is
// no difference.
//
// Example:
//
//	go tool mage profileDiff .perf/profiles/OLD .perf/profiles/NEW -o=diff.svg
//
// Exit status: 0; 1 if a profile cannot be read; 2 if a file is not there.
//
//mage:multiline
func ProfileDiff(ctx context.Context, old, new string,
	o *string, /* where the picture is written; default diff.svg */
	event *string, /* of several events or sample types, take this one of both */
	keep *bool, /* compare weights as they are: of two runs of the same work */
) error {
	return profilesCompared(ctx, old, new, cmp.Or(str(o), "diff.svg"), str(event), is(keep))
}

// Flamegraph draws any profile: mage flamegraph IN -o=OUT.svg.
//
// IN is perf script text, perf.data, pprof, folded stacks, heaptrack, valgrind's DHAT or an
// export of xctrace, recognised by its content, also compressed by gzip or zstd; or - for
// the standard input.
//
// Example:
//
//	go tool mage flamegraph perf.data -o=perf.svg
//
// Exit status: 0; 1 if it cannot be read; 2 if the file is not there.
//
//mage:multiline
func Flamegraph(ctx context.Context, in string,
	o *string, /* where the picture is written (default: standard output) */
	event *string, /* of several events or sample types, draw this one (default: the first) */
) error {
	return drawn(ctx, in, str(o), str(event))
}

// Fold prints any profile as folded stacks: mage fold IN.
//
// It takes what flamegraph takes. Text of perf script comes out as stackcollapse-perf.pl
// and inferno write it.
//
// Example:
//
//	perf script | go tool mage fold - -kernel > out.folded
//
// Exit status: 0; 1 if something cannot be read (the rest is); 2 if the file is not there.
//
//mage:multiline
func Fold(ctx context.Context, in string,
	pid *bool, /* the root frame is COMM-PID */
	tid *bool, /* the root frame is COMM-PID/TID */
	kernel *bool, /* frames of the kernel end in _[k] */
	jit *bool, /* frames of just-in-time compilers end in _[j] */
	all *bool, /* -kernel, -jit, and _[i] behind what Java inlined */
	addrs *bool, /* frames without a name are [MODULE <ADDRESS>] */
	event *string, /* of several events or sample types, take this one (default: the first) */
) error {
	return folded(ctx, in, str(event), profileio.FoldOptions{
		PID: is(pid), TID: is(tid), Kernel: is(kernel) || is(all), JIT: is(jit) || is(all), Inlined: is(all), Addresses: is(addrs),
	})
}
