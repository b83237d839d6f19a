package perfdata

import (
	"errors"
	"fmt"
	"io"

	"github.com/google/pprof/profile"
)

// Options say what to take from a recording. The zero value takes the first event.
type Options struct {
	// Event names the event whose samples are wanted; empty means the first that occurs.
	// Modifiers, as the u in cycles:u, may be left out.
	Event string
	// Open opens the files that hold symbols; nil means [OpenFile]. It is asked for paths
	// that the recording names, for those where debug information lies by convention, and
	// for /proc/kallsyms and /sys/kernel/notes, where samples of the kernel are in it.
	Open Opener
	// Threads keeps process and thread of each sample (the labels pid and tid), CPUs the
	// processor (cpu). Else stacks of all of them are added up by the name of the program.
	Threads, CPUs bool
	// OffCPU makes a sample cost the time until its thread runs again. The samples have to
	// be of context switches, and the recording has to hold the switches themselves
	// (perf record --switch-events).
	OffCPU bool
	// NoInlined leaves out functions that the compiler has copied into others, and the
	// lines: one name an address, which takes no debug information.
	NoInlined bool
}

// A Recording is what a recording holds, as a profile, and how far that can be believed.
type Recording struct {
	Profile *profile.Profile
	// Event is the event that the samples are of, and Others those that were left out,
	// in the order in which they occur.
	Event  string
	Others []string
	// Samples is how many there are, and Lost how many were recorded for which there was
	// no room, or which were never written.
	Samples, Lost int64
	// Throttled is how often the kernel held samples back, as they took it too long.
	Throttled int64
	// Waits says how the time off the CPU divides, where it was asked for.
	Waits Waits
	// Walks says how the walks through dumped stacks ended, in samples: [WalkedToRoot] is a
	// whole one. Call chains that the kernel has made tell nothing of the kind.
	Walks map[string]int64
	// Records is how many there are of every kind, and UnknownRecords how many of types
	// that are not known here; they were skipped.
	Records, UnknownRecords int64
	// Faults are the places that make no sense, or where something is missing, at most
	// maxFaults; Faulty counts all.
	Faults []Fault
	Faulty int
	// Notes are sentences about what the profile does not tell.
	Notes []string
}

// WalkedToRoot is how a walk ends that has found all callers, in [Recording.Walks].
const WalkedToRoot = "root"

// ErrNoSamples says that a recording holds none.
var ErrNoSamples = errors.New("it holds no sample")

// Read reads a recording of perf: a file of perf record, or what it writes with -o -, also
// compressed with -z. Where r can be read at any place, as a file can, that is used.
//
// What is cut off gives what is whole, and a fault. An error means that nothing could be
// read.
//
// The profile has the sample types samples/count and what a sample costs: cpu/nanoseconds
// for the clocks of the kernel, else the event with the unit count. Addresses are those
// of the mapped files, so that processes with different address spaces add up; those of
// callers lie within the call.
func Read(r io.Reader, o Options) (*Recording, error) {
	if o.Open == nil {
		o.Open = OpenFile
	}
	c := newCollector(o)
	s := newSession(c.take)
	c.world.images.facts = &s.facts
	defer c.world.images.close()
	if err := s.read(r); err != nil {
		return nil, err
	}
	return c.finish(s)
}

func newCollector(o Options) *collector {
	im := newImages(o.Open, !o.NoInlined)
	c := &collector{
		options: o, stacks: newStacks(), walker: newUnwinder(), events: map[string]bool{}, caller: map[callKey]int32{}, counters: map[counterKey]uint64{},
		world:  newWorld(im, &kernel{images: im}),
		result: &Recording{Walks: map[string]int64{}},
	}
	if o.OffCPU {
		c.waits = map[uint32]wait{}
	}
	return c
}

// finish turns what was collected into a profile.
func (c *collector) finish(s *session) (*Recording, error) {
	c.endDeferred()
	r := c.result
	r.Lost = max(s.lostRecords, s.lostSamples)
	r.Throttled, r.Records = s.throttled, s.records
	r.Waits.Open = int64(len(c.waits))
	for _, n := range s.unknown {
		r.UnknownRecords += n
	}
	if s.queue.late > 0 {
		s.faults.add(0, "%d records came much later than others of their time: stacks around a change of what is mapped can be wrong", s.queue.late)
	}
	r.Faults, r.Faulty = s.faults.kept, s.faults.count
	if c.options.Event != "" && r.Event == "" {
		return nil, fmt.Errorf("there is no sample of the event %q; there are samples of %q", c.options.Event, r.Others)
	}
	if r.Event == "" {
		return nil, c.empty(s)
	}
	b := newBuilder(c)
	err := b.build()
	r.Profile = b.profile
	r.Notes = append(r.Notes, c.notes(b)...)
	return r, err
}

// empty says why there is nothing.
func (c *collector) empty(s *session) error {
	if len(s.faults.kept) > 0 {
		return fmt.Errorf("%w; %s", ErrNoSamples, s.faults.kept[0])
	}
	return ErrNoSamples
}
